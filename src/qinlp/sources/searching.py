"""What a searched source is: asked over the network, day by day, page by page."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from qinlp.network import Garbled
from qinlp.records import Rejected

if TYPE_CHECKING:
    from qinlp.network import Client
    from qinlp.records import Document


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a search."""

    records: tuple[Document | Rejected, ...]
    """Each with `record`, the source's own id of it; `source` is left to the caller."""
    told: int
    """How many records the source says the whole window holds, as of this answer."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A bibliographic database that can be searched.

    Days are whole and both ends belong to a window. They count by when the source took a record in,
    not by publication, where the source tells; a record that appears later carries a later day.
    """

    name: str
    about: str
    """What it is, in a line, for people."""
    base_url: str
    most: int
    """Records that one window may hold, by the source's own rule; larger ones are asked in parts."""
    rate: Callable[[], float]
    """Requests a second that the source allows, given the keys in the environment."""
    count: Callable[[Client, str, date, date], int]
    """Return how many records a query finds in a window; raises SourceDown, SourceError."""
    pages: Callable[[Client, str, date, date], Iterator[Page]]
    """Yield the records of a window, an empty page for none; raises SourceDown, SourceError."""
    reread: Callable[[bytes, str], Document | Rejected]
    """Read one record again from the bytes that the quarantine kept, given its id."""


def environment(*names: str) -> str:
    """Return the first of these environment variables that is set, "" where none is: keys and addresses."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that an answer is.

    Raises:
        Garbled: it is none: cut off, or an error page.
    """
    try:
        found = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        raise Garbled(f"no JSON but {body[:80]!r}", body) from None
    if not isinstance(found, dict):
        raise Garbled(f"no JSON object but {body[:80]!r}", body)
    return found


def one_record(read: Callable[[], Document | Rejected], record: str, raw: bytes) -> Document | Rejected:
    """Return a record as it is read; whatever goes wrong with it costs only itself."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - a poisoned record must not stop the page
        return Rejected("", record, f"the record cannot be read: {type(error).__name__}, {error}", raw)
