"""What people look at next is laid on their desk, with all that its page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from qinlp import shipped
from qinlp.analysis import strategies
from qinlp.codebook import Codebook, valence_beside
from qinlp.codebook import find as find_codebook
from qinlp.config import Config
from qinlp.errors import ConfigError
from qinlp.steps import coding
from qinlp.steps.run import Watch, unwatched
from qinlp.store import Store, desk, pending, reading, waiting
from qinlp.store.desk import Desk, Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qinlp.analysis.coverage import Curve, Needed, Seen

    Floats = NDArray[np.floating[Any]]

DEEP = 10
"""The strategy orders so many times as many passages as the queue holds: those of most doubt."""
PASSAGES_A_BATCH = 500
SUGGESTED = 9
"""Codes suggested at the most, unless more were decided."""
EVIDENCE = 3
"""Judged passages shown beside a passage."""
REMEMBERED = 2000
"""Of so many judged passages, the latest, evidence and cue words are taken."""
WEIGHED = 20_000
"""So many judged passages, the latest, and so many points of the unreviewed go into the curve."""
POINTS = 60
"""Points of the curve that are noted."""


@dataclass(frozen=True, slots=True)
class Queued:
    """What `queue` did."""

    laid: Mapping[str, int] = field(default_factory=dict)
    """Codebook to the passages in its new queue; one whose queue was as it should be is not in here."""

    @property
    def passages(self) -> int:
        """Passages laid on the desk, all codebooks together."""
        return sum(self.laid.values())


def queue(
    config: Config, watch: Watch = unwatched, *, codebooks: Sequence[str] = (), renew: bool = False
) -> Queued:
    """Lay the passages that people should look at next on the desk, for each codebook.

    Of all coded passages that nobody has gone through, those of most doubt go through the project's
    strategy; the audit is drawn from all. A queue that was made of the same codings, judgements and
    settings is left as it lies. What was done on the desk since it was last carried counts, except
    what was taken back: run `carry` before.

    Args:
        config: the project.
        watch: told how it is getting on.
        codebooks: ids; none means all of the project's.
        renew: make the queue anew, though nothing changed.

    Raises:
        CodebookError: a codebook is unknown.
        ConfigError: the strategy is unknown, or compares with a second coder and there is none.
        StoreBusy: another process held the database.
    """
    store, at = Store(config.database_path), desk.of(config.database_path)
    books = [find_codebook(name, config.codebook_folders) for name in config.coding.codebooks]
    strategies.strategy(config.review.strategy)
    laid = {}
    for book in books:
        if codebooks and book.id not in codebooks:
            continue
        beside = valence_beside(book, books)
        with store.read() as con:
            made_of = [*reading.state(con), at.reached(), len(at.assignments(book.id)), asdict(config.review)]
        if renew or at.note(book.id, "made_of") != _plain(made_of):
            watch(f"queue of {book.id}", 0, 0)
            items, notes = _queue(config, store, at, book, beside)
            at.lay(book.id, items, {**notes, "made_of": _plain(made_of)})
            laid[book.id] = len(items)
    return Queued(laid)


def assign(
    config: Config, codebook: str, coders: Sequence[str], share: float | None = None
) -> dict[str, int]:
    """Give a share of what one coder has coded to others, for a second opinion; return how many to whom.

    Who is drawn depends on the passage alone, so that the share stays as passages are coded. Each
    passage goes to one of the coders, never to the one who coded it. Lay the queue after it.

    Args:
        config: the project.
        codebook: its id.
        coders: who may be given passages.
        share: of the passages; None means review.double_share.

    Raises:
        ConfigError: nobody is named.
    """
    if not coders:
        raise ConfigError(
            "there is nobody to assign passages to; name them with --to, or make accounts: "
            "qinlp review account add NAME"
        )
    book, at = find_codebook(codebook, config.codebook_folders), desk.of(config.database_path)
    share = config.review.double_share if share is None else share
    with Store(config.database_path).read() as con:
        reviews = [(passage, coder) for passage, coder, _ in _reviews(con, at, book.id)]
    coded: dict[str, set[str]] = {}
    for passage, coder in reviews:
        coded.setdefault(passage, set()).add(coder)
    doubled = {passage for passage, _, why in at.assignments(book.id) if why == "double"}
    open_ = [passage for passage, by in coded.items() if len(by) == 1 and passage not in doubled]
    given: dict[str, list[str]] = {}
    for passage, lot in zip(open_, strategies.lots(open_, _SECOND_LOT), strict=True):
        others = sorted(set(coders) - coded[passage])
        if lot < share and others:
            given.setdefault(others[int(lot / share * len(others))], []).append(passage)
    return {name: at.assign(book.id, name, ids, "double") for name, ids in sorted(given.items())}


_SECOND_LOT = 1
"""Another lot than that of the audit."""


def _reviews(con: Any, at: Desk, codebook: str) -> list[tuple[str, str, str]]:
    """Return (passage, coder, why) of all whole reviews: those in the store, and those not yet there."""
    reached = pending.carried(con, at.id)
    fresh = [
        (act.passage_id, act.coder, str(act.body.get("why", "")))
        for act in at.standing("", codebook)
        if act.seq > reached and act.kind == "review" and not act.body.get("adjudicates")
    ]
    return [*waiting.reviews(con, codebook), *fresh]


class _Said(NamedTuple):
    """What a machine coder said of a code on a passage."""

    code: str
    probability: float
    decided: bool


def _queue(
    config: Config, store: Store, at: Desk, book: Codebook, beside: Codebook | None
) -> tuple[list[Item], dict[str, Any]]:
    import numpy as np

    review, codes = config.review, [code.id for code in book.assignable]
    with store.read() as con:
        coder = waiting.coder(con, book.id)
        second = _second(con, book, coder) if review.strategy == "disagreement" and coder else ""
        scores = waiting.scores(con, book.id, codes, second)
        reviews = _reviews(con, at, book.id)
        unsure = waiting.unsure(con, book.id, coder)
        seen = _seen(waiting.seen(con, book.id, codes, WEIGHED))
        judged = waiting.judged(con, book.id, REMEMBERED)

    done = {passage for passage, _, _ in reviews}
    audited = len({passage for passage, _, why in reviews if why == "audit"})
    names = scores.column("passage_id").to_pylist()
    numbers = [scores.column(name).to_numpy() for name in ("doubt", "likely", "expected")]
    free = np.array([name not in done for name in names], bool)
    order = np.argsort(np.array(names, str), kind="stable")  # the same in whatever order they came
    order = order[free[order]]
    names = [names[i] for i in order]
    doubt, likely, expected = (values[order] for values in numbers)
    lots = strategies.lots(names)
    score = {"likely": likely, "random": -lots}.get(review.strategy, doubt)
    by_score = np.argsort(-score, kind="stable")
    # the audit takes the lowest lots; so many are enough even if the strategy takes all of them first
    lowest = np.argsort(lots, kind="stable")[: 2 * review.length]
    places = np.union1d(by_score[: DEEP * review.length], lowest)
    drawn = [names[i] for i in places]

    with store.read() as con:
        said = _said(waiting.codings(con, book.id, drawn))
        other = _said(waiting.codings(con, book.id, drawn, second)) if second else {}
    candidates = strategies.Candidates(
        book.id, tuple(book.code(code).name for code in codes), drawn, _matrix(drawn, said, codes),
        _vectors(config, store, book, drawn) if review.strategy == "diversity" else None,
        _matrix(drawn, other, codes) if second else None,
    )  # fmt: skip
    chosen = strategies.queue(
        candidates, review.strategy, first=review.length, share=review.audit_share,
        judged=len(done), audited=audited,
    )  # fmt: skip

    wanted = {drawn[one.place]: (one.audited, one.why) for one in chosen}
    coded = {(passage, name) for passage, name, _ in reviews}
    given = {
        passage: "It was given to one of you."
        for passage, name, _ in at.assignments(book.id)
        if passage not in wanted and (passage, name) not in coded
    }
    because = {**{name: why for name, (_, why) in wanted.items()}, **given}
    extra = [name for name in given if name not in said]
    if extra:
        with store.read() as con:
            said |= _said(waiting.codings(con, book.id, extra))
    bodies = _bodies(config, store, book, beside, because, said, unsure, judged)
    items = [
        Item(book.id, float(place), name, _why(wanted.get(name)), bodies[name])
        for place, name in enumerate(name for name in because if name in bodies)
    ]
    first = places[[one.place for one in chosen]] if chosen else np.array([], np.intp)
    rest = expected[np.concatenate([first, by_score[~np.isin(by_score, first)]]).astype(np.intp)]
    return items, _notes(config, rest, seen, len(done))


def _why(wanted: tuple[bool, str] | None) -> str:
    if wanted is None:
        return "assigned"
    return "audit" if wanted[0] else "unsure"


def _second(con: Any, book: Codebook, coder: str) -> str:
    found = waiting.second(con, book.id, coder)
    if not found:
        raise ConfigError(
            f"review.strategy 'disagreement' compares two models, and {book.id} was coded by {coder} alone; "
            "code once with another coding.model, or choose another strategy: qinlp review strategies"
        )
    return found


def _said(rows: Sequence[tuple[str, str, float, bool]]) -> dict[str, list[_Said]]:
    said: dict[str, list[_Said]] = {}
    for passage, code, probability, decided in rows:
        said.setdefault(passage, []).append(_Said(code, probability, decided))
    return said


def _matrix(passages: Sequence[str], said: Mapping[str, Sequence[_Said]], codes: Sequence[str]) -> Floats:
    """Return probabilities, shape (passages, codes); a code of which nothing was kept has none."""
    import numpy as np

    column = {code: i for i, code in enumerate(codes)}
    found = np.zeros((len(passages), len(codes)), np.float32)
    for row, passage in zip(found, passages, strict=True):
        for one in said.get(passage, ()):
            if one.code in column:
                row[column[one.code]] = one.probability
    return found


def _vectors(config: Config, store: Store, book: Codebook, passages: Sequence[str]) -> Floats:
    """Return the vectors that the coder takes, shape (passages, dimension); zeros where there is none."""
    import numpy as np

    encoder = coding.find_model(config).encoder_for(book)
    with store.read() as con:
        ids, vectors = coding.vectors_of(con, encoder, passages)
    place = {name: i for i, name in enumerate(ids)}
    found = np.zeros((len(passages), vectors.shape[1]), np.float32)
    for row, passage in zip(found, passages, strict=True):
        if passage in place:
            row[:] = vectors[place[passage]]
    return found


# What a page shows --------------------------------------------------------------------------------


def _bodies(
    config: Config, store: Store, book: Codebook, beside: Codebook | None, because: Mapping[str, str],
    said: Mapping[str, Sequence[_Said]], unsure: Mapping[str, tuple[float, float]],
    judged: Sequence[tuple[str, str, list[str], str]],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Return what the page of each passage shows; one that stands no more is left out."""
    from qinlp.analysis.cues import mark

    names = list(because)
    words = _cues(book.id, tuple((text, tuple(codes)) for _, text, codes, _ in judged))
    evidence = _evidence(config, store, book, names, judged)
    told: dict[str, list[_Said]] = {}
    if beside:
        with store.read() as con:
            told = _said(waiting.codings(con, beside.id, names))
    bodies = {}
    for start in range(0, len(names), PASSAGES_A_BATCH):
        batch = names[start : start + PASSAGES_A_BATCH]
        with store.read() as con:
            around = waiting.surroundings(con, batch)
            documents = waiting.documents(con, [row["document_id"] for row in around])
        for name, spot in _spots(around, documents, set(batch)).items():
            suggestions = _suggestions(book, said.get(name, ()), unsure)
            bodies[name] = {
                **spot, "because": because[name], "suggestions": suggestions,
                "cues": mark(spot["text"], words, [one["code"] for one in suggestions]),
                "valence": [one.code for one in told.get(name, ()) if one.decided],
                "evidence": evidence.get(name, []),
            }  # fmt: skip
    return bodies


def _spots(
    around: Sequence[Mapping[str, Any]], documents: Mapping[tuple[str, str], Mapping[str, Any]],
    wanted: set[str],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Return where each wanted passage stands: its document, the passages beside it, their text."""
    found = {}
    for i, here in enumerate(around):
        if here["passage_id"] not in wanted:
            continue
        document = documents[here["document_id"], here["text_hash"]]
        before, after = (
            {key: around[j][key] for key in ("passage_id", "start", "end", "text", "speaker")}
            if 0 <= j < len(around) and around[j]["document_id"] == here["document_id"]
            else None
            for j in (i - 1, i + 1)
        )
        found[here["passage_id"]] = spot(document, before, here, after)
    return found


def spot(
    document: Mapping[str, Any], before: Mapping[str, Any] | None, here: Mapping[str, Any],
    after: Mapping[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    """Return where a passage stands, as its page shows it: document, neighbours, the text of all three."""
    begins, ends = (before or here)["start"], (after or here)["end"]
    return {
        **{key: value for key, value in here.items() if key != "passage_id"},
        **{key: document[key] for key in ("title", "year", "journal", "source")},
        "before": before, "after": after,
        "window": document["text"][begins:ends], "window_start": begins,
    }  # fmt: skip


def _suggestions(
    book: Codebook, said: Sequence[_Said], unsure: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    """Return the codes to think of, the likeliest first: decided, unsure, then others while there is room."""

    def rank(one: _Said) -> int:
        low, high = unsure.get(one.code, (1.0, 0.0))
        return 0 if one.decided else 1 if low <= one.probability <= high else 2

    may = [one for one in said if one.code in book and book.code(one.code).assignable]
    decided = sum(one.decided for one in may)
    kept = sorted(may, key=lambda one: (rank(one), -one.probability))[: max(SUGGESTED, decided)]
    return [
        {
            "code": one.code, "name": book.code(one.code).name,
            "probability": round(one.probability, 4), "decided": one.decided,
        }
        for one in sorted(kept, key=lambda one: -one.probability)
    ]  # fmt: skip


def _evidence(
    config: Config, store: Store, book: Codebook, names: Sequence[str],
    judged: Sequence[tuple[str, str, list[str], str]],
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Return the judged passages most like each passage, by the cosine of their vectors."""
    import numpy as np

    if not judged or not names:
        return {}
    vectors = _vectors(config, store, book, [*(one[0] for one in judged), *names])
    those, these = vectors[: len(judged)], vectors[len(judged) :]
    found = {}
    for start in range(0, len(names), PASSAGES_A_BATCH):
        batch = names[start : start + PASSAGES_A_BATCH]
        likeness = these[start : start + PASSAGES_A_BATCH] @ those.T
        for name, row in zip(batch, likeness, strict=True):
            near = [int(i) for i in np.argsort(-row, kind="stable") if judged[i][0] != name][:EVIDENCE]
            found[name] = [
                {
                    "text": judged[i][1],
                    "codes": [book.code(code).name if code in book else code for code in judged[i][2]],
                    "coder": judged[i][3], "likeness": round(float(row[i]), 3),
                }
                for i in near
                if row[i] > 0
            ]  # fmt: skip
    return found


@lru_cache(maxsize=8)
def _cues(codebook: str, judged: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, dict[str, float]]:
    """Return the cue words of a codebook's codes, of the shipped training passages and those judged."""
    from qinlp.analysis.cues import cues

    return cues([*_trained(codebook), *judged])


@lru_cache(maxsize=8)
def _trained(codebook: str) -> list[tuple[str, tuple[str, ...]]]:
    from qinlp.coding.evaluation import read_labelled

    return [
        (
            row.text,
            tuple(
                sorted(label.partition("/")[2] for label in row.labels if label.startswith(f"{codebook}/"))
            ),
        )
        for path in sorted(shipped.folder("data/training").glob("*.jsonl"))
        for row in read_labelled(path)
        if row.coded_with(codebook)
    ]


# How much is left ---------------------------------------------------------------------------------


def _seen(rows: Sequence[tuple[str, float, bool]]) -> Seen:
    import numpy as np

    from qinlp.analysis.coverage import Seen

    documents, expected, wrong = zip(*rows, strict=True) if rows else ((), (), ())
    return Seen(np.array(expected, float), np.array(wrong, bool), np.array(documents, object))


def _notes(config: Config, rest: Floats, seen: Seen, reviewed: int) -> dict[str, Any]:
    from qinlp.analysis import coverage

    step = max(1, math.ceil(len(rest) / WEIGHED))  # of very many passages one in `step` stands for all
    curve = coverage.curve(rest[step // 2 :: step], seen)
    at = {int(i) for i in _evenly(len(curve.more), POINTS)}
    points = [
        {
            "reviewed": reviewed + min(int(curve.more[i]) * step, len(rest)),
            "error": float(curve.error[i]), "low": float(curve.low[i]), "high": float(curve.high[i]),
        }
        for i in sorted(at)
    ]  # fmt: skip
    return {
        "passages": len(rest),
        "left": _left(curve, config.review.target_error, step) if len(rest) else None,
        "coverage": points if len(rest) else [],
        "made_at": datetime.now(UTC).isoformat(),
        "strategy": config.review.strategy,
    }


def _evenly(n: int, most: int) -> Floats:
    import numpy as np

    return np.linspace(0, n - 1, min(n, most)).round()


def _left(curve: Curve, target: float, step: int) -> str:
    """Say how many more passages are needed, and how many to be sure of it."""
    from dataclasses import replace

    found: Needed = curve.needed(target)
    found = replace(found, more=found.more * step, surely=found.surely * step)
    said = str(found)
    if found.surely != found.more:
        said += f"; {found.surely:,} to bring the upper end of the interval there, too"
    return f"{said[:1].upper()}{said[1:]}."


def _plain(value: Any) -> Any:
    import json

    return json.loads(json.dumps(value, default=str))
