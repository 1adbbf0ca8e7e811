"""The main job: what is new comes in, is coded, measured, laid before people and published; then a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from qinlp import config, report, show, steps

from .code import code
from .ingest import bring_in
from .parts import AGAIN, Parts, run_name
from .train import learn


@task(**AGAIN, task_run_name="measure")
def measure(project: Path) -> steps.Measured:
    """Compare what came in with what came in before."""
    with show.progress() as watch:
        return steps.measure(config.load(project), watch)


@task(**AGAIN, task_run_name="carry")
def carry(project: Path) -> steps.Carried:
    """Take over what reviewers did at their desk."""
    with show.progress() as watch:
        return steps.carry(config.load(project), watch)


@task(**AGAIN, task_run_name="queue")
def queue(project: Path) -> steps.Queued:
    """Lay on the reviewers' desk what they should look at next."""
    with show.progress() as watch:
        return steps.queue(config.load(project), watch)


@task(**AGAIN, task_run_name="publish")
def publish(project: Path) -> Path:
    """Replace the snapshot for readers."""
    return steps.publish(config.load(project))


@flow(name="nightly", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]
def nightly(project: Path) -> Any:
    """Ingest, take over reviews, code, learn if it is due, measure, lay the queue, publish what changed."""
    settings, parts, log = config.load(project), Parts(), get_run_logger()
    began = datetime.now(UTC)
    outcome = bring_in(settings, parts)
    if settings.database_path.exists():
        parts.take("carry", carry.submit(project))
        outcome = replace(outcome, coded=parts.take("code", code(project, return_state=True)))
        if steps.due(settings):
            outcome = replace(outcome, learned=parts.take("train", learn.submit(project)))
        outcome = replace(outcome, measured=parts.take("measure", measure.submit(project)))
        parts.take("queue", queue.submit(project))
        if steps.unpublished(settings):
            parts.take("publish", publish.submit(project))
    outcome = replace(outcome, failures=tuple(parts.failures))
    create_markdown_artifact(
        report.markdown(outcome, settings, steps.quarantined(settings, began), steps.measures(settings)),
        key=report.key("nightly", settings),
        description=f"What the night brought to {report.title(settings)}",
    )
    for line in report.findings(outcome):
        log.warning("%s", line)
    return parts.end(outcome)
