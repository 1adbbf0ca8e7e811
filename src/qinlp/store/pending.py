"""What is still to be done: reads that the steps make before they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qinlp.records import Passage

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


def carried(con: DuckDBPyConnection, desk: str) -> int:
    """Return the place of the last act of a desk that was taken over, 0 where none was."""
    row = con.execute("SELECT max(seq) FROM carried WHERE desk = ?", [desk]).fetchone()
    return int(row[0] or 0) if row else 0


def passages(con: DuckDBPyConnection, passage_ids: Sequence[str]) -> list[Passage]:
    """Return those of the passages that exist, in the order of their documents."""
    rows = con.execute(
        'SELECT document_id, text_hash, "start", "end", text, ordinal, section, speaker, "role", context '
        "FROM passages SEMI JOIN (SELECT unnest(?) AS passage_id) USING (passage_id) "
        'ORDER BY document_id, "start"',
        [list(passage_ids)],
    ).fetchall()
    return [Passage(*row) for row in rows]


def text_of(con: DuckDBPyConnection, document_id: str, text_hash: str) -> str:
    """Return the text of a document's version; all offsets count in it."""
    row = con.execute(
        "SELECT text FROM documents WHERE document_id = ? AND text_hash = ?", [document_id, text_hash]
    ).fetchone()
    return str(row[0]) if row else ""
