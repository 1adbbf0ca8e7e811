"""What is still to be done: reads that the steps make before they compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qinlp.records import Passage

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
    """Return the ids of current passages that this coder was not the last to code with a codebook version.

    So a model that is taken back into use codes again what another coded meanwhile.
    """
    rows = con.execute(
        "SELECT p.passage_id FROM passages_current p ANTI JOIN ("
        "SELECT passage_id FROM coded WHERE codebook = ? GROUP BY passage_id "
        "HAVING arg_max(coder, run_id) = ? AND arg_max(codebook_hash, run_id) = ?) c USING (passage_id) "
        "WHERE (? OR p.\"role\" IS DISTINCT FROM 'interviewer') "
        'ORDER BY p.document_id, p."start"',
        [codebook, coder, codebook_hash, interviewer],
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
