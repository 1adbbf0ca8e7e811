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


@cache
def _pages() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("qinlp.review", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters["words"] = words
    pages.filters["percent"] = lambda p: f"{100 * p:.0f}%"
    return pages


def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page made of a template."""
    given = {"who": None, "books": (), "book": None, "path": request.url.path, **values}
    return HTMLResponse(_pages().get_template(template).render(given), status)


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
