"""New files become documents and passages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, show, steps
from qinlp.errors import QinlpError, StoreBusy


def may_pass(task: Any, run: Any, state: Any) -> bool:  # noqa: ARG001
    """Tell whether trying again can help: a busy database may be free then, a wrong setting stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StoreBusy) or not isinstance(error, QinlpError)


@task(
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    task_run_name="read {project}",
)
def read(project: Path) -> steps.Ingested:
    """Read the project's paths into the store, which knows what it has read already."""
    settings = config.load(project)
    paths = [settings.folder / path for path in settings.ingest.paths]
    with show.progress() as watch:
        return steps.ingest(settings, paths, watch, settle=settings.ingest.settle_seconds)


@flow(name="ingest", flow_run_name="ingest {project}")
def ingest(project: Path) -> steps.Ingested:
    """Ingest the files and folders that the project names."""
    return read(project)
