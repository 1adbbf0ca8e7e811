"""A run is compared with those before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qinlp.config import Config
from qinlp.steps.run import Watch, unwatched


@dataclass(frozen=True, slots=True)
class Measured:
    """What `measure` found."""

    findings: tuple[Any, ...] = ()


def measure(config: Config, watch: Watch = unwatched) -> Measured:  # noqa: ARG001
    """Compare the last run with those before it."""
    return Measured()
