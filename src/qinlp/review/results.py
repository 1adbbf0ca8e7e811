"""The pages beside the queue: codebook, progress, agreement, adjudication, audit, documents."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from qinlp.codebook import valence_beside
from qinlp.review import coding, findings, page, reader
from qinlp.review.house import Here, House, Sender, Who, Whole
from qinlp.store import pending, reading

if TYPE_CHECKING:
    from qinlp.analysis.agreement import Agreement
    from qinlp.codebook import Codebook
    from qinlp.records import Passage

pages = APIRouter(default_response_class=Response)
A_PAGE = 50
"""Documents in a list, mistakes of an audit, flagged passages."""
RESAMPLES = 1000


def _kept(at: House, what: str, made_of: Any, make: Callable[[], Any]) -> Any:
    """Return what was made of the same before, or make it."""
    known = at.kept.get(what)
    if known is None or known[0] != made_of:
        known = at.kept[what] = (made_of, make())
    return known[1]


def _passages(at: House, ids: Sequence[str]) -> dict[str, Passage]:
    if not ids:
        return {}
    with at.store.read() as con:
        return {one.passage_id: one for one in pending.passages(con, ids)}


@pages.get("/codebook/{name}")
def show_codebook(request: Request, at: Here, who: Who, name: str) -> Response:
    """Show the codes of a codebook with their rules."""
    return page.show(request, "codebook.html", who=who, book=at.book(name))


@pages.get("/progress/{name}")
def show_progress(request: Request, at: Here, who: Who, name: str) -> Response:
    """Show what coders have done, and what is left for the error that the team accepts."""
    book, standing = at.book(name), at.desk.standing("", name)
    points, target = at.desk.note(name, "coverage") or [], at.config.review.target_error
    curve = _kept(at, f"curve {name}", (points, target), lambda: _curve(points, target)) if points else None
    flagged = [act for act in findings.latest(standing).values() if act.kind == "flag"]
    flagged = sorted(flagged, key=lambda act: -act.seq)[:A_PAGE]
    return page.show(
        request, "progress.html", who=who, book=book, paces=findings.paces(standing), points=points,
        curve=curve, target=target, left=at.desk.note(name, "left"), flagged=flagged,
        passages=_passages(at, [act.passage_id for act in flagged]),
    )  # fmt: skip


def _curve(points: Sequence[dict[str, float]], target: float) -> dict[str, str]:
    """Return the curve as the addresses of two pictures, for light and for dark."""
    from base64 import b64encode

    from qinlp import pictures

    return {
        scheme: "data:image/svg+xml;base64,"
        + b64encode(pictures.svg(pictures.coverage(points, target, dark=scheme == "dark")).encode()).decode()
        for scheme in ("light", "dark")
    }


@pages.get("/agreement/{name}")
def show_agreement(request: Request, at: Here, who: Who, name: str, a: str = "", b: str = "") -> Response:
    """Show how far coders, the model and the adjudicated labels agree; code by code for one pair."""
    book = at.book(name)
    with at.store.read() as con:
        state = reading.state(con)
        waiting = at.desk.reached() - pending.carried(con, at.desk.id)
    rows = _kept(at, f"agreement {name}", state, lambda: _agreements(at, book))
    chosen = next((row for row in rows if {a, b} == set(row[0].coders)), rows[0] if rows else None)
    return page.show(
        request, "agreement.html", who=who, book=book, rows=[row[0] for row in rows],
        chosen=chosen[0] if chosen else None, codes=chosen[1:] if chosen else (), waiting=waiting,
        model=findings.MODEL, gold=findings.GOLD,
    )  # fmt: skip


def _agreements(at: House, book: Codebook) -> list[tuple[Agreement, ...]]:
    """Return the agreement of everybody, where they are more than two, then of each pair that met.

    People first, then people and the model, then what was adjudicated.
    """
    from qinlp.analysis.agreement import NOT_JUDGED, agreement

    with at.store.read() as con:
        judged, decided = reading.judged(con, book.id), reading.decided(con, book.id)
    sheet = findings.sheet(judged, decided, [code.id for code in book.assignable])
    people = [coder for coder in sheet.coders if coder not in {findings.MODEL, findings.GOLD}]
    others = [coder for coder in (findings.MODEL, findings.GOLD) if coder in sheet.coders]
    pairs = [
        *combinations(people, 2), *((coder, other) for other in others for coder in people),
        *combinations(others, 2),
    ]  # fmt: skip
    groups = [tuple(people), *pairs] if len(people) > 2 else pairs
    found = []
    for coders in groups:
        both = sheet.of(coders)
        if ((both.said != NOT_JUDGED).sum(1) >= 2).any():
            found.append(agreement(both, resamples=RESAMPLES))
    return found


@pages.get("/adjudicate/{name}", response_model=None)
def show_dispute(request: Request, at: Here, who: Who, name: str, passage: str = "") -> Response:
    """Show a passage that coders coded differently, side by side, for a third to decide."""
    book = at.book(name)
    found = findings.disputes(at.desk.standing("", name))
    wanted = [one for one in found if one.passage_id == passage] if passage else found
    mine = [one for one in wanted if who.name not in one.coders]
    one = next(iter(mine or wanted), None)
    item = reader.item(at, name, one.passage_id) if one else None
    refusal = ""
    if one and not who.adjudicates:
        refusal = "Your account may not decide between coders; see who may with: qinlp review account list"
    elif one and who.name in one.coders:
        refusal = "You are one of the coders who differ here, so somebody else decides."
    listed = [other for other in found if other is not one][:A_PAGE]
    return page.show(
        request, "adjudicate.html", who=who, book=book, dispute=one, item=item, refusal=refusal,
        disputes=found, listed=listed, passages=_passages(at, [other.passage_id for other in listed]),
        act_id=secrets.token_hex(16), opened=datetime.now(UTC).isoformat(), last=at.desk.last(name, who.name),
    )  # fmt: skip


@pages.post("/adjudicate/{name}", response_model=None)
def take_decision(at: Here, who: Sender, form: Whole, name: str) -> Response:
    """Put on the desk what a third decided between coders."""
    book = at.book(name)
    passage = str(form.get("passage_id", ""))
    one = findings.dispute(at.desk.standing("", name), passage)
    if one is not None:
        if not who.adjudicates or who.name in one.coders:
            raise HTTPException(403, "somebody decides between coders who is none of them and may do so")
        item = reader.item(at, name, passage)
        assert item is not None  # noqa: S101 - it was coded
        at.desk.add(
            coding.acts(
                form, who.name, book, None, item,
                strategy=at.config.review.strategy, why="adjudicate", adjudicates=True,
            )
        )  # fmt: skip
    return RedirectResponse(f"/adjudicate/{quote(name)}", 303)


@pages.get("/audit/{name}")
def show_audit(request: Request, at: Here, who: Who, name: str) -> Response:
    """Show what the random sample says of the codings that nobody looks at."""
    book = at.book(name)
    found = findings.audit(at.desk.standing("", name))
    mistakes = found.mistakes[:A_PAGE]
    return page.show(
        request, "audit.html", who=who, book=book, audit=found, mistakes=mistakes,
        enough=findings.ENOUGH, target=at.config.review.target_error, share=at.config.review.audit_share,
        passages=_passages(at, [one.passage_id for one in mistakes]),
    )  # fmt: skip


@pages.get("/documents/{name}")
def show_documents(
    request: Request, at: Here, who: Who, name: str, document: str = "", search: str = "", skip: int = 0
) -> Response:
    """Show a document with what its passages hold, or the list of documents."""
    book = at.book(name)
    if document:
        return _show_document(request, at, who, book, document)
    skip = max(0, skip)
    with at.store.read() as con:
        found, of = reading.documents(con, search, skip, A_PAGE)
    return page.show(
        request, "documents.html", who=who, book=book, found=found, of=of, search=search, skip=skip,
        a_page=A_PAGE,
    )  # fmt: skip


def _show_document(request: Request, at: House, who: Who, book: Codebook, name: str) -> Response:
    beside = valence_beside(book, at.books)
    shown = [one for one in (book, beside) if one]
    with at.store.read() as con:
        document = reading.document(con, name)
        if document is None:
            raise HTTPException(404, f"no document {name!r}; search for it in the list")
        spans = reading.spans(con, name, [one.id for one in shown])
    return page.show(
        request, "document.html", who=who, book=book, document=document,
        pieces=_pieces(document["text"], spans),
        unseen=_unseen(at, who, book), names={(b.id, c.id): c.name for b in shown for c in b.assignable},
        valence=next((b.id for b in shown if b.kind == "valence"), ""),
    )  # fmt: skip


def _pieces(text: str, spans: Sequence[reading.Span]) -> list[tuple[str, reading.Span | None]]:
    """Return the text in order: passages, and what stands between them."""
    pieces: list[tuple[str, reading.Span | None]] = []
    at = 0
    for span in spans:
        pieces += [(text[at : span.start], None), (text[span.start : span.end], span)]
        at = span.end
    pieces.append((text[at:], None))
    return [(piece, span) for piece, span in pieces if piece.strip()]


def _unseen(at: House, who: Who, book: Codebook) -> set[str]:
    """Return the passages whose codes the visitor is not to see before they have coded them."""
    own = {act.passage_id for act in at.desk.standing(who.name, book.id)}
    double = {p for p, why in at.desk.assigned(book.id, who.name).items() if why == "double"}
    return (double | at.desk.queued(book.id, "audit")) - own
