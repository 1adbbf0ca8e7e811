"""The one way out: requests with a rate, a budget and a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class Client:
    """Asks one service."""

    def fetch(self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the answer."""
        raise NotImplementedError
