"""Passages become vectors and codings, in this process or on a Dask cluster.

The step in `encode_and_code` alone reads and writes the database. On a cluster every batch is a task
of its own that waits for its Dask worker, so the workers need no way to Prefect, nor to the database.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, show, steps
from qinlp.errors import ConfigError, QinlpError

from .parts import AGAIN, run_name

ANSWERS_WITHIN = 30
"""Seconds that a scheduler has to answer, and a first worker to be there."""

W = TypeVar("W")
R = TypeVar("R")


def may_pass_elsewhere(task: Any, run: Any, state: Any) -> bool:  # noqa: ARG001
    """Tell whether trying again can help: a worker may have died, but a wrong model stays wrong."""
    return not isinstance(state.result(raise_on_failure=False), QinlpError | CancelledError)


@task(
    retries=2,
    retry_delay_seconds=1,
    retry_condition_fn=may_pass_elsewhere,
    cache_policy=NO_CACHE,
    persist_result=False,
    task_run_name="{name} {number}",
)
def batch(name: str, number: int, there: Callable[[], R]) -> R:  # noqa: ARG001
    """Have one batch computed `there`, and wait for it."""
    return there()


@contextmanager
def place(compute: config.Compute) -> Iterator[steps.Compute]:
    """Open what the project computes on.

    Raises:
        ConfigError: Dask is not installed, its scheduler does not answer or has no workers.
    """
    if compute.runner == "thread":
        yield map
        return
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigError("compute.runner = 'dask' needs the extra: pip install \"qinlp[dask]\"") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    here = {"n_workers": compute.workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    runner = (
        DaskTaskRunner(address=compute.address, client_kwargs={"timeout": ANSWERS_WITHIN})
        if compute.address
        else DaskTaskRunner(cluster_kwargs=here)
    )
    with runner:
        if compute.address:
            _reach(runner)
        try:
            yield partial(_on, runner)  # a cluster on this machine starts with the first work
        except BaseException as error:
            # Dask's threads hold the error beyond the end of Python; let it not hold a connection
            traceback.clear_frames(error.__traceback__)
            raise


def _reach(runner: Any) -> None:
    try:
        runner.client.wait_for_workers(1, ANSWERS_WITHIN)
    except (OSError, ValueError):  # no answer in time, no worker in time; no address
        raise ConfigError(
            f"compute.address = {runner.address!r}: no Dask scheduler with a worker answers there within "
            f"{ANSWERS_WITHIN} s; start `dask scheduler` and `dask worker`, or mend the address"
        ) from None


def _on(runner: Any, function: Callable[[W], R], works: Iterable[W]) -> Iterator[R]:
    """Map over a cluster, in order, with two works waiting or at work for each of its threads."""
    waiting: deque[Any] = deque()
    for number, work in enumerate(works, 1):
        there = partial(_on_a_worker, runner.client, function, work)
        waiting.append(batch.submit(function.__name__, number, there))
        while len(waiting) >= 2 * max(1, sum(runner.client.nthreads().values())):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _on_a_worker(cluster: Any, function: Callable[[W], R], work: W) -> R:
    """Compute on whichever worker is free; Dask gives the work to another if that one dies."""
    done: R = cluster.submit(function, work, pure=False).result()
    return done


@task(**AGAIN, task_run_name="encode and code")
def encode_and_code(project: Path) -> steps.Coded:
    """Encode and code what the store does not hold yet."""
    settings = config.load(project)
    with show.progress() as watch, place(settings.compute) as compute:
        return steps.code(settings, watch, compute)


@flow(name="code", flow_run_name=run_name)
def code(project: Path) -> steps.Coded:
    """Code every passage with the project's codebooks."""
    return encode_and_code(project)
