"""A run is made of parts: how each is tried again, and how the run goes on without one that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed

from qinlp.errors import CodebookError, ConfigError, ModelError, QinlpError, StoreBusy
from qinlp.report import Failure, Outcome

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectFuture

T = TypeVar("T")

WITH_FAILURES = "Completed with failures"


def may_pass(task: Any, run: Any, state: Any) -> bool:  # noqa: ARG001
    """Tell whether trying again can help: a busy database may be free then, a wrong setting stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StoreBusy) or not isinstance(error, QinlpError)


AGAIN: dict[str, Any] = {
    "retries": 2, "retry_delay_seconds": 5, "retry_condition_fn": may_pass, "cache_policy": NO_CACHE,
}  # fmt: skip
"""How every task is tried; nothing is cached, because the store knows what it holds."""


def run_name() -> str:
    """Name a flow's run by flow and project."""
    return f"{flow_run.flow_name} {Path(flow_run.parameters['project']).resolve().name}"


class Parts:
    """Collects the parts of a run."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.errors: list[BaseException] = []
        self.came = 0

    def take(self, part: str, started: PrefectFuture[T] | State[T]) -> T | None:
        """Return what a part gave once it has ended; None for one that failed, which is noted.

        Raises:
            ConfigError, CodebookError, ModelError: the project is set up wrongly; no part can help that.
        """
        got: Any = started.result(raise_on_failure=False)
        if not isinstance(got, BaseException):
            self.came += 1
            return got  # type: ignore[no-any-return]
        if isinstance(got, ConfigError | CodebookError | ModelError):
            raise got
        self.errors.append(got)
        self.failures.append(Failure(part, _reason(got)))
        get_run_logger().error("%s", self.failures[-1].line)
        return None

    def end(self, outcome: Outcome) -> Any:
        """Return what the flow returns: the outcome, in a state that says so where a part failed.

        Raises:
            QinlpError: every part failed; the first one's error.
        """
        if not self.failures:
            return outcome
        if not self.came:
            raise self.errors[0]
        message = "; ".join(failure.line for failure in self.failures)
        outcome = replace(outcome, failures=tuple(self.failures))
        return Completed(name=WITH_FAILURES, message=message, data=outcome)


def _reason(error: BaseException) -> str:
    """Return the error's own line, or only its kind where it is none of ours and may quote a text."""
    if isinstance(error, QinlpError):
        return str(error)
    return f"{type(error).__name__}, a fault of qinlp or of the machine; the log of the run tells where"
