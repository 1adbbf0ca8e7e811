"""Run a shipped Prefect flow here and now, in this process."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qinlp import shipped
from qinlp.errors import ConfigError, nearest

if TYPE_CHECKING:
    from types import ModuleType

    from qinlp.steps import Coded, Ingested

_PACKAGE = "qinlp_flows"
RUNNABLE = ("ingest", "code", "nightly")


def load(name: str) -> Any:
    """Return a shipped flow by its file's name: ingest, code, train, nightly."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")  # a slow or busy machine
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


def run(name: str, project: Path) -> tuple[Ingested | None, Coded | None]:
    """Run a flow over a project; Prefect keeps its record of it.

    Raises:
        ConfigError: there is no such flow.
    """
    if name not in RUNNABLE:
        raise ConfigError(f"no flow {name!r}; {nearest(name, RUNNABLE)}")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    done = load(name)(project)
    if name == "ingest":
        return done, None
    if name == "code":
        return None, done
    return done  # type: ignore[no-any-return]
