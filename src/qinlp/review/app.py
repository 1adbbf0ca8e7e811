"""The review app: pages made on the server, a little script for the keyboard, nothing from elsewhere.

What a page shows lies prepared on the desk, and what a reviewer does is on the desk's disk before
the browser is answered; the store is not needed for either, so a flow at work is not felt.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import FormData  # noqa: TC002 - FastAPI reads it

from qinlp import codebook as codebooks
from qinlp.codebook import Codebook
from qinlp.config import Config
from qinlp.errors import QinlpError
from qinlp.review import access, coding, page
from qinlp.review.access import COOKIE, LASTS, Visitor
from qinlp.store.desk import Desk, Item, of

_log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(slots=True)
class House:
    """What the pages of one project share."""

    config: Config
    desk: Desk
    alone: str = ""
    """The coder, where the app serves this machine alone; empty where accounts decide."""
    hosts: frozenset[str] = frozenset()
    """The names that it may be called by, against rebinding of names; empty: any."""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Opens the door once, where the app serves this machine alone."""

    def books(self) -> list[Codebook]:
        """Return the codebooks of the project, in its order."""
        folders = self.config.codebook_folders
        return [codebooks.find(name, folders) for name in self.config.coding.codebooks]

    def book(self, name: str) -> Codebook:
        """Return one codebook of the project; a page that names another is not found."""
        for one in self.books():
            if one.id == name:
                return one
        raise HTTPException(404, f"no codebook {name!r} in this project")


def house(request: Request) -> House:
    """Return what the pages share."""
    found = request.app.state.house
    assert isinstance(found, House)  # noqa: S101
    return found


def visitor(request: Request) -> Visitor:
    """Return who asks; who has no session is sent to the door."""
    at = house(request)
    found = access.visitor(at.desk, request.cookies.get(COOKIE, ""), alone=bool(at.alone))
    if found is None:
        raise HTTPException(401)
    return found


def sender(
    request: Request, who: Annotated[Visitor, Depends(visitor)], form_token: Annotated[str, Form()] = ""
) -> Visitor:
    """Return who sends a form; refuses one that does not come from a page of theirs."""
    origin = request.headers.get("origin", "")
    if (origin and urlsplit(origin).netloc != request.headers.get("host")) or not who.sent(form_token):
        raise HTTPException(
            403, "this form is of an older session; go back, reload the page and send it again"
        )
    return who


Here = Annotated[House, Depends(house)]
Who = Annotated[Visitor, Depends(visitor)]
Sender = Annotated[Visitor, Depends(sender)]


def make(config: Config, *, alone: str = "", hosts: frozenset[str] = frozenset()) -> FastAPI:
    """Return the app over a project.

    `alone` names the coder where it serves one person on this machine, who comes in by the one-time
    address `/?key=...` (`app.state.house.key`); else accounts decide.
    """
    app = FastAPI(openapi_url=None)
    app.state.house = House(config, of(config.database_path), alone, hosts)
    app.mount("/static", StaticFiles(directory=str(files("qinlp.review") / "static")), name="static")

    @app.middleware("http")
    async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if hosts and host not in hosts:
            return Response("unknown host", 421, HEADERS)
        answer = await call(request)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        if request.url.path.startswith("/static/"):
            answer.headers["Cache-Control"] = "max-age=3600"
        return answer

    @app.exception_handler(HTTPException)
    async def told(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401:
            if app.state.house.alone:
                return page.show(request, "door.html", 401, alone=True)
            return RedirectResponse("/door", 303)
        return page.show(request, "told.html", error.status_code, what=str(error.detail))

    @app.exception_handler(QinlpError)
    async def refused(request: Request, error: QinlpError) -> Response:
        _log.warning("%s: %s", request.url.path, error)
        return page.show(request, "told.html", 503, what=str(error))

    app.get("/", response_model=None)(enter)
    app.get("/door", response_model=None)(door)
    app.post("/door", response_model=None)(sign_in)
    app.post("/leave", response_model=None)(leave)
    app.get("/code/{name}", response_model=None)(show_coding)
    app.post("/code/{name}", response_model=None)(take_coding)
    app.post("/undo/{name}", response_model=None)(undo)
    app.post("/recut/{name}", response_model=None)(recut)
    return app


# The door -------------------------------------------------------------------------------------------


def enter(request: Request, at: Here, key: str = "") -> Response:
    """Let in who comes by the one-time address; send everybody else to their work, or to the door."""
    if key and at.alone and at.key and hmac.compare_digest(key.encode(), at.key.encode()):
        at.key = ""
        return _let_in(at, at.alone, request)
    visitor(request)
    return RedirectResponse(f"/code/{quote(at.books()[0].id)}", 303)


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
    answer.delete_cookie(COOKIE)
    return answer


def _let_in(at: House, name: str, request: Request) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE, access.begin(at.desk, name), max_age=int(LASTS.total_seconds()), httponly=True,
        samesite="strict", secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


# Coding ---------------------------------------------------------------------------------------------


def show_coding(request: Request, at: Here, who: Who, name: str, passage: str = "") -> Response:
    """Show the next passage of a codebook's queue, or the one asked for, with its suggestions."""
    book = at.book(name)
    item = at.desk.item(name, passage) if passage else next(iter(at.desk.next(name, who.name)), None)
    given = at.desk.assigned(name, who.name) if item else {}
    return page.show(
        request, "code.html", 200, who=who, books=at.books(), book=book, item=item,
        valence=coding.valence(book, at.books()), act_id=secrets.token_hex(16),
        opened=datetime.now(UTC).isoformat(), assigned=given.get(item.passage_id, "") if item else "",
        done=at.desk.reviewed(name, who.name), left=at.desk.note(name, "left"),
    )  # fmt: skip


async def whole_form(request: Request) -> FormData:
    """Return all fields of a form, repeated ones too."""
    return await request.form()


def take_coding(at: Here, who: Sender, form: Annotated[FormData, Depends(whole_form)], name: str) -> Response:
    """Put what the reviewer said of a passage on the desk, and show the next one."""
    book = at.book(name)
    item = _found(at, name, str(form.get("passage_id", "")))
    acts = coding.acts(
        form, who.name, book, coding.valence(book, at.books()), item, at.config.review.strategy
    )
    at.desk.add(acts)
    return RedirectResponse(f"/code/{quote(name)}", 303)


def undo(at: Here, who: Sender, name: str) -> Response:
    """Take back the coder's last act with this codebook, and show its passage again."""
    acts, passage = coding.undone(at.desk.standing(who.name), at.book(name).id, datetime.now(UTC))
    if not acts:
        return RedirectResponse(f"/code/{quote(name)}", 303)
    at.desk.add(acts)
    return RedirectResponse(f"/code/{quote(name)}?passage={quote(passage)}", 303)


def recut(
    at: Here,
    who: Sender,
    name: str,
    passage_id: Annotated[str, Form()],
    act_id: Annotated[str, Form()],
    how: Annotated[str, Form()],
    place: Annotated[int, Form()] = -1,
) -> Response:
    """Split a passage at a place, or merge it with the one before or after it."""
    item = _found(at, name, passage_id)
    try:
        act, items = coding.recut(item, who.name, act_id, how, place, datetime.now(UTC))
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    at.desk.add([act], items)
    return RedirectResponse(f"/code/{quote(name)}?passage={quote(items[0].passage_id)}", 303)


def _found(at: House, name: str, passage_id: str) -> Item:
    item = at.desk.item(name, passage_id)
    if item is None:
        raise HTTPException(
            404,
            "this passage is no longer in the queue, which was renewed meanwhile; go on with the next one",
        )
    return item
