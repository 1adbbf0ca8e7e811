"""What could not be read, as the store keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from qinlp.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DIGITS = 7
"""An id is shown with no fewer, so that it stays unique for a while."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record or a file in quarantine."""

    id: str
    source: str
    record: str
    """The record within the source; "" for a whole file."""
    reason: str
    run_id: str
    since: datetime
    how: str = ""
    """What became of it: read, superseded, dismissed; "" while it waits."""
    resolved: datetime | None = None
    note: str = ""

    @property
    def place(self) -> str:
        """The source and the record, as a message names them."""
        return f"{self.source} {self.record}".strip()


def entries(con: DuckDBPyConnection, prefix: str = "", source: str | None = None) -> list[Entry]:
    """Return entries by source and record: those whose id begins so, or all of a source.

    Those that wait no longer are among them.
    """
    rows = con.execute(
        "WITH turns AS (SELECT quarantine_id, arg_max(how, resolved_at) AS how, "
        "max(resolved_at) AS resolved_at, arg_max(note, resolved_at) AS note "
        "FROM quarantine_resolved GROUP BY quarantine_id) "
        "SELECT quarantine_id, source, record, reason, run_id, quarantined_at, coalesce(how, ''), "
        "resolved_at, coalesce(note, '') "
        "FROM quarantine LEFT JOIN (FROM turns WHERE how <> 'again') USING (quarantine_id) "
        "WHERE starts_with(quarantine_id, ?) AND source = coalesce(?, source) "
        "ORDER BY source, length(record), record, quarantined_at",
        [prefix.lower(), source],
    ).fetchall()
    return [Entry(*row) for row in rows]


def entry(con: DuckDBPyConnection, prefix: str) -> Entry:
    """Return the one entry whose id begins so.

    Raises:
        ConfigError: there is none, or there are several.
    """
    found = entries(con, prefix)
    if not found:
        raise ConfigError(
            f"{prefix!r}: no such entry in quarantine; `qinlp quarantine list --all` lists them"
        )
    if len(found) > 1:
        some = ", ".join(one.id[: len(prefix) + 4] for one in found[:3])
        raise ConfigError(f"{prefix!r}: {len(found)} entries in quarantine begin so; say more of it: {some}")
    return found[0]


def raw(con: DuckDBPyConnection, quarantine_id: str) -> bytes:
    """Return the bytes that were kept of an entry."""
    row = con.execute("SELECT raw FROM quarantine WHERE quarantine_id = ?", [quarantine_id]).fetchone()
    return bytes(row[0]) if row else b""


def shortened(entries: Sequence[Entry]) -> list[str]:
    """Return the ids of entries, cut as short as they stay apart."""
    ids = [one.id for one in entries]
    digits = _DIGITS
    while len({one[:digits] for one in ids}) < len(ids):
        digits += 1
    return [one[:digits] for one in ids]
