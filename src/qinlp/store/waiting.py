"""What waits for people: reads that the queue is made from. Each is bounded, or a number a passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_ENTROPY = "-(p * ln(p) + (1 - p) * ln(1 - p))"
_WITHIN = "greatest(least(probability, 1 - 1e-6), 1e-6)::DOUBLE"


def coder(con: DuckDBPyConnection, codebook: str) -> str:
    """Return the machine coder that coded last with a codebook; empty where none has."""
    row = con.execute("SELECT arg_max(coder, run_id) FROM coded WHERE codebook = ?", [codebook]).fetchone()
    return str(row[0] or "") if row else ""


def second(con: DuckDBPyConnection, codebook: str, first: str) -> str:
    """Return the machine coder that coded last beside the first one; empty where there is none."""
    row = con.execute(
        "SELECT arg_max(coder, run_id) FROM coded WHERE codebook = ? AND coder <> ?", [codebook, first]
    ).fetchone()
    return str(row[0] or "") if row else ""


def scores(con: DuckDBPyConnection, codebook: str, codes: Sequence[str], second: str = "") -> pa.Table:
    """Return every coded passage that nobody has gone through, with what its codings come to.

    Columns: passage_id; doubt, the sum over codes of the entropy of the probability relative to that
    code's mean; likely, the sum of the probabilities; expected, the probability that a code is wrong or
    missing. A code without a coding, being less probable than coding.keep_from, counts as certainly
    absent in each. With `second`, only passages that this coder has coded too.
    """
    parameters: dict[str, Any] = {"book": codebook, "codes": list(codes)}
    means = con.execute(
        f"SELECT code, sum({_ENTROPY}) / (SELECT count(*) FROM coded WHERE codebook = $book) FROM "  # noqa: S608
        f"(SELECT code, {_WITHIN} AS p FROM codings WHERE codebook = $book) "
        "WHERE list_contains($codes, code) GROUP BY code",
        parameters,
    ).fetchall()
    weights = {code: 1 / max(mean, 1e-6) for code, mean in means}
    if not weights:
        weights = {"": 1.0}
    also = ""
    if second:
        also = (
            "SEMI JOIN (SELECT passage_id FROM coded WHERE codebook = $book AND coder = $second) "
            "USING (passage_id)"
        )
        parameters["second"] = second
    return con.sql(
        f"""
        WITH open AS (
          SELECT passage_id, max(run_id) AS run_id FROM coded SEMI JOIN passages_current USING (passage_id)
          ANTI JOIN (SELECT passage_id FROM reviewed WHERE codebook = $book) USING (passage_id) {also}
          WHERE codebook = $book GROUP BY passage_id
        ), weights AS (
          SELECT unnest($names) AS code, unnest($weights) AS weight
        ), cells AS (
          SELECT passage_id, run_id, code, {_WITHIN} AS p, decision FROM codings WHERE codebook = $book
        ), said AS (
          SELECT passage_id, sum({_ENTROPY} * weight) AS doubt, sum(p) AS likely,
            1 - exp(sum(ln(CASE WHEN decision THEN p ELSE 1 - p END))) AS expected
          FROM cells JOIN open USING (passage_id, run_id) JOIN weights USING (code) GROUP BY passage_id
        )
        SELECT passage_id, coalesce(doubt, 0) AS doubt, coalesce(likely, 0) AS likely,
          coalesce(expected, 0) AS expected
        FROM open LEFT JOIN said USING (passage_id)
        """,  # noqa: S608
        params={
            **{key: value for key, value in parameters.items() if key != "codes"},
            "names": list(weights), "weights": list(weights.values()),
        },
    ).to_arrow_table()  # fmt: skip


def codings(
    con: DuckDBPyConnection, codebook: str, passage_ids: Sequence[str], coder: str = ""
) -> list[tuple[str, str, float, bool]]:
    """Return (passage, code, probability, decision) of passages: the latest coding, of a coder or of any."""
    with _wanted(con, passage_ids):
        return con.execute(
            """
            WITH latest AS (
              SELECT passage_id, max(run_id) AS run_id FROM coded SEMI JOIN wanted USING (passage_id)
              WHERE codebook = $book AND ($coder = '' OR coder = $coder) GROUP BY passage_id
            )
            SELECT passage_id, code, probability, decision FROM codings JOIN latest USING (passage_id, run_id)
            WHERE codebook = $book ORDER BY passage_id, probability DESC, code
            """,
            {"book": codebook, "coder": coder},
        ).fetchall()


def unsure(con: DuckDBPyConnection, codebook: str, coder: str) -> dict[str, tuple[float, float]]:
    """Return the probabilities between which a coder is unsure, of each code."""
    rows = con.execute(
        "SELECT code, unsure_from, unsure_to FROM thresholds WHERE codebook = ? AND coder = ?",
        [codebook, coder],
    ).fetchall()
    return {code: (low, high) for code, low, high in rows}


def reviews(con: DuckDBPyConnection, codebook: str) -> list[tuple[str, str, str]]:
    """Return (passage, coder, why) of what people have gone through whole and not taken back."""
    return con.execute(
        "SELECT passage_id, coder, why FROM reviews_current WHERE codebook = ? AND status = 'coded' "
        "AND NOT adjudicates ORDER BY reviewed_at, review_id",
        [codebook],
    ).fetchall()


def seen(
    con: DuckDBPyConnection, codebook: str, codes: Sequence[str], most: int
) -> list[tuple[str, float, bool]]:
    """Return (document, expected, wrong) of the passages reviewed last, `most` at the most.

    `expected` is what was said before: by the latest run that began before the first review of the
    passage. A run that was at work just then counts as before, though it may have coded it after.
    """
    return con.execute(
        f"""
        WITH judged AS (
          SELECT passage_id, min(reviewed_at) AS reviewed FROM reviews_current
          WHERE codebook = $book AND status = 'coded' GROUP BY passage_id ORDER BY reviewed DESC LIMIT $most
        ), before AS (
          SELECT passage_id, max(run_id) AS run_id FROM coded JOIN judged USING (passage_id)
          WHERE codebook = $book AND run_id < strftime(reviewed AT TIME ZONE 'UTC', '%Y%m%dT%H%M%S.%f')
          GROUP BY passage_id
        ), cells AS (
          SELECT passage_id, code, {_WITHIN} AS p, decision
          FROM codings JOIN before USING (passage_id, run_id)
          WHERE codebook = $book AND list_contains($codes, code)
        ), model AS (
          SELECT passage_id, 1 - exp(sum(ln(CASE WHEN decision THEN p ELSE 1 - p END))) AS expected,
            list_sort(coalesce(list(code) FILTER (decision), [])) AS codes FROM cells GROUP BY passage_id
        ), people AS (
          SELECT passage_id, list_sort(list(code)) AS codes
          FROM judgements_current JOIN before USING (passage_id)
          WHERE codebook = $book AND present AND list_contains($codes, code) GROUP BY passage_id
        )
        SELECT document_id, coalesce(expected, 0), coalesce(model.codes, []) <> coalesce(people.codes, [])
        FROM before LEFT JOIN model USING (passage_id) LEFT JOIN people USING (passage_id)
        JOIN passages USING (passage_id) ORDER BY passage_id
        """,  # noqa: S608
        {"book": codebook, "codes": list(codes), "most": most},
    ).fetchall()


def judged(con: DuckDBPyConnection, codebook: str, most: int) -> list[tuple[str, str, list[str], str]]:
    """Return (passage, text, codes, coder) of the passages reviewed last, `most` at the most."""
    return con.execute(
        """
        WITH latest AS (
          SELECT passage_id, arg_max(coder, (adjudicates, reviewed_at)) AS coder, max(reviewed_at) AS reviewed
          FROM reviews_current WHERE codebook = $book AND status = 'coded' GROUP BY passage_id
          ORDER BY reviewed DESC, passage_id LIMIT $most
        )
        SELECT passage_id, any_value(text), list_sort(coalesce(list(code) FILTER (present), [])),
          any_value(latest.coder)
        FROM latest JOIN passages USING (passage_id)
        LEFT JOIN (SELECT passage_id, code, present FROM judgements_current WHERE codebook = $book)
          USING (passage_id)
        GROUP BY passage_id ORDER BY passage_id
        """,
        {"book": codebook, "most": most},
    ).fetchall()


def surroundings(con: DuckDBPyConnection, passage_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return all current passages of the documents that these stand in, in the order of the documents.

    Columns: passage_id, document_id, text_hash, start, end, text, section, speaker.
    """
    with _wanted(con, passage_ids):
        rows: list[dict[str, Any]] = (
            con.sql(
                'SELECT p.passage_id, p.document_id, p.text_hash, p."start", p."end", p.text, p.section, '
                "p.speaker "
                "FROM passages_current p SEMI JOIN (SELECT document_id FROM passages SEMI JOIN wanted "
                'USING (passage_id)) USING (document_id) ORDER BY p.document_id, p."start", p."end"'
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def documents(con: DuckDBPyConnection, ids: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return title, text, year, journal and source of documents, by id and text_hash."""
    rows = (
        con.sql(
            "SELECT document_id, text_hash, title, text, year, journal, source FROM documents "
            "SEMI JOIN (SELECT unnest(?) AS document_id) USING (document_id) ORDER BY version",
            params=[sorted(set(ids))],
        )
        .to_arrow_table()
        .to_pylist()
    )
    return {(row.pop("document_id"), row.pop("text_hash")): row for row in rows}


class _wanted:  # noqa: N801 - reads as `with _wanted(...)`
    """Makes passage ids a table `wanted` for the length of a block."""

    def __init__(self, con: DuckDBPyConnection, passage_ids: Sequence[str]) -> None:
        self.con, self.ids = con, passage_ids

    def __enter__(self) -> None:
        import pyarrow as pa

        self.con.register("wanted", pa.table({"passage_id": pa.array(self.ids, pa.string())}))

    def __exit__(self, *_: object) -> None:
        self.con.unregister("wanted")
