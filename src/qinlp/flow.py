"""Load a shipped Prefect flow, and run it here and now, in this process.

A flow is an attribute of this module: `qinlp.flow.nightly` is the entrypoint that a deployment names,
in a checkout as well as installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qinlp import shipped
from qinlp.errors import ConfigError, nearest

if TYPE_CHECKING:
    from types import ModuleType

    from qinlp.report import Outcome

_PACKAGE = "qinlp_flows"
FLOWS = ("nightly", "ingest", "code", "train")
RUNNABLE = ("ingest", "code", "nightly")
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",  # a slow or busy machine
    "PREFECT_LOGGING_EXTRA_LOGGERS": "qinlp",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
"""How Prefect is set where the environment does not say otherwise; no telemetry."""


def set_up() -> None:
    """Set Prefect as `SETTINGS` has it; before Prefect is imported."""
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)


def load(name: str) -> Any:
    """Return a shipped flow by its file's name: ingest, code, train, nightly."""
    set_up()
    logging.getLogger("qinlp").setLevel(logging.INFO)
    if _PACKAGE not in sys.modules:
        folder = shipped.folder("flows")
        spec = importlib.util.spec_from_file_location(
            _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None  # noqa: PT018, S101
        package: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[_PACKAGE] = package
        spec.loader.exec_module(package)
    return getattr(importlib.import_module(f"{_PACKAGE}.{name}"), name)


def __getattr__(name: str) -> Any:
    if name in FLOWS:
        return load(name)
    raise AttributeError(name)


def run(name: str, project: Path) -> Outcome:
    """Run a flow over a project; Prefect keeps its record of it.

    Raises:
        ConfigError: there is no such flow.
        QinlpError: the flow was refused, or every part of it failed.
    """
    from qinlp.report import Outcome

    if name not in RUNNABLE:
        raise ConfigError(f"no flow {name!r}; {nearest(name, RUNNABLE)}")
    if "PREFECT_LOGGING_LEVEL" not in os.environ:  # the log is Prefect's to keep, not the terminal's to show
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    done = load(name)(project)
    return done if isinstance(done, Outcome) else Outcome(coded=done)
