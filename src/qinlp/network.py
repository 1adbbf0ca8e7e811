"""The one way out: requests with a rate, a budget and a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class Budget:
    """How far a run may go."""

    def __init__(self, requests: int, minutes: float) -> None:
        self.requests, self.minutes = requests, minutes


class Client:
    """Asks one service."""

    def fetch(self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the answer."""
        raise NotImplementedError
