"""The data dictionary: what a row and a column of every table and view is.

It is read from the comments in the store, which stand beside the columns in migrations/*.sql.
A view's column without one of its own takes that of the table it comes from; where the tables
that the view reads say different things of that name, there is no telling which is meant, and the
view needs a comment of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duckdb import DuckDBPyConnection

_READ = re.compile(r"\b(?:FROM|JOIN)\s+\(*\s*\"?(\w+)", re.IGNORECASE)
_INTRODUCTION = """\
# Data dictionary

<!-- Made from the comments in src/qinlp/store/migrations: change them there, then run make docs -->

Everything lies in one DuckDB file. Ask the **views**: they show what holds now, and one row of
each means one thing. The **tables** under them keep every version, run and judgement; nothing in
them is overwritten. The same list from your own database: `qinlp ask tables`.
"""


class Column(NamedTuple):
    """A column and what it means; the meaning is "" where nobody has said."""

    name: str
    type: str
    meaning: str


class Relation(NamedTuple):
    """A table or a view: what a row of it is, and its columns in order."""

    name: str
    kind: str
    """table or view."""
    meaning: str
    columns: tuple[Column, ...]

    @property
    def without_meaning(self) -> tuple[str, ...]:
        """What nobody has said the meaning of: `name` for a row of it, `name.column` for a column."""
        row = () if self.meaning else (self.name,)
        return (*row, *(f"{self.name}.{c.name}" for c in self.columns if not c.meaning))


def dictionary(con: DuckDBPyConnection) -> list[Relation]:
    """Return every view and then every table of the store, by name."""
    tables = _rows(con, "SELECT table_name, comment, '' FROM duckdb_tables() WHERE NOT internal")
    views = _rows(con, "SELECT view_name, comment, sql FROM duckdb_views() WHERE NOT internal")
    columns = con.execute(
        "SELECT table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns() "
        "WHERE NOT internal ORDER BY table_name, column_index"
    ).fetchall()
    said = {(table, column): meaning for table, column, _, meaning in columns}
    reads = {name: _tables_under(name, views, tables) for name in views}

    def meaning(relation: str, column: str) -> str:
        return said[relation, column] or _inherited(relation, column, reads.get(relation, ()), said)

    return [
        Relation(
            name,
            kind,
            relations[name][0],
            tuple(Column(c, _short(type_), meaning(name, c)) for t, c, type_, _ in columns if t == name),
        )
        for kind, relations in (("view", views), ("table", tables))
        for name in sorted(relations)
    ]


def _rows(con: DuckDBPyConnection, sql: str) -> dict[str, tuple[str, str]]:
    return {name: (comment or "", text) for name, comment, text in con.execute(sql).fetchall()}


def _tables_under(view: str, views: Mapping[str, tuple[str, str]], tables: Iterable[str]) -> tuple[str, ...]:
    """Return the tables that a view reads, through other views too, in the order of its text."""
    found: dict[str, None] = {}
    for name in _READ.findall(views[view][1]):
        if name in tables:
            found[name] = None
        elif name in views and name != view:
            found.update(dict.fromkeys(_tables_under(name, views, tables)))
    return tuple(found)


def _inherited(view: str, column: str, tables: Iterable[str], said: Mapping[tuple[str, str], str]) -> str:
    """Return what the tables say of a view's column: `x` for `x_current`, else all of them with one voice."""
    own = said.get((view.removesuffix("_current"), column))
    if own:
        return own
    voices = {said[table, column] for table in tables if (table, column) in said}
    return voices.pop() if len(voices) == 1 else ""


def _short(type_: str) -> str:
    return type_.replace('"', "")


def page(relations: Iterable[Relation]) -> str:
    """Return the data dictionary for people, in Markdown."""
    known = list(relations)
    lines = [_INTRODUCTION]
    for kind in ("view", "table"):
        own = [r for r in known if r.kind == kind]
        lines += [f"## {kind.capitalize()}s", "", f"| {kind} | one row is |", "|---|---|"]
        lines += [f"| [`{r.name}`](#{r.name}) | {_cell(r.meaning.removeprefix('One row '))} |" for r in own]
        lines.append("")
        for r in own:
            lines += [f"### {r.name}", "", r.meaning, "", "| column | type | meaning |", "|---|---|---|"]
            lines += [f"| `{c.name}` | {_cell(c.type)} | {_cell(c.meaning)} |" for c in r.columns]
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
