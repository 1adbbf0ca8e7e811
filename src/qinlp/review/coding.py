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
_KINDS = {"next": "review", "skip": "skip", "flag": "flag"}


def valence(book: Codebook, books: Sequence[Codebook]) -> Codebook | None:
    """Return the codebook of valence, to be coded beside another one; None where there is none to add."""
    return next((one for one in books if one.kind == "valence" and one.id != book.id), None)


def acts(
    form: FormData, coder: str, book: Codebook, beside: Codebook | None, item: Item, strategy: str
) -> list[Act]:
    """Return the acts of one form: the passage coded, skipped or flagged, and its valence with it.

    Acts of one form share the beginning of their ids, so that they are taken back together.

    Raises:
        HTTPException: a code is unknown, or the form is not whole.
    """
    now, act_id = datetime.now(UTC), str(form.get("act_id", ""))
    kind = _KINDS.get(str(form.get("do", "next")))
    if kind is None or not 16 <= len(act_id) <= 64 or not act_id.isalnum():
        raise HTTPException(400, "the form is not whole; reload the page and send it again")
    told: dict[str, Any] = {
        "memo": str(form.get("memo", ""))[:10_000],
        "seconds": _seconds(str(form.get("opened", "")), now),
        "why": str(form.get("assigned", "")) or item.why,
        "strategy": strategy,
        "adjudicates": form.get("adjudicates") == "1",
    }
    done = []
    for one in (book, beside):
        if one is None or (one is beside and (kind != "review" or not form.getlist(f"asked.{one.id}"))):
            continue
        body = {**told, "codebook_hash": one.hash}
        if kind == "review":
            body |= _codes(form, one)
        name = act_id if one is book else f"{act_id}.{one.id}"
        done.append(Act(name, coder, kind, body, now, item.passage_id, one.id))  # type: ignore[arg-type]
    return done


def _codes(form: FormData, book: Codebook) -> dict[str, list[str]]:
    present = [str(code) for code in form.getlist(f"present.{book.id}")]
    asked = [str(code) for code in form.getlist(f"asked.{book.id}")]
    for code in (*present, *asked):
        if code not in book or not book.code(code).assignable:
            raise HTTPException(400, f"no code {code!r} in {book.id}; reload the page")
    return {"present": sorted(set(present)), "absent": sorted(set(asked) - set(present))}


def _seconds(opened: str, now: datetime) -> float | None:
    try:
        took = (now - datetime.fromisoformat(opened)).total_seconds()
    except (ValueError, TypeError):
        return None
    return round(took, 1) if 0 <= took <= LONGEST else None


def undone(standing: Sequence[Act], codebook: str, now: datetime) -> tuple[list[Act], str]:
    """Return the acts that take back the last thing done, and the passage to show again.

    `standing` is what the coder did and did not take back, of all codebooks, in order.
    """
    last = next((act for act in reversed(standing) if act.body.get("in", act.codebook) == codebook), None)
    if last is None:
        return [], ""
    stem = last.act_id.partition(".")[0]
    passage = last.body["replaces"][0] if last.kind == "recut" else last.passage_id
    return [
        Act(f"undo{act.act_id}", act.coder, "undo", {}, now, act.passage_id, act.codebook, undoes=act.act_id)
        for act in standing
        if act.act_id.partition(".")[0] == stem
    ], passage


def recut(
    item: Item, coder: str, act_id: str, how: str, place: int, now: datetime
) -> tuple[Act, list[Item]]:  # fmt: skip
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
        spans = [(start, place), (place, end)]
    else:
        beside = body.get({"before": "before", "after": "after"}.get(how, ""))
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
    return act, [
        _made(item, act_id, item.position + 0.001 * n, a, b, window[a - begins : b - begins], how)
        for n, (a, b) in enumerate(trimmed)
    ]


def _trimmed(window: str, begins: int, start: int, end: int) -> tuple[int, int]:
    inside = window[start - begins : end - begins]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def _made(item: Item, act_id: str, position: float, start: int, end: int, text: str, how: str) -> Item:
    body = {**item.body, "start": start, "end": end, "text": text, "recut": how}
    passage = Passage(body["document_id"], body["text_hash"], start, end, text, 0)
    shift = start - int(item.body["start"])
    body["cues"] = [
        [a - shift, b - shift, code]
        for a, b, code in item.body["cues"]
        if a - shift >= 0 and b - shift <= len(text)
    ]
    return replace(item, position=position, passage_id=passage.passage_id, body=body, made_by=act_id)
