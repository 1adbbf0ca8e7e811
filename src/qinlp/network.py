"""The one way out: requests with a rate, a budget and a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went to one host and came back."""

    host: str
    requests: int
    bytes_out: int
    bytes_in: int


class Egress:
    """Counts what goes to which host."""

    def take(self) -> tuple[Traffic, ...]:
        """Return what was sent since this was last asked."""
        raise NotImplementedError


class Budget:
    """How much one run may ask, all its searches together."""

    def __init__(self, requests: int, minutes: float) -> None:
        raise NotImplementedError


class Client:
    """Asks one service."""

    def __init__(
        self,
        base_url: str,
        *,
        rate: float,
        budget: Budget,
        egress: Egress,
        tries: int,
        timeout_seconds: float,
        patience: float = 1.0,
        secrets: Sequence[str] = (),
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        raise NotImplementedError

    def fetch(self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the answer."""
        raise NotImplementedError
