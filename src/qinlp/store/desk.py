"""The desk that reviewers sit at: a small SQLite file beside the store.

DuckDB lets one process write and shuts all others out meanwhile; a reviewer must not wait for a
flow that is at work, and what a browser was told is kept must be kept. So whatever a reviewer does
is an act: it is on disk here before it is acknowledged, and `steps.carry` takes it over to the
store, once, as just another input. Acts are only ever added; taking one back is an act too.

What the pages show (the queue, prepared by `steps.queue`) lies on the desk as well.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from qinlp.errors import StoreBusy, StoreError

Kind = Literal["review", "skip", "flag", "recut", "undo"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS desk (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS acts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  act_id TEXT NOT NULL UNIQUE,
  coder TEXT NOT NULL,
  kind TEXT NOT NULL,
  passage_id TEXT NOT NULL,
  codebook TEXT NOT NULL,
  body TEXT NOT NULL,
  undoes TEXT,
  at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS acts_of ON acts (codebook, coder, passage_id);
CREATE INDEX IF NOT EXISTS acts_undone ON acts (undoes) WHERE undoes IS NOT NULL;
CREATE VIEW IF NOT EXISTS standing AS SELECT * FROM acts a
  WHERE kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM acts u WHERE u.undoes = a.act_id AND u.coder = a.coder);
CREATE TABLE IF NOT EXISTS items (
  codebook TEXT NOT NULL,
  position REAL,
  passage_id TEXT NOT NULL,
  why TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (codebook, passage_id)
);
CREATE INDEX IF NOT EXISTS items_in_order ON items (codebook, position);
CREATE TABLE IF NOT EXISTS cuts (
  passage_id TEXT NOT NULL,
  act_id TEXT NOT NULL,
  part TEXT NOT NULL,
  PRIMARY KEY (passage_id, act_id)
);
CREATE VIEW IF NOT EXISTS gone AS SELECT passage_id FROM (SELECT DISTINCT passage_id FROM cuts) p
  WHERE coalesce(
    (SELECT part FROM cuts c JOIN standing s USING (act_id) WHERE c.passage_id = p.passage_id
     ORDER BY s.seq DESC LIMIT 1),
    (SELECT CASE part WHEN 'new' THEN 'old' ELSE 'new' END FROM cuts c JOIN acts a USING (act_id)
     WHERE c.passage_id = p.passage_id ORDER BY a.seq LIMIT 1)) = 'old';
CREATE TABLE IF NOT EXISTS notes (
  codebook TEXT NOT NULL,
  what TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (codebook, what)
);
CREATE TABLE IF NOT EXISTS assignments (
  codebook TEXT NOT NULL,
  passage_id TEXT NOT NULL,
  coder TEXT NOT NULL,
  why TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (codebook, passage_id, coder)
);
CREATE TABLE IF NOT EXISTS accounts (
  name TEXT PRIMARY KEY,
  secret TEXT NOT NULL,
  adjudicates INTEGER NOT NULL,
  at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, name TEXT NOT NULL, until TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a reviewer did; `act_id` is the browser's, so that a repeated request adds nothing."""

    act_id: str
    coder: str
    kind: Kind
    body: Mapping[str, Any]
    at: datetime
    passage_id: str = ""
    codebook: str = ""
    undoes: str | None = None
    """The act that an undo takes back; only a coder's own can be."""
    seq: int = 0
    """Its place on the desk, from 1; 0 before it lies there."""


@dataclass(frozen=True, slots=True)
class Item:
    """A passage in the queue of a codebook, with everything that its page shows."""

    codebook: str
    position: float
    passage_id: str
    why: str
    """unsure, audit, assigned or reader: what put it before people."""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """The file, and the patience, in seconds, to wait for it."""

    path: Path
    wait: float = 10.0

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open for one transaction: on disk at the block's end, or not at all.

        Raises:
            StoreError: the file cannot be written or is no desk.
            StoreBusy: another process held it for longer than `wait`.
        """
        try:
            con = sqlite3.connect(self.path, timeout=self.wait, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: cannot be opened ({error}); choose a folder that exists"
            ) from None
        try:
            con.row_factory = sqlite3.Row
            con.execute("PRAGMA synchronous = FULL")
            if con.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                con.execute("PRAGMA journal_mode = WAL")
            if not con.execute("SELECT 1 FROM sqlite_master WHERE name = 'desk'").fetchone():
                _make(con)
            con.execute("BEGIN IMMEDIATE")
            yield con
            con.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreBusy(
                    f"{self.path}: in use by another process for more than {self.wait:g} s; try again"
                ) from None
            raise StoreError(
                f"{self.path}: cannot be written ({error}); make room on the disk and try again, what was "
                "acknowledged before is kept"
            ) from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: {error}; is it a desk?") from None
        finally:
            con.close()

    @property
    def id(self) -> str:
        """The desk's own name, which the store remembers it by."""
        with self.open() as con:
            return str(con.execute("SELECT id FROM desk").fetchone()[0])

    def add(self, acts: Sequence[Act], items: Sequence[Item] = ()) -> list[Act]:
        """Put acts on the desk, all or none, and return them as they lie there.

        One that is there already stays as it is. `items` are the passages that a recut makes; they
        go into the queue with it.

        Raises:
            StoreError: they are not on disk, or a passage was recut by somebody meanwhile. Nothing
                may be acknowledged then.
        """
        with self.open() as con:
            for act in acts:
                if act.undoes is not None:
                    _check_uncut(con, act)
                made = con.execute(
                    "INSERT INTO acts (act_id, coder, kind, passage_id, codebook, body, undoes, at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [
                        act.act_id, act.coder, act.kind, act.passage_id, act.codebook,
                        json.dumps(dict(act.body), ensure_ascii=False), act.undoes,
                        act.at.astimezone(UTC).isoformat(),
                    ],
                )  # fmt: skip
                if act.kind == "recut" and made.rowcount:
                    _cut(con, act, items)
            names = [act.act_id for act in acts]
            rows = con.execute(
                f"SELECT * FROM acts WHERE act_id IN ({','.join('?' * len(names))}) ORDER BY seq",  # noqa: S608
                names,
            )
            return [_act(row) for row in rows]

    def acts(self, after: int = 0, most: int = 10_000) -> list[Act]:
        """Return acts in their order, those behind place `after`, `most` at the most."""
        with self.open() as con:
            rows = con.execute("SELECT * FROM acts WHERE seq > ? ORDER BY seq LIMIT ?", [after, most])
            return [_act(row) for row in rows]

    def standing(self, coder: str = "", codebook: str = "") -> list[Act]:
        """Return what was done and not taken back, in order; by a coder or all, with a codebook or all."""
        with self.open() as con:
            rows = con.execute(
                "SELECT * FROM standing WHERE (? = '' OR coder = ?) AND (? = '' OR codebook = ?) "
                "ORDER BY seq",
                [coder, coder, codebook, codebook],
            )
            return [_act(row) for row in rows]

    def reviewed(self, codebook: str, coder: str) -> int:
        """Return how many passages a coder has coded with a codebook."""
        with self.open() as con:
            row = con.execute(
                "SELECT count(DISTINCT passage_id) FROM standing WHERE codebook = ? AND coder = ? "
                "AND kind = 'review'",
                [codebook, coder],
            ).fetchone()
            return int(row[0])

    def assigned(self, codebook: str, coder: str) -> dict[str, str]:
        """Return the passages that were given to a coder, and why."""
        with self.open() as con:
            rows = con.execute(
                "SELECT passage_id, why FROM assignments WHERE codebook = ? AND coder = ?", [codebook, coder]
            )
            return {row["passage_id"]: row["why"] for row in rows}

    def lay(self, codebook: str, items: Sequence[Item], notes: Mapping[str, Any] | None = None) -> None:
        """Replace the queue of a codebook, and what is noted of it.

        The queue before is put aside, for pages that are still open; the one before that goes.
        """
        with self.open() as con:
            con.execute("DELETE FROM items WHERE codebook = ? AND position IS NULL", [codebook])
            con.execute("UPDATE items SET position = NULL WHERE codebook = ?", [codebook])
            con.execute("DELETE FROM notes WHERE codebook = ?", [codebook])
            _lay(con, items)
            con.executemany(
                "INSERT INTO notes VALUES (?, ?, ?)",
                [[codebook, what, json.dumps(body)] for what, body in (notes or {}).items()],
            )

    def note(self, codebook: str, what: str) -> Any:
        """Return what was noted of a codebook's queue under this name, None where nothing was."""
        with self.open() as con:
            row = con.execute(
                "SELECT body FROM notes WHERE codebook = ? AND what = ?", [codebook, what]
            ).fetchone()
            return json.loads(row[0]) if row else None

    def item(self, codebook: str, passage_id: str) -> Item | None:
        """Return a passage of the queue or of the one before, None where it is in neither."""
        with self.open() as con:
            row = con.execute(
                "SELECT * FROM items WHERE codebook = ? AND passage_id = ? LIMIT 1", [codebook, passage_id]
            ).fetchone()
            return _item(row) if row else None

    def next(self, codebook: str, coder: str, most: int = 1) -> list[Item]:
        """Return the first passages of the queue that the coder has not dealt with: theirs first.

        A passage assigned to the coder comes first. One that another coder has coded is left out
        unless it is assigned, so that two coders at one queue do not meet.
        """
        with self.open() as con:
            rows = con.execute(
                """
                WITH dealt AS (
                  SELECT passage_id, coder, kind FROM standing
                  WHERE codebook = :codebook AND kind IN ('review', 'skip', 'flag')
                ), mine AS (
                  SELECT passage_id FROM assignments WHERE codebook = :codebook AND coder = :coder
                )
                SELECT i.* FROM items i
                WHERE i.codebook = :codebook AND i.position IS NOT NULL
                  AND i.passage_id NOT IN (SELECT passage_id FROM dealt WHERE coder = :coder)
                  AND i.passage_id NOT IN (SELECT passage_id FROM gone)
                  AND (i.passage_id IN (SELECT passage_id FROM mine)
                       OR i.passage_id NOT IN (SELECT passage_id FROM dealt WHERE kind = 'review'))
                ORDER BY i.passage_id NOT IN (SELECT passage_id FROM mine), i.position LIMIT :most
                """,
                {"codebook": codebook, "coder": coder, "most": most},
            )
            return [_item(row) for row in rows]

    def assign(self, codebook: str, coder: str, passage_ids: Sequence[str], why: str) -> int:
        """Give passages to a coder; return how many they did not have yet."""
        at = datetime.now(UTC).isoformat()
        with self.open() as con:
            before = con.total_changes
            con.executemany(
                "INSERT INTO assignments VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [[codebook, passage_id, coder, why, at] for passage_id in passage_ids],
            )
            return con.total_changes - before

    def assignments(self, codebook: str) -> list[tuple[str, str, str]]:
        """Return (passage, coder, why) of all that was given to coders, in that order."""
        with self.open() as con:
            rows = con.execute(
                "SELECT passage_id, coder, why FROM assignments WHERE codebook = ? ORDER BY at, rowid",
                [codebook],
            )
            return [tuple(row) for row in rows]

    def queue(self, codebook: str) -> list[Item]:
        """Return the queue of a codebook, in order, whoever has dealt with it since."""
        with self.open() as con:
            rows = con.execute(
                "SELECT * FROM items WHERE codebook = ? AND position IS NOT NULL ORDER BY position",
                [codebook],
            )
            return [_item(row) for row in rows]

    def reached(self) -> int:
        """Return the place of the last act; 0 where there is none."""
        with self.open() as con:
            return int(con.execute("SELECT coalesce(max(seq), 0) FROM acts").fetchone()[0])

    def last(self, codebook: str, coder: str) -> Act | None:
        """Return what a coder did last with a codebook and did not take back."""
        with self.open() as con:
            row = con.execute(
                "SELECT * FROM standing WHERE coder = ? AND (codebook = ? OR json_extract(body, '$.in') = ?) "
                "ORDER BY seq DESC LIMIT 1",
                [coder, codebook, codebook],
            ).fetchone()
            return _act(row) if row else None

    def together(self, act: Act) -> list[Act]:
        """Return the acts of the same form as this one that stand, itself included."""
        stem = act.act_id.partition(".")[0]
        with self.open() as con:
            rows = con.execute(
                "SELECT * FROM standing WHERE coder = ? AND act_id >= ? AND act_id < ? ORDER BY seq",
                [act.coder, stem, f"{stem}/"],  # . stands before /
            )
            return [_act(row) for row in rows if row["act_id"].partition(".")[0] == stem]

    def said(self, codebook: str, coder: str, passage_id: str) -> Act | None:
        """Return how a coder coded a passage last, also where they took it back."""
        with self.open() as con:
            row = con.execute(
                "SELECT * FROM acts WHERE codebook = ? AND coder = ? AND passage_id = ? AND kind = 'review' "
                "ORDER BY seq DESC LIMIT 1",
                [codebook, coder, passage_id],
            ).fetchone()
            return _act(row) if row else None

    def queued(self, codebook: str, why: str) -> set[str]:
        """Return the passages that are in the queue for this reason."""
        with self.open() as con:
            rows = con.execute(
                "SELECT passage_id FROM items WHERE codebook = ? AND why = ? AND position IS NOT NULL",
                [codebook, why],
            )
            return {row["passage_id"] for row in rows}


def of(database: Path) -> Desk:
    """Return the desk that belongs to a store's file."""
    return Desk(database.with_suffix(".desk.sqlite"))


def _make(con: sqlite3.Connection) -> None:
    con.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        con.execute(statement)
    if not con.execute("SELECT 1 FROM desk").fetchone():
        con.execute("INSERT INTO desk VALUES (?)", [secrets.token_hex(8)])
    con.execute("COMMIT")


def _cut(con: sqlite3.Connection, act: Act, items: Sequence[Item]) -> None:
    """Let passages stand in the place of others; one that was there before keeps what is known of it."""
    old, new = list(act.body["replaces"]), [one.passage_id for one in items]
    for row in con.execute("SELECT passage_id FROM gone"):
        if row["passage_id"] in old:
            raise StoreError(
                f"passage {row['passage_id'][:8]} was split or merged meanwhile; go on with the next one"
            )
    con.executemany(
        "INSERT INTO cuts VALUES (?, ?, ?)",
        [
            *([name, act.act_id, "old"] for name in old if name not in new),
            *([name, act.act_id, "new"] for name in new),
        ],
    )
    con.executemany("INSERT OR IGNORE INTO items VALUES (?, ?, ?, ?, ?)", map(_row, items))


def _check_uncut(con: sqlite3.Connection, act: Act) -> None:
    """Refuse to take a recut back whose passages were recut since: passages would overlap."""
    rows = con.execute(
        "SELECT n.passage_id FROM standing r JOIN cuts n ON n.act_id = r.act_id AND n.part = 'new' "
        "JOIN cuts c ON c.passage_id = n.passage_id JOIN standing later ON later.act_id = c.act_id "
        "WHERE r.act_id = ? AND r.coder = ? AND later.seq > r.seq",
        [act.undoes, act.coder],
    )
    if row := rows.fetchone():
        raise StoreError(
            f"passage {row['passage_id'][:8]} was split or merged since; take that back first, then this"
        )


def _lay(con: sqlite3.Connection, items: Sequence[Item]) -> None:
    con.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", map(_row, items))


def _row(item: Item) -> list[Any]:
    body = json.dumps(dict(item.body), ensure_ascii=False)
    return [item.codebook, item.position, item.passage_id, item.why, body]


def _act(row: sqlite3.Row) -> Act:
    return Act(
        row["act_id"], row["coder"], row["kind"], json.loads(row["body"]), datetime.fromisoformat(row["at"]),
        row["passage_id"], row["codebook"], row["undoes"], row["seq"],
    )  # fmt: skip


def _item(row: sqlite3.Row) -> Item:
    return Item(
        row["codebook"],
        row["position"] or 0.0,
        row["passage_id"],
        row["why"],
        json.loads(row["body"]),
    )
