"""What a searched source is: asked over the network, day by day, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qinlp.network import Client
    from qinlp.records import Document, Rejected


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
    """Yield the records of a window; raises SourceDown, SourceError."""
    reread: Callable[[bytes, str], Document | Rejected]
    """Read one record again from the bytes that the quarantine kept, given its id."""
