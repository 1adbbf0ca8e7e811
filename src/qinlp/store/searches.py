"""What searches have covered and sent; every function runs inside one `Store` transaction.

A search is known by its name, its source and its query: another query starts from the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from qinlp.records import content_hash

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from qinlp.config import Search
    from qinlp.network import Traffic

_THIS = "search = ? AND source = ? AND query_hash = ?"


def query_hash(search: Search) -> str:
    """Name the query of a search."""
    return content_hash(search.query)


def covered(con: DuckDBPyConnection, search: Search) -> list[tuple[date, date]]:
    """Return the stretches of days that a search has covered, first and last day, in order."""
    return con.execute(
        f"SELECT since, until FROM covered WHERE {_THIS} ORDER BY since",  # noqa: S608
        _names(search),
    ).fetchall()


def missing(con: DuckDBPyConnection, search: Search, since: date, until: date) -> int:
    """Return how many records are known never to have come, in windows that touch these days."""
    row = con.execute(
        "SELECT coalesce(sum(greatest(0, told - records - quarantined)), 0) FROM windows "  # noqa: S608
        f"WHERE {_THIS} AND since <= ? AND until >= ?",
        [*_names(search), until, since],
    ).fetchone()
    return int(row[0]) if row else 0


def add_window(
    con: DuckDBPyConnection,
    run_id: str,
    at: datetime,
    search: Search,
    since: date,
    until: date,
    *,
    told: int,
    records: int,
    quarantined: int,
) -> None:
    """Record that a search was asked for these days to their end, unless they were covered before."""
    con.execute(
        "INSERT INTO windows SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS "  # noqa: S608
        f"(SELECT 1 FROM covered WHERE {_THIS} AND since <= ? AND until >= ?)",
        [
            search.name, search.source, search.query, query_hash(search), since, until, told, records,
            quarantined, run_id, at, *_names(search), since, until,
        ],
    )  # fmt: skip


def add_egress(con: DuckDBPyConnection, run_id: str, at: datetime, sent: Sequence[Traffic]) -> None:
    """Record what a run sent to which host."""
    if sent:
        con.executemany(
            "INSERT INTO egress VALUES (?, ?, ?, ?, ?, ?)",
            [[run_id, one.host, one.requests, one.bytes_out, one.bytes_in, at] for one in sent],
        )


def _names(search: Search) -> list[str]:
    return [search.name, search.source, query_hash(search)]
