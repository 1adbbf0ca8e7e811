"""What runs looked like: the numbers that `analysis.health` judges, read and kept.

Reads touch what is not measured yet and a bounded history, so they stay quick as the corpus grows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

GIVEN_UP = timedelta(days=1)
"""A run that still says `running` so long after its start was killed."""


class Series(NamedTuple):
    """What two measures share that can be compared; a change of one starts a new history."""

    kind: str
    codebook: str = ""
    codebook_hash: str = ""
    coder: str = ""


class Measure(NamedTuple):
    """A row of `measures`, its run and time left out."""

    series: Series
    measure: str
    code: str
    value: float
    n: int


def unmeasured(con: DuckDBPyConnection, now: datetime) -> list[str]:
    """Return the runs that are over and not measured, in order of their start."""
    rows = con.execute(
        "SELECT run_id FROM runs ANTI JOIN measured USING (run_id) "
        "WHERE kind <> 'measure' AND (status <> 'running' OR started_at < ?) ORDER BY run_id",
        [now - GIVEN_UP],
    ).fetchall()
    return [row[0] for row in rows]


def arrived(con: DuckDBPyConnection, runs: Sequence[str]) -> pa.Table:
    """Return (kind, text) of the passages that the runs brought and that are current."""
    return con.sql(
        "WITH brought AS (SELECT document_id, text_hash, version, kind FROM documents "
        "SEMI JOIN (SELECT unnest(?) AS run_id) USING (run_id)), newest AS (SELECT b.* FROM brought b "
        "ANTI JOIN documents d ON d.document_id = b.document_id AND d.version > b.version) "
        "SELECT kind, text FROM passages JOIN newest USING (document_id, text_hash)",
        params=[list(runs)],
    ).to_arrow_table()


def unknown_words(con: DuckDBPyConnection, words: Collection[str]) -> set[str]:
    """Return those of the words that no measured document holds."""
    import pyarrow as pa

    con.register("asked", pa.table({"word": pa.array(words, pa.string())}))
    rows = con.execute("SELECT word FROM asked ANTI JOIN vocabulary USING (word)").fetchall()
    con.unregister("asked")
    return {row[0] for row in rows}


def knows_words(con: DuckDBPyConnection) -> bool:
    """Return whether any document was measured before."""
    return con.execute("SELECT 1 FROM vocabulary LIMIT 1").fetchone() is not None


_CODED = """
WITH part AS (
  SELECT run_id, passage_id, codebook, codebook_hash, coder, document_id
  FROM coded SEMI JOIN (SELECT unnest(?) AS run_id) USING (run_id) JOIN passages USING (passage_id)
), kinds AS (
  SELECT document_id, max(kind) AS kind FROM documents SEMI JOIN part USING (document_id) GROUP BY document_id
), done AS (
  SELECT part.*, kind FROM part JOIN kinds USING (document_id)
), passages_of AS (
  SELECT kind, codebook, codebook_hash, coder, count(*) AS n FROM done GROUP BY ALL
), said AS (
  SELECT kind, codebook, codebook_hash, coder, passage_id, code, probability,
    decision AND assignable AS given, probability BETWEEN unsure_from AND unsure_to AS unsure
  FROM done JOIN codings USING (run_id, passage_id, codebook) JOIN codes USING (codebook_hash, codebook, code)
  LEFT JOIN thresholds USING (coder, codebook, code)
), counted AS (
  SELECT kind, codebook, codebook_hash, coder, code, count(*) FILTER (given) AS k FROM said GROUP BY ALL
)
SELECT p.kind, p.codebook, p.codebook_hash, p.coder, 'code_rate', c.code, coalesce(k, 0) / n, n
FROM passages_of p JOIN codes c USING (codebook_hash, codebook)
SEMI JOIN thresholds t ON t.coder = p.coder AND t.codebook = p.codebook AND t.code = c.code
LEFT JOIN counted ON counted.kind = p.kind AND counted.codebook_hash = p.codebook_hash
  AND counted.coder = p.coder AND counted.code = c.code
WHERE c.assignable
UNION ALL
SELECT kind, codebook, codebook_hash, coder, 'confidence', '', avg(probability), count(*)
FROM said WHERE given GROUP BY ALL
UNION ALL
SELECT p.kind, p.codebook, p.codebook_hash, p.coder, 'to_review', '',
  count(DISTINCT passage_id) FILTER (unsure) / any_value(n), any_value(n)
FROM passages_of p LEFT JOIN said USING (kind, codebook, codebook_hash, coder) GROUP BY ALL
ORDER BY ALL
"""


def coded(con: DuckDBPyConnection, runs: Sequence[str]) -> list[Measure]:
    """Return code rates, confidence and the share to review of what the runs coded.

    Confidence is the mean calibrated probability of the codes given, so the share of them that is
    expected to be right. It does not hang on `coding.keep_from`: codes given are always stored. A
    passage counts as to review where a code of it lies in the model's band of doubt, whether
    somebody has judged it since or not.
    """
    return [Measure(Series(*row[:4]), *row[4:]) for row in con.execute(_CODED, [list(runs)]).fetchall()]


def add(
    con: DuckDBPyConnection,
    run_id: str,
    at: datetime,
    runs: Sequence[str],
    measures: Sequence[Measure],
    words: Collection[str],
) -> None:
    """Keep a measuring: its numbers, the words met first, and the note which runs it measured."""
    import pyarrow as pa

    con.executemany("INSERT INTO measured VALUES (?, ?)", [[run, run_id] for run in runs])
    rows = [(run_id, *m.series, *m[1:], at) for m in measures]
    con.executemany("INSERT INTO measures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows) if rows else None
    con.register("met", pa.table({"word": pa.array(words, pa.string())}))
    con.execute("INSERT INTO vocabulary SELECT word, ? FROM met ON CONFLICT DO NOTHING", [run_id])


def history(con: DuckDBPyConnection, runs: int) -> dict[tuple[Series, str], list[list[Measure]]]:
    """Return the last measurings of every series and measure: a list a measuring, oldest first."""
    rows = con.execute(
        "SELECT kind, codebook, codebook_hash, coder, measure, code, value, n, run_id FROM measures "
        "QUALIFY dense_rank() OVER (PARTITION BY kind, codebook, codebook_hash, coder, measure "
        "ORDER BY run_id DESC) <= ? ORDER BY run_id, code",
        [runs],
    ).fetchall()
    found: dict[tuple[Series, str], dict[str, list[Measure]]] = {}
    for row in rows:
        one = Measure(Series(*row[:4]), *row[4:8])
        found.setdefault((one.series, one.measure), {}).setdefault(row[8], []).append(one)
    return {key: list(by_run.values()) for key, by_run in found.items()}
