"""What is new comes in: each search and the watched folders side by side; then records are matched."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.task_runners import ThreadPoolTaskRunner

from qinlp import config, report, show, steps
from qinlp.errors import StoreError
from qinlp.network import Budget

from . import turns
from .parts import AGAIN, Parts, run_name


@task(**AGAIN)
def search(project: Path, name: str, budget: Budget, watch: steps.Watch) -> steps.Found:
    """Ask one search for what is new since its watermark."""
    settings = config.load(project)
    source = next(one.source for one in settings.search if one.name == name)
    with turns.turn(source, settings.network.minutes):
        return steps.search(settings, name, budget=budget, watch=watch)


@task(**AGAIN, task_run_name="read documents")
def read(project: Path, watch: steps.Watch) -> steps.Ingested:
    """Read the project's paths into the store, which knows what it has read already."""
    settings = config.load(project)
    paths = [settings.folder / path for path in settings.ingest.paths]
    return steps.ingest(settings, paths, watch, settle=settings.ingest.settle_seconds)


@task(**AGAIN, task_run_name="match records")
def match(project: Path, watch: steps.Watch) -> steps.Matched:
    """Find which records are the same paper."""
    return steps.match(config.load(project), watch)


@flow(name="ingest", flow_run_name=run_name, task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]
def ingest(project: Path) -> Any:
    """Ask the project's searches, read the files and folders that it names, match what came."""
    parts = Parts()
    return parts.end(bring_in(config.load(project), parts))


def bring_in(settings: config.Config, parts: Parts) -> report.Outcome:
    """Run the parts of `ingest` inside the flow that calls."""
    project, log = settings.folder, get_run_logger()
    turns.prepare(one.source for one in settings.search)
    budget = Budget(settings.network.requests, settings.network.minutes)
    with show.progress() as watch:
        asked = {
            one.name: search.with_options(task_run_name=_run_name(settings, one)).submit(
                project, one.name, budget, watch
            )
            for one in settings.search
        }
        reading = read.submit(project, watch)
        found = [parts.take(f"search {name}", future) for name, future in asked.items()]
        ingested = parts.take("read documents", reading)
        matched = None
        if settings.database_path.exists():
            matched = parts.take("match records", match.submit(project, watch))
    outcome = report.Outcome(tuple(one for one in found if one), ingested, matched)
    for line in report.arrivals(outcome):
        log.info("%s", line)
    return outcome


def _run_name(settings: config.Config, one: config.Search) -> str:
    """Say source and window, as far as the store tells it."""
    with suppress(StoreError):
        since, until = steps.window(settings, one.name)
        return f"search {one.source} {one.name} {since} to {until}"
    return f"search {one.source} {one.name}"
