"""Which model the project codes with, and how that is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qinlp import shipped
from qinlp.config import Config
from qinlp.errors import ModelError
from qinlp.steps.run import Run
from qinlp.store import Store, promotions
from qinlp.store.promotions import Promotion, Why

if TYPE_CHECKING:
    from qinlp.coding.model import Model


@dataclass(frozen=True, slots=True)
class Known:
    """A model that the project can code with."""

    name: str
    in_use: bool
    card: Mapping[str, Any]
    promoted: Promotion | None = None
    """When it was taken into use last, and why."""


def models(config: Config) -> list[Known]:
    """Return the models of the project and the shipped ones, those that were in use and are gone too."""
    found: dict[str, Mapping[str, Any]] = {}
    for folder in (*config.model_folders, shipped.folder("models")):
        for card in sorted(folder.glob("*/card.json")):
            try:
                found.setdefault(card.parent.name, json.loads(card.read_text("utf-8")))
            except (OSError, ValueError) as error:
                raise ModelError(f"{card}: cannot be read ({error}); train it again") from None
    promoted = _history(config)
    last = {one.model: one for one in promoted}
    used = promotions.standing(promoted, config.coding.model)[-1]
    return [
        Known(name, name == used, found.get(name, {}), last.get(name))
        for name in sorted(found.keys() | last.keys() | {used})
    ]


def promote(config: Config, name: str, by: str) -> Promotion:
    """Take a model into use by hand.

    Raises:
        ModelError: there is no such model, or it is in use already.
    """
    from qinlp.coding.model import find

    model = find(name, config.model_folders)
    if promotions.standing(_history(config), config.coding.model)[-1] == name:
        raise ModelError(f"model {name!r} is in use already; `qinlp model list` names the others")
    return _write(config, model, "by hand", by)


def rollback(config: Config, by: str) -> Promotion:
    """Take the model back into use that was in use before.

    Raises:
        ModelError: there was none before, or it is there no more.
    """
    from qinlp.coding.model import find

    standing = promotions.standing(_history(config), config.coding.model)
    if len(standing) == 1:
        raise ModelError(
            f"{standing[0]!r} is the model that qinlp.toml names, and none was promoted since; "
            "name another there, or with `qinlp model promote NAME`"
        )
    return _write(config, find(standing[-2], config.model_folders), "rollback", by)


def promotion(
    con: Any,
    config: Config,
    model: Model,
    why: Why,
    by: str = "",
    comparison: Mapping[str, Any] | None = None,
) -> Promotion:
    """Return the promotion, now, of a model that replaces the one in use."""
    replaces = promotions.standing(promotions.history(con, config.coding.model), config.coding.model)[-1]
    return Promotion(
        model.name, model.fingerprint, replaces, config.coding.model, why, comparison or {}, by,
        datetime.now(UTC),
    )  # fmt: skip


def _write(config: Config, model: Model, why: Why, by: str) -> Promotion:
    store = Store(config.database_path)
    with Run(store, "promote", {"model": model.name, "why": why}) as run:
        with store.write() as con:
            run.begin(con)
            one = promotion(con, config, model, why, by)
            promotions.add(con, run.id, one)
        run.finish({"model": one.model, "replaces": one.replaces})
    return one


def _history(config: Config) -> list[Promotion]:
    if not config.database_path.exists():
        return []
    with Store(config.database_path).read() as con:
        return promotions.history(con, config.coding.model)
