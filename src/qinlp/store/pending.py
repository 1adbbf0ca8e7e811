"""What is still to be done: reads that the steps make before they compute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def unmatched(con: DuckDBPyConnection) -> list[str]:
    """Return the ids of papers that have not been compared with the others, in the order they came."""
    rows = con.execute(
        "SELECT document_id FROM documents d WHERE version = 1 AND kind = 'abstract' "
        "AND NOT EXISTS (SELECT 1 FROM match_keys m WHERE m.document_id = d.document_id) ORDER BY rowid"
    ).fetchall()
    return [row[0] for row in rows]


def sharing(con: DuckDBPyConnection, keys: Sequence[str], most: int) -> dict[str, list[str]]:
    """Return the compared documents that have one of the keys, for keys that no more than `most` have."""
    rows = con.execute(
        "SELECT key, list(document_id) FROM match_keys SEMI JOIN (SELECT unnest(?) AS key) USING (key) "
        "GROUP BY key HAVING count(*) <= ?",
        [sorted(keys), most],
    ).fetchall()
    return dict(rows)


def linked(con: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return (document, document) of which a source says that one is the preprint of the other."""
    return con.execute(
        "SELECT DISTINCT r.document_id, k.document_id FROM related r JOIN document_keys k USING (key) "
        "WHERE r.document_id <> k.document_id ORDER BY ALL"
    ).fetchall()


_PAPERS = """
WITH merged AS MATERIALIZED (FROM same_document), wanted AS (SELECT unnest(?) AS document_id),
member AS MATERIALIZED (
  SELECT document_id, document_id AS canonical_id FROM wanted ANTI JOIN merged USING (document_id)
  UNION ALL SELECT document_id, canonical_id FROM merged
  SEMI JOIN (SELECT canonical_id FROM merged SEMI JOIN wanted USING (document_id)) USING (canonical_id)
), named AS (
  SELECT document_id, list(key) AS keys FROM document_keys SEMI JOIN member USING (document_id) GROUP BY ALL
), stated AS (
  SELECT document_id, list({'type': relation, 'id': key}) AS related
  FROM related SEMI JOIN member USING (document_id) GROUP BY ALL
)
SELECT document_id, canonical_id, title, left(text, 1000) AS text, authors, year, journal,
  metadata->>'volume' AS volume, metadata->>'pages' AS pages,
  coalesce(metadata->>'preprint' = 'true', false) AS preprint, keys, coalesce(related, []) AS related
FROM member JOIN documents USING (document_id)
LEFT JOIN named USING (document_id) LEFT JOIN stated USING (document_id)
QUALIFY version = max(version) OVER (PARTITION BY document_id) ORDER BY documents.rowid
"""


def papers(con: DuckDBPyConnection, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return what is compared of documents, and of all that are one with them, in the order they came.

    Each row has document_id, canonical_id (of the paper it belongs to), title, the beginning of its
    text, authors, year, journal, volume, pages, preprint, keys, and related (type and id).
    """
    rows: list[dict[str, Any]] = con.sql(_PAPERS, params=[sorted(ids)]).to_arrow_table().to_pylist()
    return rows


def pairs(con: DuckDBPyConnection, ids: Iterable[str]) -> list[tuple[str, str, str, bool]]:
    """Return (document_id, other_id, verdict, whether a person's) of what holds of any of the documents."""
    return con.execute(
        "WITH wanted AS MATERIALIZED (SELECT unnest(?) AS id) "
        "SELECT document_id, other_id, verdict, decided_by NOT IN ('rule', 'identifier') "
        "FROM document_pairs_current WHERE document_id IN (FROM wanted) OR other_id IN (FROM wanted)",
        [sorted(ids)],
    ).fetchall()
