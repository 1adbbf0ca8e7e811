"""Any passage of the store as an item to code, where it does not lie in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qinlp.codebook import valence_beside
from qinlp.steps.queueing import spot
from qinlp.store import reading
from qinlp.store.desk import Item

if TYPE_CHECKING:
    from qinlp.review.house import House

SUGGESTED = 8
"""Codes suggested at the most, unless more were decided."""


def item(at: House, codebook: str, passage_id: str) -> Item | None:
    """Return a passage as the queue holds it, else as the store does; None where there is no such passage.

    Raises:
        StoreBusy: the passage is not in the queue, and a step writes to the store.
    """
    return at.desk.item(codebook, passage_id) or _from_store(at, codebook, passage_id)


def _from_store(at: House, codebook: str, passage_id: str) -> Item | None:
    book = at.book(codebook)
    beside = valence_beside(book, at.books)
    with at.store.read() as con:
        around = reading.neighbours(con, passage_id)
        if not around:
            return None
        before, here, after = around
        document = reading.document(con, here["document_id"]) or {}
        said = reading.suggestions(con, passage_id, book.id)
        told = reading.suggestions(con, passage_id, beside.id) if beside else []
    body: dict[str, Any] = {
        **spot(document, before or None, here, after or None),
        "because": "You chose it in its document.", "cues": [], "evidence": [],
        "suggestions": [
            {"code": code, "name": book.code(code).name, "probability": p, "decided": yes}
            for n, (code, p, yes) in enumerate(said)
            if code in book and (yes or n < SUGGESTED)
        ],
        "valence": [code for code, _, yes in told if yes],
    }  # fmt: skip
    return Item(codebook, 0.0, passage_id, "reader", body)
