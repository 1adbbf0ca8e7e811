"""Searches become documents and passages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from qinlp.config import Config
from qinlp.errors import SourceDown
from qinlp.network import Budget
from qinlp.steps.run import Watch, unwatched
from qinlp.store import append


@dataclass(frozen=True, slots=True)
class Found:
    """What `search` did."""

    search: str
    since: date
    until: date
    windows: int = 0
    records: int = 0
    arrived: append.Arrived = field(default_factory=append.Arrived)
    quarantined: int = 0
    short: int = 0
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


def window(config: Config, name: str, today: date | None = None) -> tuple[date, date]:
    """Return the days that the next search will ask for, both included."""
    one = next(one for one in config.search if one.name == name)
    return one.since, today or datetime.now(UTC).date()


def search(
    config: Config,  # noqa: ARG001
    name: str,
    *,
    budget: Budget | None = None,  # noqa: ARG001
    watch: Watch = unwatched,  # noqa: ARG001
    today: date | None = None,  # noqa: ARG001
    patience: float = 1.0,  # noqa: ARG001
) -> Found:
    """Ask one search for what is new.

    Raises:
        SourceDown: the source gives no answer now.
        SourceError: the search is refused.
    """
    raise SourceDown(f"{name}: cannot be asked yet")
