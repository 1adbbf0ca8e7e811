"""Open the database for as short as possible.

DuckDB lets one process write and shuts all others out meanwhile, so nobody holds a connection
while computing: a read or a write is opened, done and closed, and whoever finds the file taken
tries again until `wait` is over. DuckDB's own file lock is the lease.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qinlp.errors import StoreBusy, StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "enable_external_access": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}

# Two connections of one process to one file must agree in their settings, so threads take turns.
_turns: defaultdict[Path, threading.RLock] = defaultdict(threading.RLock)


@dataclass(frozen=True, slots=True)
class Store:
    """A database file and the patience, in seconds, to wait for it."""

    path: Path
    wait: float = 60.0

    @contextmanager
    def read(self) -> Iterator[DuckDBPyConnection]:
        """Open read-only for the length of the block.

        Raises:
            StoreError: there is no such file, it is no DuckDB database, or that of a newer qinlp.
            StoreBusy: a writer held it for longer than `wait`.
        """
        if not self.path.exists():
            raise StoreError(f"{self.path}: no database yet; `qinlp ingest PATH` makes it")
        from qinlp.store.migrate import missing

        with _turns[self.path.resolve()]:
            con = self._connect(read_only=True)
            try:
                if missing(con):  # an older qinlp's, or left empty by a first run that was cut off
                    con.close()
                    with self.write():
                        pass
                    con = self._connect(read_only=True)
                yield con
            finally:
                con.close()

    @contextmanager
    def write(self) -> Iterator[DuckDBPyConnection]:
        """Hold the write lease for one transaction: committed at the block's end, or not at all.

        A new file, or one of an older qinlp, is migrated first.

        Raises:
            StoreError: the folder is missing, the file is no DuckDB database or that of a newer qinlp,
                or there is no room for more.
            StoreBusy: others held it for longer than `wait`.
        """
        import duckdb

        from qinlp.store.migrate import migrate

        with _turns[self.path.resolve()]:
            if not self.path.exists():
                self._make()
            con = self._connect(read_only=False)
            try:
                migrate(con)
                con.execute("BEGIN")
                yield con
                con.execute("COMMIT")
            except BaseException as error:
                with suppress(duckdb.Error):  # DuckDB may have rolled back already
                    con.execute("ROLLBACK")
                if not isinstance(
                    error, duckdb.IOException | duckdb.FatalException | duckdb.TransactionException
                ):
                    raise
                raise StoreError(
                    f"{self.path}: cannot be written ({' '.join(str(error).split())}); make room on the disk "
                    "and run again, what was committed before is kept"
                ) from None
            finally:
                con.close()

    @contextmanager
    def checkpointed(self) -> Iterator[None]:
        """Keep every other process out, with all data in the file itself and none in its log."""
        with _turns[self.path.resolve()]:
            con = self._connect(read_only=False)
            try:
                con.execute("CHECKPOINT")
                yield
            finally:
                con.close()

    def _make(self) -> None:
        """Make the database under another name and link it in whole, so that nobody meets half of one."""
        import duckdb

        from qinlp.store.migrate import migrate

        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            con = duckdb.connect(draft, config=_SETTINGS)
            migrate(con)
            con.close()
            with suppress(FileExistsError):  # another process was first, and as good
                os.link(draft, self.path)
        except (OSError, duckdb.Error) as error:
            raise StoreError(
                f"{self.path}: cannot be written ({' '.join(str(error).split())}); make room on the disk, "
                "or choose a folder that exists and may be written to"
            ) from None
        finally:
            draft.unlink(missing_ok=True)
            draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        until = time.monotonic() + self.wait
        pause = 0.005
        while True:
            try:
                return duckdb.connect(self.path, read_only=read_only, config=_SETTINGS)
            except duckdb.IOException as error:
                said = str(error)
                if "Could not set lock" not in said:
                    raise StoreError(
                        f"{self.path}: {said.splitlines()[0]}; is it a DuckDB database?"
                    ) from None
                if time.monotonic() > until:
                    holder = re.search(r"\(PID \d+\)", said)
                    raise StoreBusy(
                        f"{self.path}: in use by another process {holder[0] if holder else ''} for more "
                        f"than {self.wait:g} s; close it there (a SQL shell? read the snapshot that "
                        "`qinlp publish` writes instead) and run again, nothing is lost"
                    ) from None
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
                pause = min(pause * 1.6, 0.2)
