"""The review app: pages made on the server, a little script for the keyboard, nothing from elsewhere.

What the coding page shows lies prepared on the desk, and what a reviewer does is on the desk's disk
before the browser is answered; the store is not needed for either, so a flow at work is not felt.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as Told

from qinlp.codebook import valence_beside
from qinlp.config import Config
from qinlp.errors import QinlpError
from qinlp.review import access, coding, findings, page, reader, results
from qinlp.review.access import LASTS
from qinlp.review.house import Here, House, Sender, Who, Whole, furnish, same_site, visitor
from qinlp.store.desk import Item

_log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers leave the origin out of forms too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make(config: Config, *, alone: str = "", hosts: frozenset[str] = frozenset()) -> FastAPI:
    """Return the app over a project.

    `alone` names the coder where it serves one person on this machine, who comes in by the one-time
    address `/?key=...` (`app.state.house.key`); else accounts decide. `hosts` are the names that it
    may be called by; none: any.

    Raises:
        CodebookError: a codebook of the project is unknown or malformed.
    """
    app = FastAPI(openapi_url=None)
    app.state.house = furnish(config, alone, hosts)
    app.mount("/static", StaticFiles(directory=str(files("qinlp.review") / "static")), name="static")
    app.middleware("http")(guarded)
    app.exception_handler(Told)(told)
    app.exception_handler(RequestValidationError)(not_whole)
    app.exception_handler(QinlpError)(refused)

    app.get("/", response_model=None)(enter)
    app.get("/door", response_model=None)(door)
    app.post("/door", response_model=None, dependencies=[Depends(same_site)])(sign_in)
    app.post("/leave", response_model=None)(leave)
    app.get("/code/{name}", response_model=None)(show_coding)
    app.post("/code/{name}", response_model=None)(take_coding)
    app.post("/undo/{name}", response_model=None)(undo)
    app.post("/recut/{name}", response_model=None)(recut)
    app.include_router(results.pages)
    return app


async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer only to the house's own names, and let every answer say what a browser may do with it."""
    hosts = request.app.state.house.hosts
    if hosts and urlsplit(f"//{request.headers.get('host', '')}").hostname not in hosts:
        return Response("unknown host", 421, HEADERS)
    answer = await call(request)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.url.path.startswith("/static/"):
        answer.headers["Cache-Control"] = "no-cache"
    return answer


async def told(request: Request, error: Exception) -> Response:
    """Say in a page what was refused; send who has no session to the door."""
    assert isinstance(error, Told)  # noqa: S101
    if error.status_code != 401:
        what = "there is no such page" if error.detail == "Not Found" else str(error.detail)
        return page.show(request, "told.html", error.status_code, what=what)
    if request.app.state.house.alone:
        return page.show(request, "door.html", 401, alone=True)
    return RedirectResponse("/door", 303)


async def not_whole(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Say that a form or an address lacks something."""
    return page.show(
        request, "told.html", 400, what="the form is not whole; go back, reload the page and send it again"
    )


async def refused(request: Request, error: Exception) -> Response:
    """Say what qinlp refuses, such as a store that is in use for longer than a page may wait."""
    _log.warning("%s: %s", request.url.path, error)
    return page.show(request, "told.html", 503, what=str(error))


# The door -------------------------------------------------------------------------------------------


def enter(request: Request, at: Here, key: str = "") -> Response:
    """Let in who comes by the one-time address; send everybody else to their work, or to the door."""
    if key and at.alone and at.key and hmac.compare_digest(key.encode(), at.key.encode()):
        at.key = ""
        return _let_in(at, at.alone, request)
    who = visitor(request)
    books = sorted(at.books, key=lambda book: book.kind == "valence")  # which is coded beside the others
    waiting = (book for book in books if at.desk.next(book.id, who.name))
    return RedirectResponse(f"/code/{quote(next(waiting, books[0]).id)}", 303)


def door(request: Request, at: Here) -> Response:
    """Ask for name and password."""
    return page.show(request, "door.html", 200, alone=bool(at.alone))


def sign_in(
    request: Request, at: Here, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """Let in who has an account and knows its password."""
    if at.alone or not access.password_fits(at.desk, name, password):
        return page.show(request, "door.html", 403, alone=bool(at.alone), wrong=True, name=name)
    return _let_in(at, name, request)


def leave(at: Here, who: Sender) -> Response:
    """End the session."""
    access.end(at.desk, who.token)
    answer = RedirectResponse("/door", 303)
    answer.delete_cookie(at.cookie)
    return answer


def _let_in(at: House, name: str, request: Request) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        at.cookie, access.begin(at.desk, name), max_age=int(LASTS.total_seconds()), httponly=True,
        samesite="strict", secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


# Coding ---------------------------------------------------------------------------------------------


def show_coding(request: Request, at: Here, who: Who, name: str, passage: str = "") -> Response:
    """Show the next passage of a codebook's queue, or the one asked for, with its suggestions."""
    book = at.book(name)
    item = _found(at, name, passage) if passage else next(iter(at.desk.next(name, who.name)), None)
    assigned = at.desk.assigned(name, who.name).get(item.passage_id, "") if item else ""
    if item and assigned == "adjudicate" and findings.dispute(at.desk.standing("", name), item.passage_id):
        return RedirectResponse(f"/adjudicate/{quote(name)}?passage={quote(item.passage_id)}", 303)
    beside, last = valence_beside(book, at.books), at.desk.last(name, who.name)
    return page.show(
        request, "code.html", 200, who=who, book=book, item=item, valence=beside,
        assignable={code.id for code in book.assignable},
        act_id=secrets.token_hex(16), opened=datetime.now(UTC).isoformat(),
        assigned=assigned, blind=item is not None and coding.blind(item, assigned),
        chosen=_chosen(at, who.name, [one.id for one in (book, beside) if one], item), last=last,
        done=at.desk.reviewed(name, who.name), left=at.desk.note(name, "left"),
    )  # fmt: skip


def _chosen(at: House, coder: str, books: list[str], item: Item | None) -> dict[str, object] | None:
    """Return what the coder chose when they last coded this passage, taken back or not."""
    acts = {book: item and at.desk.said(book, coder, item.passage_id) for book in books}
    first = acts[books[0]]
    if first is None:
        return None
    return {
        "memo": first.body["memo"],
        "present": {(book, code) for book, act in acts.items() if act for code in act.body["present"]},
    }


def take_coding(at: Here, who: Sender, form: Whole, name: str) -> Response:
    """Put what the reviewer said of a passage on the desk, and show the next one."""
    book = at.book(name)
    item = _found(at, name, str(form.get("passage_id", "")))
    why = at.desk.assigned(name, who.name).get(item.passage_id, item.why)
    acts = coding.acts(
        form, who.name, book, valence_beside(book, at.books), item,
        strategy=at.config.review.strategy, why=why,
    )  # fmt: skip
    at.desk.add(acts)
    return RedirectResponse(f"/code/{quote(name)}", 303)


def undo(at: Here, who: Sender, name: str, last: Annotated[str, Form()] = "") -> Response:
    """Take back the coder's last act with this codebook, and show its passage again.

    `last` is what the page was made to take back: a form that is sent twice takes nothing else back.
    """
    act = at.desk.last(at.book(name).id, who.name)
    if act is None or act.act_id != last:
        return RedirectResponse(f"/code/{quote(name)}", 303)
    at.desk.add(coding.undone(at.desk.together(act), datetime.now(UTC)))
    passage = act.body["replaces"][0] if act.kind == "recut" else act.passage_id
    place = "adjudicate" if act.body.get("adjudicates") else "code"
    return RedirectResponse(f"/{place}/{quote(name)}?passage={quote(passage)}", 303)


def recut(
    at: Here,
    who: Sender,
    name: str,
    passage_id: Annotated[str, Form()],
    act_id: Annotated[str, Form(pattern="^[0-9a-zA-Z]{16,64}$")],
    how: Annotated[str, Form()],
    place: Annotated[int, Form()] = -1,
) -> Response:
    """Split a passage at a place, or merge it with the one before or after it."""
    item = _found(at, at.book(name).id, passage_id)
    try:
        act, items = coding.recut(item, who.name, act_id, how, place, datetime.now(UTC))
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    at.desk.add([act], items)
    return RedirectResponse(f"/code/{quote(name)}?passage={quote(items[0].passage_id)}", 303)


def _found(at: House, name: str, passage_id: str) -> Item:
    item = reader.item(at, name, passage_id)
    if item is None:
        raise HTTPException(404, "there is no such passage; go on with the queue")
    return item
