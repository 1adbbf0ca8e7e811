"""Searches of one source take turns, also those of several runs on one Prefect server.

Each source has a global concurrency limit, `qinlp-europepmc`, which holds one search; whoever looks
after the server may allow more. A search holds its slot as a lease of a minute, renewed while it
lasts, so that the slot of a run that was killed falls back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from prefect import get_run_logger
from prefect.client.base import ServerType
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists

LEASE_SECONDS = 60
"""The shortest that Prefect allows."""


def prepare(sources: Iterable[str]) -> None:
    """Make the limits that are missing."""
    with get_client(sync_client=True) as client:
        for source in sorted(set(sources)):
            with suppress(ObjectAlreadyExists):
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=_name(source), limit=1)
                )
                continue
            if client.server_type == ServerType.EPHEMERAL:  # ours alone, and it ends no leases of the dead
                _clear(source)


@contextmanager
def turn(source: str, minutes: float) -> Iterator[None]:
    """Hold the source for the length of the block.

    No run asks for longer than `minutes`, its budget: a slot that is taken for longer is nobody's,
    left over from a server that was stopped meanwhile, and is cleared.
    """
    with ExitStack() as held:
        try:
            held.enter_context(_slot(source, minutes * 60))
        except TimeoutError:
            get_run_logger().warning("%s was taken for more than %g minutes; cleared", _name(source), minutes)
            _clear(source)
            held.enter_context(_slot(source, None))
        yield


@contextmanager
def _slot(source: str, seconds: float | None) -> Iterator[None]:
    with concurrency(_name(source), timeout_seconds=seconds, lease_duration=LEASE_SECONDS):
        yield


def _clear(source: str) -> None:
    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit(_name(source), GlobalConcurrencyLimitUpdate(active_slots=0))


def _name(source: str) -> str:
    return f"qinlp-{source}"
