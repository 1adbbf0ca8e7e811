"""What the pages of one project share, and who may ask for them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Form, HTTPException, Request
from starlette.datastructures import FormData

from qinlp import codebook as codebooks
from qinlp.codebook import Codebook
from qinlp.config import Config
from qinlp.review import access
from qinlp.review.access import Visitor
from qinlp.store import Store
from qinlp.store.desk import Desk, of

PATIENCE = 4.0
"""Seconds that a page waits for a store that a step is writing to."""


@dataclass(slots=True)
class House:
    """What the pages of one project share."""

    config: Config
    books: tuple[Codebook, ...]
    """The codebooks of the project, in its order, as they were when the app started."""
    desk: Desk
    store: Store
    alone: str = ""
    """The coder, where the app serves this machine alone; empty where accounts decide."""
    hosts: frozenset[str] = frozenset()
    """The names that it may be called by, against rebinding of names; empty: any."""
    cookie: str = access.COOKIE
    """The session's; another for each project, as browsers do not keep ports apart."""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Opens the door once, where the app serves this machine alone."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What was dear to compute: the page, to (what it was computed from, what came out)."""

    def book(self, name: str) -> Codebook:
        """Return one codebook of the project; a page that names another is not found."""
        for one in self.books:
            if one.id == name:
                return one
        raise HTTPException(404, f"this project has no codebook {name!r}; choose one above")


def furnish(config: Config, alone: str, hosts: frozenset[str]) -> House:
    """Return what the pages of a project share.

    Raises:
        ConfigError: the project uses no codebook.
    """
    desk = of(config.database_path)
    books = tuple(codebooks.find(name, config.codebook_folders) for name in config.coding.codebooks)
    return House(
        config, books, desk, Store(config.database_path, PATIENCE), alone, hosts,
        cookie=f"{access.COOKIE}_{desk.id[:8]}",
    )  # fmt: skip


def house(request: Request) -> House:
    """Return what the pages share."""
    found = request.app.state.house
    assert isinstance(found, House)  # noqa: S101
    return found


def visitor(request: Request) -> Visitor:
    """Return who asks; who has no session is sent to the door."""
    at = house(request)
    found = access.visitor(at.desk, request.cookies.get(at.cookie, ""), alone=bool(at.alone))
    if found is None:
        raise HTTPException(401)
    return found


def same_site(request: Request) -> None:
    """Refuse a form that a page of another site sent."""
    origin = request.headers.get("origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "this form was sent by a page of another site; nothing was done")


def sender(
    request: Request, who: Annotated[Visitor, Depends(visitor)], form_token: Annotated[str, Form()] = ""
) -> Visitor:
    """Return who sends a form; refuses one that does not come from a page of theirs."""
    same_site(request)
    if not who.sent(form_token):
        raise HTTPException(
            403, "this form is of an older session; go back, reload the page and send it again"
        )
    return who


async def whole_form(request: Request) -> FormData:
    """Return all fields of a form, repeated ones too."""
    return await request.form()


Here = Annotated[House, Depends(house)]
Who = Annotated[Visitor, Depends(visitor)]
Sender = Annotated[Visitor, Depends(sender)]
Whole = Annotated[FormData, Depends(whole_form)]
