"""The snapshot for readers."""

from __future__ import annotations

from pathlib import Path

from qinlp.config import Config
from qinlp.store import Store


def publish(config: Config, to: Path | None = None) -> Path:
    """Replace the read-only snapshot for notebooks and SQL shells; return its path."""
    from qinlp.store.publish import publish as copy

    return copy(Store(config.database_path), to or config.database_path.with_suffix(".snapshot.duckdb"))
