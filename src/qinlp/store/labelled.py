"""Passages that people went through whole, with what they said."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from qinlp.records import Labelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

_REVIEWED = """
WITH coded_by AS (
  SELECT passage_id, codebook, list(DISTINCT codebook_hash) AS versions
  FROM reviews_current WHERE status = 'coded' AND codebook IN (SELECT unnest(?)) GROUP BY passage_id, codebook
), said AS (
  SELECT passage_id, codebook,
    list(code) FILTER (present AND NOT disputed) AS present, list(code) FILTER (disputed) AS disputed
  FROM judgements_current SEMI JOIN coded_by USING (passage_id, codebook) GROUP BY passage_id, codebook
)
SELECT p.passage_id, p.text, d.kind, p.context, coalesce(m.canonical_id, p.document_id), codebook, versions,
  coalesce(present, []), coalesce(disputed, [])
FROM coded_by JOIN passages p USING (passage_id) LEFT JOIN said USING (passage_id, codebook)
JOIN (SELECT document_id, any_value(kind) AS kind FROM documents GROUP BY document_id) d
  ON d.document_id = p.document_id
LEFT JOIN same_document m ON m.document_id = p.document_id
ORDER BY p.passage_id, codebook
"""


def labelled(con: DuckDBPyConnection, codes: Mapping[str, Sequence[str]]) -> list[Labelled]:
    """Return one row a passage that people coded whole with any of the codebooks, by passage_id.

    `codes` holds the codes of each codebook as it is now. What coders contradict each other in, and
    nobody has decided, is disputed; so is a code that the version they read did not have yet. The
    documents of one paper are one group.
    """
    versions: dict[str, set[str]] = defaultdict(set)
    for version, code in con.execute("SELECT codebook_hash, code FROM codes").fetchall():
        versions[version].add(code)
    found: dict[str, Labelled] = {}
    for name, text, kind, context, group, book, read, present, disputed in con.execute(
        _REVIEWED, [list(codes)]
    ).fetchall():
        unasked = {
            code for code in codes[book] for version in read
            if version in versions and code not in versions[version]
        }  # fmt: skip
        before = found.get(name) or Labelled(
            name, text, kind, frozenset(), frozenset(), context, group, frozenset()
        )
        labels = frozenset(f"{book}/{code}" for code in present)
        found[name] = Labelled(
            name, text, kind, before.labels | labels,
            before.disputed | ({f"{book}/{code}" for code in unasked.union(disputed)} - labels),
            context, group, (before.codebooks or frozenset()) | {book},
        )  # fmt: skip
    return list(found.values())


def reviews(con: DuckDBPyConnection) -> int:
    """Return how many reviews of passages stand: one a passage, codebook and coder."""
    row = con.execute("SELECT count(*) FROM reviews_current WHERE status = 'coded'").fetchone()
    return int(row[0]) if row else 0


def attempts(con: DuckDBPyConnection) -> tuple[int, str]:
    """Return how many reviews stood when training was tried last, and what names that attempt."""
    row = con.execute(
        "SELECT (settings->>'reviews')::BIGINT, settings->>'judgements' FROM runs "
        "WHERE kind = 'train' ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")
