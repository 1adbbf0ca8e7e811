"""What is still to be done: reads that the steps make before they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def known_files(con: DuckDBPyConnection, version: str) -> set[tuple[str, str]]:
    """Return (path, sha256) of every file that this version of qinlp read to its end."""
    return set(con.execute("SELECT path, sha256 FROM files WHERE version = ?", [version]).fetchall())


def quarantined(con: DuckDBPyConnection) -> set[str]:
    """Return the ids of everything in the quarantine."""
    return {row[0] for row in con.execute("SELECT quarantine_id FROM quarantine").fetchall()}


def unencoded(con: DuckDBPyConnection, encoder: str, *, interviewer: bool) -> pa.Array:
    """Return the input_hash of every text that the encoder has not read yet, short texts first."""
    rows = con.sql(
        "SELECT p.input_hash FROM passages_current p "
        "ANTI JOIN (SELECT input_hash FROM vectors WHERE encoder = ?) v USING (input_hash) "
        "WHERE (? OR p.\"role\" IS DISTINCT FROM 'interviewer') "
        "GROUP BY p.input_hash ORDER BY any_value(length(p.text)), p.input_hash",
        params=[encoder, interviewer],
    ).to_arrow_table()
    return rows.column("input_hash").combine_chunks()


def texts(con: DuckDBPyConnection, hashes: pa.Array) -> pa.Array:
    """Return the texts of which `hashes` are the input_hash, in that order."""
    import pyarrow as pa

    con.register("wanted", pa.table({"input_hash": hashes, "place": range(len(hashes))}))
    found = con.sql(
        "SELECT any_value(text) AS text FROM wanted JOIN passages USING (input_hash) "
        "GROUP BY place ORDER BY place"
    ).to_arrow_table()
    con.unregister("wanted")
    return found.column("text").combine_chunks()


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
