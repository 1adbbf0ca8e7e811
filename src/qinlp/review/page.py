"""How text becomes a page: every word escaped, words numbered by their place, cues marked."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request
    from jinja2 import Environment
    from markupsafe import Markup

    from qinlp.codebook import Codebook


@cache
def _pages() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("qinlp.review", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters["words"] = words
    pages.filters["percent"] = lambda p: f"{100 * p:.0f}%"
    pages.filters["tenths"] = lambda p: f"{100 * p:.1f}%"
    pages.filters["rules"] = rules
    pages.filters["file"] = lambda source: re.split(r"[/\\]", source)[-1]
    return pages


def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page made of a template."""
    books = request.app.state.house.books
    given = {"who": None, "books": books, "book": None, "path": request.url.path, **values}
    return HTMLResponse(_pages().get_template(template).render(given).encode("utf-8", "replace"), status)


def words(text: str, start: int = 0, cues: Sequence[Sequence[Any]] = ()) -> Markup:
    """Return text with each word in a span that knows its place in the document, in code points.

    `cues` are (start, end, code) within `text`; words that touch one are marked with it.
    """
    from markupsafe import Markup, escape

    made = []
    for found in re.finditer(r"\s+|\S+", text):
        if found[0].isspace():
            made.append(escape(found[0]))
            continue
        held = [code for begin, end, code in cues if begin < found.end() and found.start() < end]
        mark = Markup(' class="cue" title="{}"').format("cue for " + ", ".join(held)) if held else ""
        made.append(Markup('<span data-at="{}"{}>{}</span>').format(start + found.start(), mark, found[0]))
    return Markup("").join(made)


def rules(text: str, book: Codebook) -> Markup:
    """Return a rule of a codebook with each code that it names in [brackets] as a link to that code."""
    from markupsafe import Markup, escape

    made, at = [], 0
    for found in re.finditer(r"\[([^\[\]\s]+)\]", text):
        made.append(escape(text[at : found.start()]))
        if found[1] in book:
            made.append(Markup('<a href="#{0}">{1}</a>').format(found[1], book.code(found[1]).name))
        else:
            made.append(escape(found[0]))
        at = found.end()
    return Markup("").join([*made, escape(text[at:])])
