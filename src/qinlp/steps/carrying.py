"""What reviewers did at their desk comes into the store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from qinlp.config import Config
from qinlp.records import Judgement, Passage, Rejected, Tally
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, desk, pending
from qinlp.store.desk import Act

ACTS_A_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Carried(Tally):
    """What `carry` did."""

    reviews: int = 0
    """Passages that somebody went through, skipped and flagged ones included."""
    judgements: int = 0
    recuts: int = 0
    withdrawn: int = 0
    rejected: int = 0
    """Acts that make no sense, now in the quarantine."""


def carry(config: Config, watch: Watch = unwatched, *, wait: float = 60.0) -> Carried:
    """Take over what lies on the desk and has not been taken over yet, each act once.

    The place that was reached is noted in the transaction that brings the acts, so that a step
    killed at any moment is simply run again.

    Raises:
        StoreBusy: another process held the database for longer than `wait` seconds.
    """
    store, source = Store(config.database_path, wait), desk.of(config.database_path)
    if not source.path.exists():
        return Carried()
    name, total = source.id, Carried()
    with Run(store, "carry", {"desk": name}) as run:
        while True:
            with store.read() as con:
                reached = pending.carried(con, name)
            acts = source.acts(reached, ACTS_A_BATCH)
            if not acts:
                break
            with store.write() as con:
                run.begin(con)
                total += _append(con, run.id, acts)
                append.desk_carried(con, run.id, name, acts[-1].seq, datetime.now(UTC))
            watch("carrying", acts[-1].seq, 0)
        run.finish(asdict(total))
    return total


def _append(con: Any, run_id: str, acts: Sequence[Act]) -> Carried:
    done = Carried()
    for act in acts:
        try:
            done += _one(con, run_id, act)
        except (KeyError, TypeError, ValueError) as error:
            raw = json.dumps(dict(act.body), ensure_ascii=False).encode()
            reason = f"the act says no {error}" if isinstance(error, KeyError) else str(error)
            append.add_rejected(con, run_id, act.at, [Rejected(f"desk:{act.coder}", act.act_id, reason, raw)])
            done += Carried(rejected=1)
    return done


def _one(con: Any, run_id: str, act: Act) -> Carried:
    if act.kind == "undo":
        append.withdraw(con, run_id, str(act.undoes), act.coder, act.at)
        return Carried(withdrawn=1)
    if act.kind == "recut":
        cut = _recut(con, act.body)
        append.add_recut(con, run_id, act.act_id, list(act.body["replaces"]), cut, act.coder, act.at)
        return Carried(recuts=1)
    judgements = _judgements(act) if act.kind == "review" else []
    append.add_review(con, run_id, act)
    append.add_judgements(con, judgements)
    return Carried(reviews=1, judgements=len(judgements))


def _judgements(act: Act) -> list[Judgement]:
    return [
        Judgement(
            act.passage_id, act.codebook, code, act.coder, present, act.at, review_id=act.act_id,
            adjudicates=bool(act.body.get("adjudicates")),
        )
        for present, codes in ((True, act.body["present"]), (False, act.body["absent"]))
        for code in codes
    ]  # fmt: skip


def _recut(con: Any, body: Mapping[str, Any]) -> list[Passage]:
    """Return the new passages, with section, speaker and context of the old one that each begins in."""
    old = pending.passages(con, list(body["replaces"]))
    if len(old) != len(body["replaces"]) or len({p.document_id for p in old}) != 1:
        raise ValueError(f"{body['replaces']!r} are no passages of one document")
    text = pending.text_of(con, old[0].document_id, old[0].text_hash)
    spans = sorted((int(start), int(end)) for start, end in body["spans"])
    first, last = min(p.start for p in old), max(p.end for p in old)
    ends = [first, *(end for _, end in spans)]
    if not spans or any(
        start < before or start >= end for before, (start, end) in zip(ends, spans, strict=False)
    ):
        raise ValueError(f"spans {spans!r} are empty or overlap")
    if spans[-1][1] > last:
        raise ValueError(f"spans {spans!r} reach beyond {first} to {last}")
    return [
        replace(
            next(p for p in reversed(old) if p.start <= start or p is old[0]),
            start=start, end=end, text=text[start:end],
        )
        for start, end in spans
    ]  # fmt: skip
