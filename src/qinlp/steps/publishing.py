"""The snapshot for readers."""

from __future__ import annotations

from pathlib import Path

from qinlp.config import Config
from qinlp.store import Store


def publish(config: Config, to: Path | None = None) -> Path:
    """Replace the read-only snapshot for notebooks and SQL shells; return its path."""
    from qinlp.store.publish import publish as copy

    return copy(Store(config.database_path), to or _snapshot(config))


def unpublished(config: Config) -> bool:
    """Tell whether the database was written since its snapshot was made, or has none."""
    snapshot, database = _snapshot(config), config.database_path
    if not snapshot.exists():
        return True
    log = database.with_name(f"{database.name}.wal")
    written = max(path.stat().st_mtime_ns for path in (database, log) if path.exists())
    return written > snapshot.stat().st_mtime_ns


def _snapshot(config: Config) -> Path:
    return config.database_path.with_suffix(".snapshot.duckdb")
