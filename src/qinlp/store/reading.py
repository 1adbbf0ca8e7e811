"""What people read: documents by page, one document with what it holds, what was judged of a codebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Listed:
    """A document in a list."""

    document_id: str
    title: str
    year: int | None
    kind: str
    journal: str
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """A code on a passage: what people judged, else what the machine coder decided."""

    code: str
    by: str
    """human or model."""
    coder: str
    probability: float | None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A passage of a document, with its codes."""

    passage_id: str
    start: int
    end: int
    section: str
    speaker: str
    codes: dict[str, list[Said]]
    """Codebook to the codes that it holds."""


def documents(
    con: DuckDBPyConnection, search: str = "", skip: int = 0, most: int = 50
) -> tuple[list[Listed], int]:
    """Return documents whose title, journal or source holds each word of `search`, and how many there are.

    By title; `skip` are left out before, `most` are returned.
    """
    rows = con.execute(
        "WITH found AS (SELECT document_id, title, year, kind, journal, source FROM documents d "
        "WHERE version = (SELECT max(version) FROM documents n WHERE n.document_id = d.document_id) "
        "AND len(list_filter($words, lambda word: "
        "NOT contains(lower(concat_ws(' ', title, journal, source, year)), word))) = 0) "
        "SELECT *, (SELECT count(*) FROM found) FROM found "
        "ORDER BY title = '', lower(title), document_id LIMIT $most OFFSET $skip",
        {"words": search.lower().split(), "most": most, "skip": skip},
    ).fetchall()
    return [Listed(*row[:-1]) for row in rows], int(rows[0][-1]) if rows else 0


def document(con: DuckDBPyConnection, document_id: str) -> dict[str, Any] | None:
    """Return the newest version of a document, None where there is no such document."""
    rows = con.execute(
        "SELECT document_id, title, text, text_hash, kind, authors, year, journal, source FROM documents "
        "WHERE document_id = ? ORDER BY version DESC LIMIT 1",
        [document_id],
    )
    names = [column[0] for column in rows.description or ()]
    row = rows.fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def spans(con: DuckDBPyConnection, document_id: str, codebooks: Sequence[str]) -> list[Span]:
    """Return the passages of a document's newest version, in order, with what they hold of codebooks."""
    rows = con.execute(
        'SELECT passage_id, "start", "end", section, speaker FROM passages_current WHERE document_id = ? '
        'ORDER BY "start"',
        [document_id],
    ).fetchall()
    held = codes(con, [row[0] for row in rows], codebooks)
    return [
        Span(passage, start, end, section, speaker, held.get(passage, {}))
        for passage, start, end, section, speaker in rows
    ]


def codes(
    con: DuckDBPyConnection, passage_ids: Sequence[str], codebooks: Sequence[str]
) -> dict[str, dict[str, list[Said]]]:
    """Return what passages hold: passage to codebook to codes."""
    found: dict[str, dict[str, list[Said]]] = {}
    if not passage_ids or not codebooks:
        return found
    # names that stand in the statement reach the scan; a joined list would read every coding there is
    named, books = (",".join("?" * len(given)) for given in (passage_ids, codebooks))
    rows = con.execute(
        f"""
        WITH judged AS (
          SELECT * FROM judgements_current WHERE passage_id IN ({named}) AND codebook IN ({books})
        ), coded AS (
          SELECT passage_id, codebook, code, probability, decision, coder FROM codings_current
          WHERE passage_id IN ({named}) AND codebook IN ({books})
        )
        SELECT passage_id, codebook, j.code, 'human', j.coder, c.probability, j.disputed
        FROM judged j LEFT JOIN coded c USING (passage_id, codebook, code) WHERE j.present OR j.disputed
        UNION ALL
        SELECT passage_id, codebook, code, 'model', coder, probability, false
        FROM coded ANTI JOIN judged USING (passage_id, codebook, code)
        WHERE decision AND NOT EXISTS (
          FROM reviews_current r WHERE r.passage_id = coded.passage_id AND r.codebook = coded.codebook
            AND r.status = 'coded')
        ORDER BY ALL
        """,  # noqa: S608
        [*passage_ids, *codebooks, *passage_ids, *codebooks],
    ).fetchall()
    for passage, codebook, *said in rows:
        found.setdefault(passage, {}).setdefault(codebook, []).append(Said(*said))
    return found


def suggestions(con: DuckDBPyConnection, passage_id: str, codebook: str) -> list[tuple[str, float, bool]]:
    """Return what the machine coder says of a passage: code, probability, decision; the likeliest first."""
    return con.execute(
        "SELECT code, probability, decision FROM codings_current WHERE passage_id = ? AND codebook = ? "
        "ORDER BY probability DESC, code",
        [passage_id, codebook],
    ).fetchall()


def neighbours(con: DuckDBPyConnection, passage_id: str) -> list[dict[str, Any]]:
    """Return a passage between the one before and the one after it, where they are."""
    rows = con.execute(
        'SELECT n.passage_id, n.document_id, n.text_hash, n."start", n."end", n.text, n.section, n.speaker '
        "FROM passages p JOIN passages_current n USING (document_id, text_hash) WHERE p.passage_id = ? "
        'ORDER BY n."start"',
        [passage_id],
    )
    names = [column[0] for column in rows.description or ()]
    all_of_them = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    at = next((i for i, one in enumerate(all_of_them) if one["passage_id"] == passage_id), None)
    return [] if at is None else [
        *(all_of_them[at - 1 : at] if at else [{}]), all_of_them[at], *(all_of_them[at + 1 : at + 2] or [{}])
    ]  # fmt: skip


def judged(con: DuckDBPyConnection, codebook: str) -> list[tuple[str, str, str, bool, str, bool]]:
    """Return what people judged with a codebook: passage, document, coder, adjudicates, code, present.

    A row without a code is a whole review, which holds absent whatever it does not give.
    """
    return con.execute(
        "SELECT passage_id, document_id, coder, adjudicates, code, present FROM ("
        "SELECT passage_id, coder, adjudicates, code, present FROM judgements_by_coder "
        "WHERE codebook = $book UNION ALL "
        "SELECT passage_id, coder, adjudicates, '', false FROM reviews_current "
        "WHERE codebook = $book AND status = 'coded') JOIN passages USING (passage_id) ORDER BY ALL",
        {"book": codebook},
    ).fetchall()


def decided(con: DuckDBPyConnection, codebook: str) -> list[tuple[str, list[str]]]:
    """Return the passages that people judged with a codebook and the machine coder coded, with its codes."""
    return con.execute(
        "WITH wanted AS (SELECT DISTINCT passage_id FROM judgements WHERE codebook = $book "
        "UNION SELECT passage_id FROM reviews WHERE codebook = $book), "
        "newest AS (SELECT passage_id, max(run_id) AS run_id FROM coded SEMI JOIN wanted USING (passage_id) "
        "WHERE codebook = $book GROUP BY passage_id) "
        "SELECT passage_id, coalesce(list(code) FILTER (decision), []) FROM newest "
        "LEFT JOIN (SELECT * FROM codings WHERE codebook = $book) USING (passage_id, run_id) GROUP BY ALL",
        {"book": codebook},
    ).fetchall()


def state(con: DuckDBPyConnection) -> tuple[Any, ...]:
    """Return what changes whenever judgements or codings do."""
    row = con.execute(
        "SELECT (SELECT max(run_id) FROM runs), (SELECT count(*) FROM reviews), "
        "(SELECT count(*) FROM withdrawn), (SELECT count(*) FROM judgements), (SELECT count(*) FROM coded)"
    ).fetchone()
    return tuple(row or ())
