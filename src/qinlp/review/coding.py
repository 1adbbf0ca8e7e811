"""What a reviewer's form means: acts for the desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from qinlp.records import Passage
from qinlp.store.desk import Act, Item

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from qinlp.codebook import Codebook

LONGEST = 3600.0
"""Seconds after which a passage that lay open was left open, not worked on."""
LONGEST_MEMO = 10_000
"""Characters."""
_KINDS = {"next": "review", "skip": "skip", "flag": "flag"}


def blind(item: Item, assigned: str) -> bool:
    """Tell whether the coder is to see nothing of what others or the model hold.

    So it is for the second opinion on a passage, and for the audit, which measures the model.
    """
    return assigned == "double" or item.why == "audit"


def acts(
    form: FormData,
    coder: str,
    book: Codebook,
    beside: Codebook | None,
    item: Item,
    *,
    strategy: str,
    why: str,
    adjudicates: bool = False,
) -> list[Act]:
    """Return the acts of one form: the passage coded, skipped or flagged, and its valence with it.

    Acts of one form share the beginning of their ids, so that they are taken back together. Each
    says too what the model had decided (`model`), seen or not, as the audit asks.

    Raises:
        HTTPException: a code is unknown, or the form is not whole.
    """
    now, act_id, memo = datetime.now(UTC), str(form.get("act_id", "")), str(form.get("memo", ""))
    kind = _KINDS.get(str(form.get("do", "next")))
    if kind is None or not 16 <= len(act_id) <= 64 or not (act_id.isascii() and act_id.isalnum()):
        raise HTTPException(400, "the form is not whole; reload the page and send it again")
    if len(memo) > 2 * LONGEST_MEMO:  # a browser counts line ends and emoji its own way
        raise HTTPException(
            400, f"the memo has {len(memo):,} characters; shorten it to {LONGEST_MEMO:,}, nothing was kept"
        )
    told: dict[str, Any] = {
        "memo": memo.replace("\r\n", "\n"),
        "seconds": _seconds(str(form.get("opened", "")), now),
        "why": why,
        "strategy": strategy,
        "adjudicates": adjudicates,
    }
    done = []
    for one in (book, beside):
        if one is None or (one is beside and (kind != "review" or not form.getlist(f"asked.{one.id}"))):
            continue
        body = {**told, "codebook_hash": one.hash, "model": decided(item, one)}
        if kind == "review":
            body |= _codes(form, one)
        name = act_id if one is book else f"{act_id}.{one.id}"
        done.append(Act(name, coder, kind, body, now, item.passage_id, one.id))  # type: ignore[arg-type]
    return done


def decided(item: Item, book: Codebook) -> list[str]:
    """Return the codes of a codebook that the model decided a queued passage to hold."""
    if book.id == item.codebook:
        given = [one["code"] for one in item.body["suggestions"] if one["decided"]]
    else:
        given = list(item.body["valence"])
    return [code for code in given if code in book and book.code(code).assignable]


def _codes(form: FormData, book: Codebook) -> dict[str, list[str]]:
    present = [str(code) for code in form.getlist(f"present.{book.id}")]
    asked = [str(code) for code in form.getlist(f"asked.{book.id}")]
    for code in (*present, *asked):
        if code not in book or not book.code(code).assignable:
            raise HTTPException(400, f"no code {code!r} in {book.id}; reload the page")
    if book.exclusive and len(set(present)) > 1:
        raise HTTPException(400, f"{book.id} allows one code a passage, not {', '.join(sorted(present))}")
    return {"present": sorted(set(present)), "absent": sorted(set(asked) - set(present))}


def _seconds(opened: str, now: datetime) -> float | None:
    try:
        took = (now - datetime.fromisoformat(opened)).total_seconds()
    except (ValueError, TypeError):
        return None
    return round(took, 1) if 0 <= took <= LONGEST else None


def undone(together: Sequence[Act], now: datetime) -> list[Act]:
    """Return the acts that take back what was done with one form."""
    return [
        Act(f"undo{act.act_id}", act.coder, "undo", {}, now, act.passage_id, act.codebook, undoes=act.act_id)
        for act in together
    ]


def recut(item: Item, coder: str, act_id: str, how: str, place: int, now: datetime) -> tuple[Act, list[Item]]:
    """Return the act that splits a passage at `place` or merges it with a neighbour, and the new passages.

    `place` counts code points from the document's start. Spans begin and end at words.

    Raises:
        ValueError: the place is not inside the passage, or there is no such neighbour.
    """
    body = item.body
    start, end = int(body["start"]), int(body["end"])
    replaces = [item.passage_id]
    if how == "split":
        if not start < place < end:
            raise ValueError(
                f"place {place} is not inside the passage, {start} to {end}; choose a word in it"
            )
        if not body["window"][place - 1 - body["window_start"]].isspace():
            raise ValueError(f"place {place} is inside a word; choose where a word begins")
        spans = [(start, place), (place, end)]
    else:
        beside = body[how] if how in {"before", "after"} else None
        if not beside:
            raise ValueError("there is no passage on that side to merge with")
        replaces.append(beside["passage_id"])
        spans = [(min(start, beside["start"]), max(end, beside["end"]))]
    window, begins = str(body["window"]), int(body["window_start"])
    trimmed = [_trimmed(window, begins, a, b) for a, b in spans]
    if any(a >= b for a, b in trimmed):
        raise ValueError("one part would be empty; choose a word inside the passage")
    act = Act(
        act_id, coder, "recut",
        {
            "document_id": body["document_id"], "text_hash": body["text_hash"], "replaces": replaces,
            "spans": [list(span) for span in trimmed], "in": item.codebook,
        },
        now, codebook="",
    )  # fmt: skip
    return act, _made(item, trimmed, how)


def _trimmed(window: str, begins: int, start: int, end: int) -> tuple[int, int]:
    inside = window[start - begins : end - begins]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def _made(item: Item, spans: Sequence[tuple[int, int]], how: str) -> list[Item]:
    """Return the items of the new passages, each with its own neighbours."""
    body = item.body
    window, begins = str(body["window"]), int(body["window_start"])
    made: list[dict[str, Any]] = []
    for start, end in spans:
        text = window[start - begins : end - begins]
        passage = Passage(body["document_id"], body["text_hash"], start, end, text, 0)
        made.append({"passage_id": passage.passage_id, "start": start, "end": end, "text": text})
    outer = {how: None} if how in {"before", "after"} else {}  # what lies behind the neighbour is not known
    around = [{**body, **outer}["before"], *made, {**body, **outer}["after"]]
    items = []
    for n, one in enumerate(made):
        shift = one["start"] - int(body["start"])
        cues = [
            [a - shift, b - shift, code]
            for a, b, code in body["cues"]
            if a - shift >= 0 and b - shift <= len(one["text"])
        ]
        beside = [
            {"speaker": body["speaker"], **passage} if passage else None
            for passage in (around[n], around[n + 2])
        ]
        new = {**body, **one, "recut": how, "cues": cues, "before": beside[0], "after": beside[1]}
        del new["passage_id"]
        items.append(
            replace(item, position=item.position + 0.001 * n, passage_id=one["passage_id"], body=new)
        )
    return items
