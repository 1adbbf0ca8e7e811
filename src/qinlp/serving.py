"""Keep a project's schedules: deployments, the process that runs them, and a Prefect server if there is none.

Where no server is configured (PREFECT_API_URL, or the Prefect profile in use) one is started for this
machine alone; it lives in the project's `.prefect/` folder and ends with us, also when we are killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from qinlp import flow, report
from qinlp.config import FILE
from qinlp.errors import ConfigError

if TYPE_CHECKING:
    from qinlp.config import Config

PORT = 4200
STARTS_WITHIN = 300.0
"""Seconds that a server of ours may take to start."""
ANSWERS_WITHIN = 60.0
"""Seconds that we wait for a configured server when we start; it may be starting with the machine."""
BEGINS_WITHIN = 120
"""Seconds that a run may take from being due to its first line; after that another may have its place."""
FOLDER = ".prefect"

Tell = Callable[[str], None]


def serve(config: Config, port: int | None, tell: Tell) -> None:
    """Serve the project's schedules until stopped.

    Args:
        config: the project.
        port: where a server of ours listens; else 4200, or a free port if that is taken.
        tell: told, in a line each, what happens.

    Raises:
        ConfigError: nothing is scheduled, a schedule or the time zone is none, the port is taken, the
            project is being served already, or the configured server does not answer.
    """
    flow.set_up()
    wanted = schedules(config)
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with _alone(config):
        if url := PREFECT_API_URL.value():
            _await(url, ANSWERS_WITHIN)
            tell(f"Prefect server: {url} (configured)")
            _keep(config, wanted, url, tell)
            return
        server = _Server(config, _port(port, tell), tell)
        with server, temporary_settings({PREFECT_API_URL: server.url}):
            tell(f"Prefect server: http://127.0.0.1:{server.port}, its data in {server.folder}")
            _keep(config, wanted, server.url, tell)


def schedules(config: Config) -> dict[str, Any]:
    """Return the schedule of every flow that has one.

    Raises:
        ConfigError: there is none, or one is no cron line, or the time zone is unknown.
    """
    from prefect.client.schemas.schedules import CronSchedule

    path, given = config.folder / FILE, config.schedule
    zone = given.timezone or "UTC"
    try:
        CronSchedule(cron="0 0 * * *", timezone=zone)
    except ValueError:
        raise ConfigError(
            f"{path}: schedule.timezone = {zone!r}; a name such as Europe/Oslo is needed"
        ) from None
    found = {}
    for name in flow.FLOWS:
        if not (cron := getattr(given, name).strip()):
            continue
        try:
            found[name] = CronSchedule(cron=cron, timezone=zone)
        except ValueError:
            raise ConfigError(
                f"{path}: schedule.{name} = {cron!r}; five fields as in cron are needed, such as "
                '"15 2 * * *" for every night at 2:15'
            ) from None
    if not found:
        raise ConfigError(f'{path}: nothing is scheduled; write [schedule] and nightly = "15 2 * * *"')
    return found


def _keep(config: Config, wanted: dict[str, Any], url: str, tell: Tell) -> None:
    """Run what falls due until stopped; where the server goes away, wait for it and go on."""
    from prefect import serve as run_what_is_due

    for name, schedule in wanted.items():
        tell(f"{name}: {schedule.cron} ({schedule.timezone})")
    while True:
        deployments = [_deployment(name, schedule, config) for name, schedule in wanted.items()]
        try:
            run_what_is_due(*deployments, pause_on_shutdown=False, print_starting_message=False)
        except Exception as error:  # noqa: BLE001 - whatever became of the connection, the schedules go on
            tell(f"Lost the Prefect server ({type(error).__name__}); waiting for it")
            time.sleep(1)
            _await(url, None)
        else:
            return


def _deployment(name: str, schedule: Any, config: Config) -> Any:
    """Return what Prefect should run when; a run that falls due while the last one works is dropped."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.types.entrypoint import EntrypointType

    found = flow.load(name).to_deployment(
        name=report.title(config).replace("/", "-").replace("%", "-"),
        schedules=[schedule],
        paused=False,
        parameters={"project": str(config.folder.resolve())},
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1,
            collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW,
            grace_period_seconds=BEGINS_WITHIN,
        ),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    found.entrypoint = f"{flow.__name__}.{name}"
    return found


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Hold the project's lock on being served; the kernel frees it however we end."""
    folder = config.folder / FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / "serving").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise ConfigError(
                f"{config.folder}: is served already, by process {file.read().strip()}; stop that one first"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _port(given: int | None, tell: Tell) -> int:
    port = PORT if given is None else given
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", port))
        except OSError:
            if given is not None:
                raise ConfigError(f"--port {port}: is taken; choose another, or leave it out") from None
            free.bind(("127.0.0.1", 0))
            tell(f"Port {PORT} is taken; another one is used")
        return int(free.getsockname()[1])


_ENDS_WITH_ITS_PARENT = """
import ctypes, os, runpy, signal, sys
parent = int(sys.argv.pop(1))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit()
runpy.run_module("prefect", run_name="__main__", alter_sys=True)
"""


class _Server:
    """A Prefect server of this project's own, on this machine only; one that ends is started again."""

    def __init__(self, config: Config, port: int, tell: Tell) -> None:
        self.folder, self.port, self.tell = (config.folder / FOLDER).resolve(), port, tell
        self.url = f"http://127.0.0.1:{port}/api"
        self.log = self.folder / "server.log"
        self.wanted = True
        self.process = self._start()

    def __enter__(self) -> Self:
        try:
            _await(self.url, STARTS_WITHIN, self.process)
        except ConfigError:
            self._stop()
            raise ConfigError(f"the Prefect server did not start; {self.log} tells why") from None
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that Ctrl-C reaches us first."""
        command = [sys.executable, "-c", _ENDS_WITH_ITS_PARENT, str(os.getpid()), "server", "start"]
        with self.log.open("ab") as out:
            return subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment(),
                start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        """Keep its data, and the leases of concurrency limits with it, in the project."""
        return os.environ | {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_UI_API_URL": self.url,
            "PREFECT_CLI_PROMPT": "false",
        }

    def _watch(self) -> None:
        while self.wanted:
            self.process.wait()
            time.sleep(1)
            if self.wanted:
                self.tell(f"The Prefect server ended and is started again; {self.log} tells why")
                self.process = self._start()

    def _stop(self) -> None:
        self.wanted = False
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _await(url: str, seconds: float | None, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until a server answers, for ever where `seconds` is None.

    Raises:
        ConfigError: it did not, or its process ended.
    """
    import httpx

    until = time.monotonic() + (seconds if seconds is not None else float("inf"))
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code < 500:
                return
        if time.monotonic() > until or (process is not None and process.poll() is not None):
            raise ConfigError(
                f"{url}: no answer from the Prefect server; start it, or unset PREFECT_API_URL for one of "
                "our own"
            )
        time.sleep(0.2)
