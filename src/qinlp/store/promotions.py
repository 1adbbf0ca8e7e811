"""Which model is in use, as the store keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Why = Literal["better", "by hand", "rollback"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """A time that another model was taken into use; see the table `promotions`."""

    model: str
    fingerprint: str
    replaces: str
    configured: str
    why: Why
    comparison: Mapping[str, Any]
    promoted_by: str
    promoted_at: datetime


def add(con: DuckDBPyConnection, run_id: str, one: Promotion) -> None:
    """Take a model into use."""
    con.execute(
        "INSERT INTO promotions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            run_id, one.model, one.fingerprint, one.replaces, one.configured, one.why,
            json.dumps(dict(one.comparison)), one.promoted_by, one.promoted_at,
        ],
    )  # fmt: skip


def history(con: DuckDBPyConnection, configured: str) -> list[Promotion]:
    """Return what was promoted while qinlp.toml named this model, in order."""
    rows = con.execute(
        "SELECT model, fingerprint, replaces, configured, why, comparison, promoted_by, promoted_at "
        "FROM promotions WHERE configured = ? ORDER BY run_id",
        [configured],
    ).fetchall()
    return [
        Promotion(model, fingerprint, replaces, of, why, json.loads(comparison), by, at)
        for model, fingerprint, replaces, of, why, comparison, by, at in rows
    ]


def standing(promoted: list[Promotion], configured: str) -> list[str]:
    """Return the models that stand, the one in use last, the one before it before, and `configured` first."""
    models = [configured]
    for one in promoted:
        if one.why == "rollback":
            models.pop()
        else:
            models.append(one.model)
    return models
