"""Passages become vectors and codings."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, show, steps

from .parts import may_pass


@task(
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    task_run_name="code {project}",
)
def encode_and_code(project: Path) -> steps.Coded:
    """Encode and code what the store does not hold yet."""
    with show.progress() as watch:
        return steps.code(config.load(project), watch)


@flow(name="code", flow_run_name="code {project}")
def code(project: Path) -> steps.Coded:
    """Code every passage with the project's codebooks."""
    return encode_and_code(project)
