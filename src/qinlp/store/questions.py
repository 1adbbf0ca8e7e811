"""Questions: SQL over the views, typed by hand or kept by name as .sql files.

A named question starts with comment lines: what it asks, then one line a parameter.

    -- Which codes do passages with a given code hold too?
    -- $code = inr.resources: the code to start from
    SELECT ... WHERE code = $code
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from qinlp.errors import QuestionError, StoreError, nearest

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_PARAMETER = re.compile(r"-- \$(\w+) = (.*?): (.+)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a question takes; all values are text, SQL turns them into what it needs."""

    name: str
    default: str
    about: str


@dataclass(frozen=True, slots=True)
class Question:
    """A named question."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    sql: str


def questions(folders: Iterable[Path] = ()) -> dict[str, Question]:
    """Return every named question; those of the given folders stand before the shipped ones."""
    found: dict[str, Question] = {}
    shipped = files("qinlp.store") / "queries"
    for folder in (*folders, shipped):
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda f: f.name):
            if file.name.endswith(".sql"):
                name = file.name.removesuffix(".sql")
                found.setdefault(name, _parse(name, file.read_text("utf-8")))
    return found


def _parse(name: str, text: str) -> Question:
    about: list[str] = []
    parameters: list[Parameter] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        given = _PARAMETER.fullmatch(line.rstrip())
        if given:
            parameters.append(Parameter(given[1], given[2], given[3]))
        else:
            about.append(line.removeprefix("--").strip())
    return Question(name, " ".join(about), tuple(parameters), text)


def find(name: str, folders: Iterable[Path] = ()) -> Question:
    """Return the question of that name.

    Raises:
        QuestionError: there is none; names the nearest.
    """
    known = questions(folders)
    if name not in known:
        raise QuestionError(f"no question {name!r}; {nearest(name, known)}")
    return known[name]


def ask(con: DuckDBPyConnection, question: Question, given: Mapping[str, str]) -> pa.Table:
    """Answer a named question.

    Raises:
        QuestionError: a value is given for a parameter that the question does not have.
        StoreError: the SQL is refused.
    """
    names = [p.name for p in question.parameters]
    for name in given:
        if name not in names:
            raise QuestionError(
                f"question {question.name!r} has no parameter {name!r}; {nearest(name, names)}"
            )
    return run(con, question.sql, {p.name: given.get(p.name, p.default) for p in question.parameters})


def run(con: DuckDBPyConnection, sql: str, values: Mapping[str, str] | None = None) -> pa.Table:
    """Run one SQL statement and return its rows.

    Raises:
        StoreError: the SQL is refused; DuckDB's own words say where.
    """
    import duckdb
    import pyarrow as pa

    try:
        statements = len(con.extract_statements(sql))
        if statements != 1:
            raise StoreError(f"{statements} SQL statements; give one")
        answer = con.sql(sql, params=values or None)
        return pa.table({}) if answer is None else _told_apart(answer.to_arrow_table())
    except duckdb.Error as error:
        said = " ".join(str(error).split())
        raise StoreError(f"SQL: {said}; `qinlp ask tables` lists tables and columns") from None


def _told_apart(rows: pa.Table) -> pa.Table:
    """Number columns of one name, which a row as an object could not tell apart: n, n_1, n_2."""
    names: list[str] = []
    for name in rows.column_names:
        free = (f"{name}_{i}" if i else name for i in range(len(rows.column_names) + len(names) + 1))
        names.append(next(one for one in free if one not in names))
    return rows.rename_columns(names)
