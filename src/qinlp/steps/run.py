"""A step's row in `runs`, and how it tells how far it is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

from qinlp import __version__
from qinlp.errors import StoreError
from qinlp.store import Store, append

Watch = Callable[[str, int, int], None]
"""Told how a step is getting on: what it does, how much is done, of how much (0: not known)."""


def unwatched(what: str, done: int, of: int) -> None:
    """Watch nothing."""


class Run:
    """A row of `runs`, written with the first batch: a step that finds no work writes nothing."""

    def __init__(self, store: Store, kind: str, settings: Mapping[str, Any]) -> None:
        self.store, self.kind, self.settings = store, kind, settings
        self.started = datetime.now(UTC)
        self.id = f"{self.started:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(2)}"
        self.wrote = False
        self.so_far: Mapping[str, Any] = {}
        """What it did up to now, for a run that fails to tell beside its reason."""

    def begin(self, con: Any) -> None:
        """Write the row with a batch; a batch after the first finds it there."""
        append.start_run(con, self.id, self.kind, self.started, __version__, self.settings)
        self.wrote = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and self.wrote:
            with contextlib.suppress(StoreError):
                self._end("failed", {**self.so_far, "error": str(error) or type(error).__name__})

    def finish(self, counts: Mapping[str, Any]) -> None:
        """Note what a run did that wrote something."""
        if self.wrote:
            self._end("completed", counts)

    def _end(self, status: str, counts: Mapping[str, Any]) -> None:
        with self.store.write() as con:
            append.finish_run(con, self.id, datetime.now(UTC), status, counts)
