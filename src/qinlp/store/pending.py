"""What is still to be done: reads that the steps make before they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """What the store knows of files, each named by its path."""

    digests: Mapping[tuple[str, int, int], str] = field(default_factory=dict)
    """SHA-256 by (path, size, mtime_ns), of files that had been at rest when they were looked at.

    A file that is written to once more within the grain of its clock keeps its time of change, so a
    state counts only if the last change was more than two seconds before the look (what git calls
    racy). Who sets the time back by hand and keeps the size deceives us.
    """
    read: AbstractSet[tuple[str, str]] = frozenset()
    """(path, sha256) of what this version of qinlp read to its end, and last of that path.

    So a file that is put back to what it was is read once more: what it says now is what holds.
    """
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Why this version could not read (path, sha256) as a whole; "" where a person dismissed that."""
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Where a file of that SHA-256 was read to its end, by any version."""


def known_files(con: DuckDBPyConnection, version: str) -> KnownFiles:
    """Return what is known of files."""
    states = con.execute(
        "SELECT path, size, mtime_ns, arg_max(sha256, looked_at) FROM file_states "
        "WHERE epoch_us(looked_at) * 1000 - mtime_ns > 2_000_000_000 GROUP BY path, size, mtime_ns"
    ).fetchall()
    read = con.execute(
        "SELECT path, sha256 FROM files LEFT JOIN "
        "(SELECT path, arg_max(sha256, looked_at) AS latest FROM file_states GROUP BY path) USING (path) "
        "WHERE version = ? AND sha256 = coalesce(latest, sha256)",
        [version],
    ).fetchall()
    refused = con.execute(
        "WITH turns AS (SELECT quarantine_id, arg_max(how, resolved_at) AS how FROM quarantine_resolved "
        "GROUP BY quarantine_id) "
        "SELECT path, sha256, CASE WHEN how = 'dismissed' THEN '' ELSE reason END "
        "FROM file_states s JOIN quarantine q USING (quarantine_id) LEFT JOIN turns USING (quarantine_id) "
        "WHERE version = ? AND coalesce(how, 'again') IN ('again', 'dismissed')",
        [version],
    ).fetchall()
    places = con.execute("SELECT sha256, list(DISTINCT path) FROM files GROUP BY sha256").fetchall()
    return KnownFiles(
        {(path, size, mtime): digest for path, size, mtime, digest in states},
        set(read),
        {(path, digest): reason for path, digest, reason in refused},
        dict(places),
    )


def waiting_of(con: DuckDBPyConnection, source: str) -> list[tuple[str, str]]:
    """Return (quarantine_id, record) of what of a source waits in quarantine."""
    return con.execute(
        "SELECT quarantine_id, record FROM quarantine_open WHERE source = ?", [source]
    ).fetchall()


def unencoded(con: DuckDBPyConnection, encoder: str, *, interviewer: bool) -> pa.Table:
    """Return (input_hash, text) of what the encoder has not read yet, one row a text, short ones first."""
    return con.sql(
        "SELECT p.input_hash, any_value(p.text) AS text FROM passages_current p "
        "ANTI JOIN (SELECT input_hash FROM vectors WHERE encoder = ?) v USING (input_hash) "
        "WHERE (? OR p.\"role\" IS DISTINCT FROM 'interviewer') "
        "GROUP BY p.input_hash ORDER BY length(any_value(p.text)), p.input_hash",
        params=[encoder, interviewer],
    ).to_arrow_table()


def uncoded(
    con: DuckDBPyConnection, coder: str, codebook: str, codebook_hash: str, *, interviewer: bool
) -> list[str]:
    """Return the ids of current passages that this coder has not coded with this codebook version."""
    rows = con.execute(
        "SELECT p.passage_id FROM passages_current p WHERE (? OR p.\"role\" IS DISTINCT FROM 'interviewer') "
        "AND NOT EXISTS (SELECT 1 FROM coded c WHERE c.passage_id = p.passage_id "
        "AND c.coder = ? AND c.codebook = ? AND c.codebook_hash = ?) ORDER BY p.document_id, p.ordinal",
        [interviewer, coder, codebook, codebook_hash],
    ).fetchall()
    return [row[0] for row in rows]


def vectors(
    con: DuckDBPyConnection, encoder: str, passage_ids: Sequence[str]
) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return the passages among `passage_ids` that have a vector, and the vectors, shape (n, dimension)."""
    import numpy as np
    import pyarrow as pa

    con.register("wanted", pa.table({"passage_id": pa.array(passage_ids, pa.string())}))
    table = con.sql(
        "SELECT passage_id, vector FROM wanted JOIN passages USING (passage_id) "
        "JOIN (SELECT input_hash, vector FROM vectors WHERE encoder = ?) USING (input_hash) "
        "ORDER BY passage_id",
        params=[encoder],
    ).to_arrow_table()
    con.unregister("wanted")
    column = table.column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return table.column("passage_id").to_pylist(), np.asarray(flat, np.float32).reshape(
        len(table), -1 if len(table) else 0
    )
