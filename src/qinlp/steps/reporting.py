"""What the store says of a run, for its report."""

from __future__ import annotations

from datetime import datetime

from qinlp.analysis import health
from qinlp.config import Config
from qinlp.store import Store


def quarantined(config: Config, since: datetime) -> list[dict[str, str]]:
    """Return what went to the quarantine since then: source, record, reason; newest first."""
    if not config.database_path.exists():
        return []
    with Store(config.database_path).read() as con:
        rows = con.execute(
            "SELECT source, record, reason FROM quarantine WHERE quarantined_at >= ? "
            "ORDER BY quarantined_at DESC, source, record",
            [since],
        ).fetchall()
    return [dict(zip(("source", "record", "reason"), row, strict=True)) for row in rows]


def measures(config: Config) -> str:
    """Return what was measured last beside the runs before, as a Markdown table; "" where nothing was."""
    if not config.database_path.exists():
        return ""
    with Store(config.database_path).read() as con:
        return health.markdown(con)
