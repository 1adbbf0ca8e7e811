"""Bring a database to the schema of this qinlp: numbered SQL files, each applied once."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING

from qinlp.errors import StoreError
from qinlp.store.dictionary import dictionary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MIGRATIONS = """
CREATE TABLE schema_migrations (
  number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now());
COMMENT ON TABLE schema_migrations IS 'One row a schema change applied to this file.';
COMMENT ON COLUMN schema_migrations.number IS 'Its number.';
COMMENT ON COLUMN schema_migrations.name IS 'Its name.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.';
"""


def migrations() -> list[tuple[int, str, str]]:
    """Return (number, name, SQL) of every migration, in order."""
    found = sorted(
        (f for f in (files("qinlp.store") / "migrations").iterdir() if f.name.endswith(".sql")),
        key=lambda f: f.name,
    )
    return [(int(f.name[:4]), f.name[5:-4], f.read_text("utf-8")) for f in found]


def missing(con: DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Return the migrations that the database lacks: all, where a first run was cut off.

    Raises:
        StoreError: the database was written by a newer qinlp.
    """
    known = migrations()
    started = con.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_migrations'"
    ).fetchone()
    applied: set[int] = set()
    if started and started[0]:
        applied = {row[0] for row in con.execute("SELECT number FROM schema_migrations").fetchall()}
    newest = max(applied, default=0)
    if newest > known[-1][0]:
        raise StoreError(
            f"the database has schema {newest}, this qinlp knows {known[-1][0]}; "
            "install the newer qinlp that wrote it"
        )
    return [m for m in known if m[0] not in applied]


def migrate(con: DuckDBPyConnection) -> list[int]:
    """Apply what is missing, all of it in one transaction; return the numbers applied.

    Raises:
        StoreError: the database was written by a newer qinlp.
    """
    import duckdb

    wanted = missing(con)
    if not wanted:
        return []
    con.execute("BEGIN")
    try:
        if wanted[0][0] == 1:
            con.execute(_MIGRATIONS)
        for number, name, sql in wanted:
            con.execute(sql)
            con.execute("INSERT INTO schema_migrations(number, name) VALUES (?, ?)", [number, name])
        for relation in dictionary(con):  # a view's column means what its table's column means
            for column in relation.columns if relation.kind == "view" else ():
                meaning = column.meaning.replace("'", "''")
                con.execute(f"COMMENT ON COLUMN {relation.name}.\"{column.name}\" IS '{meaning}'")
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # DuckDB may have rolled back already
            con.execute("ROLLBACK")
        raise
    return [number for number, _, _ in wanted]
