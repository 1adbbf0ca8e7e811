"""The main job: what is new comes in, is coded, and is published."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, steps

from .code import encode_and_code
from .ingest import may_pass, read


@task(
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    task_run_name="publish {project}",
)
def publish(project: Path) -> Path:
    """Replace the snapshot for readers."""
    return steps.publish(config.load(project))


@flow(name="nightly", flow_run_name="nightly {project}")
def nightly(project: Path) -> tuple[steps.Ingested, steps.Coded]:
    """Ingest, code, and publish if anything changed."""
    ingested = read(project)
    coded = encode_and_code(project)
    if ingested.files or coded.passages:
        publish(project)
    return ingested, coded
