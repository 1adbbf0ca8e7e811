"""Schedules on a real Prefect server, and a night of which a part fails."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import yaml

import fake
import services
from qinlp import config, flow, serving
from qinlp.errors import ConfigError
from qinlp.store import Store

pytestmark = pytest.mark.flows

ROOT = Path(__file__).parents[1]
EVERY_MINUTE = """
[ingest]
settle_seconds = 0
[schedule]
nightly = "* * * * *"
[[search]]
name = "falls"
source = "europepmc"
query = "falls"
since = 2026-01-01
base_url = "{url}"
"""
SITE = """
import os, sys
if "PREFECT__FLOW_RUN_ID" in os.environ:
    sys.path.insert(0, {tests!r})
    import fake
    fake.patch()
"""
"""Lets the processes that Prefect starts for a run find the model without torch."""

LATER = """\
TY  - JOUR
TI  - A record that appeared between two runs
PY  - 2026
DO  - 10.5555/between
AB  - The wards had no time for the new form, and the manager's support helped them to keep it up.
ER  -\x20
"""


class Served:
    """A project that `qinlp serve` looks after, seen from outside."""

    def __init__(self, folder, port, process, service):
        self.folder, self.port, self.process, self.service = folder, port, process, service
        self.url = f"http://127.0.0.1:{port}/api"

    def ask(self, path, **body):
        answer = httpx.post(f"{self.url}/{path}/filter", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def runs(self):
        """Return the nights that ended, the earliest first."""
        nights = {"flows": {"name": {"any_": ["nightly"]}}}
        found = self.ask("flow_runs", sort="EXPECTED_START_TIME_ASC", **nights)
        return [run for run in found if run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}]

    def wait_for_a_run(self, after):
        until = time.monotonic() + 240
        while time.monotonic() < until:
            assert self.process.poll() is None, self.said()
            try:
                runs = [r for r in self.runs() if datetime.fromisoformat(r["start_time"]) > after]
            except httpx.TransportError:  # the server is starting
                runs = []
            if runs:
                return runs[0]
            time.sleep(1)
        raise AssertionError(f"no run ended; serve said:\n{self.said()}")

    def said(self):
        return (self.folder / "served.log").read_text("utf-8")

    def rows(self, sql):
        with Store(self.folder / "qinlp.duckdb").read() as con:
            return con.execute(sql).fetchall()

    def count(self, table):
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory, model_folder):
    """Start `qinlp serve`, whose first minute passes while the other tests of this module run."""
    home = tmp_path_factory.mktemp("served")
    folder = fake.write_project(home / "project")
    service = services.Service("europepmc", services.papers(1, 30, datetime.now(UTC).date()))
    with (folder / "qinlp.toml").open("a") as out:
        out.write(EVERY_MINUTE.format(url=service.url))
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(SITE.format(tests=str(ROOT / "tests")))
    paths = [str(home / "site"), os.environ.get("PYTHONPATH", "")]
    own = fake.environment(model_folder, home) | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    port = free_port()
    with (folder / "served.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, ROOT / "tests" / "fake.py", "--project", folder, "serve", "--port", str(port)],
            env=own, stdout=log, stderr=log,
        )  # fmt: skip
    with service:
        yield Served(folder, port, process, service)
        process.kill()
        process.wait()


PARTLY = """
import json, sys, time
from datetime import date

sys.path.insert(0, sys.argv[1])
import fake
import services
from qinlp import steps
from qinlp.errors import SourceDown

asked = []

def search(config, name, *, budget, watch):
    began = time.monotonic()
    time.sleep(0.3)
    asked.append((name, began, time.monotonic()))
    if name == "falls":
        raise SourceDown("falls: europepmc gives no answer (503); the next run catches up")
    return steps.Found(name, date(2026, 11, 18), date(2026, 11, 25), records=2, requests=3)

steps.search = search
steps.window = lambda config, name: (date(2026, 11, 18), date(2026, 11, 25))
project = sys.argv[2]
ended = []
for flow in ("nightly", "ingest"):
    sys.argv = ["qinlp", "--project", project, "run", flow]
    try:
        fake.main()
    except SystemExit as end:
        ended.append(end.code)

    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate as Change
    with get_client(sync_client=True) as client:  # as a run leaves it that is killed in a search
        client.update_global_concurrency_limit("qinlp-europepmc", Change(active_slots=1))

with get_client(sync_client=True) as client:
    time.sleep(3)
    runs = client.read_flow_runs()
    tasks = client.read_task_runs()
    logs = client.read_logs()
    artifacts = client.request("POST", "/artifacts/filter", json={}).json()
    limits = client.read_global_concurrency_limits()
print("SEEN", json.dumps({
    "ended": ended,
    "asked": asked,
    "runs": [(r.name, r.state.type.value, r.state.name, r.state.message) for r in runs],
    "tasks": [(t.name, t.state.type.value) for t in tasks],
    "logs": [l.message for l in logs],
    "artifacts": [(a["key"], a["data"]) for a in artifacts if a["type"] == "markdown"],
    "limits": {l.name: l.limit for l in limits},
}))
"""

SEARCHES = """
[[search]]
name = "falls"
source = "europepmc"
query = "falls"
[[search]]
name = "hands"
source = "europepmc"
query = "hands"
[[search]]
name = "notes"
source = "pubmed"
query = "notes"
"""


@pytest.fixture(scope="module")
def partly(served, tmp_path_factory, model_folder):
    """Run nightly, then ingest, with one search of three down; return what was seen of it."""
    home = tmp_path_factory.mktemp("partly")
    project = fake.write_project(home / "project")
    with (project / "qinlp.toml").open("a") as out:
        out.write(SEARCHES)
    (project / "documents" / "secret|words.csv").write_text("Kari said,nobody may hear\na,b\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PARTLY, str(ROOT / "tests"), str(project)],
        capture_output=True, text=True, check=False, env=fake.environment(model_folder, home),
    )  # fmt: skip
    assert "SEEN" in done.stdout, done.stdout + done.stderr
    out, seen = done.stdout.split("SEEN ", 1)
    return project, json.loads(seen), out, done.stderr


def test_a_search_that_is_down_fails_alone(partly):
    project, seen, _, _ = partly
    state = dict(seen["tasks"])
    assert state["search europepmc falls 2026-11-18 to 2026-11-25"] == "FAILED"
    assert state["search europepmc hands 2026-11-18 to 2026-11-25"] == "COMPLETED"
    assert state["search pubmed notes 2026-11-18 to 2026-11-25"] == "COMPLETED"
    assert state["read documents"] == state["match records"] == state["publish"] == "COMPLETED"
    with Store(project / "qinlp.duckdb").read() as con:
        assert con.execute("SELECT count(*) FROM coded").fetchone()[0] > 0


def test_a_run_with_a_failed_part_ends_completed_with_failures_and_exit_code_1(partly):
    _, seen, out, err = partly
    assert seen["ended"] == [1, 1]
    ends = {name: (kind, state, message) for name, kind, state, message in seen["runs"]}
    for run in ("nightly project", "ingest project"):
        kind, state, message = ends[run]
        assert (kind, state) == ("COMPLETED", "Completed with failures")
        assert message.startswith("search falls: falls: europepmc gives no answer")
    line = "qinlp: search falls: falls: europepmc gives no answer (503); the next run catches up"
    assert err.splitlines().count(line) == 2
    assert "search hands, 2026-11-18 to 2026-11-25: 2 records" in out
    assert "Traceback" not in err


def test_a_source_is_down_and_is_not_tried_again_by_prefect(partly):
    _, seen, _, _ = partly
    assert [name for name, _, _ in seen["asked"]].count("falls") == 2  # once a run


def test_searches_of_one_source_take_turns_also_where_a_killed_run_left_its_slot(partly):
    _, seen, _, _ = partly
    assert seen["limits"] == {"qinlp-europepmc": 1, "qinlp-pubmed": 1}
    times = sorted((began, end) for name, began, end in seen["asked"] if name in {"falls", "hands"})
    assert len(times) == 4
    assert all(end <= began for (_, end), (began, _) in pairwise(times))


def test_the_report_says_what_came_and_holds_no_text_of_a_document(partly):
    project, seen, _, _ = partly
    with Store(project / "qinlp.duckdb").read() as con:
        [(reason,)] = con.execute("SELECT reason FROM quarantine").fetchall()
    assert "nobody may hear" in reason  # the store keeps it, the report does not
    [(key, text)] = seen["artifacts"]
    assert key == "qinlp-nightly-ward-study"
    assert "| hands \\(europepmc\\) | 2026-11-18 to 2026-11-25 | 2 |" in text
    assert "| search falls | falls: europepmc gives no answer" in text
    assert "| documents/secret\\|words.csv |  | no column that qinlp knows in … |" in text
    assert "1 new entry" in text
    for told in (text, *seen["logs"]):
        assert "Kari said" not in told
        assert "nobody may hear" not in told


def test_logs_go_to_prefect(partly):
    _, seen, _, _ = partly
    assert any(line.startswith("search hands, 2026-11-18 to 2026-11-25") for line in seen["logs"])


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ('nightly = "at two"', r"schedule\.nightly = 'at two'; five fields"),
        ('nightly = ""', "nothing is scheduled; write"),
        ('timezone = "Oslo"', r"schedule\.timezone = 'Oslo'; a name such as Europe/Oslo"),
    ],
)
def test_a_wrong_schedule_is_refused_with_its_value(project, schedule, message):
    (project / "qinlp.toml").write_text(f"[schedule]\n{schedule}\n", "utf-8")
    with pytest.raises(ConfigError, match=message):
        serving.schedules(config.load(project))


def test_prefect_yaml_deploys_every_flow():
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.flows import load_flow_from_entrypoint

    said = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    entrypoints = {one["entrypoint"] for one in said["deployments"]}
    assert entrypoints == {f"qinlp.flow.{name}" for name in flow.FLOWS}
    for one in said["deployments"]:
        found = load_flow_from_entrypoint(one["entrypoint"], use_placeholder_flow=False)
        assert found.name == one["entrypoint"].rpartition(".")[2]
        found.validate_parameters({"project": "/srv/ward-study"})
        for schedule in one["schedules"]:
            CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])


def test_a_project_is_served_once(served, qinlp):
    if not (served.folder / ".prefect" / "serving").exists():
        served.wait_for_a_run(datetime.min.replace(tzinfo=UTC))
    said = qinlp("--project", served.folder, "serve")
    assert said.returncode == 2
    assert f"is served already, by process {served.process.pid}" in said.stderr


def test_a_scheduled_run_adds_exactly_what_appeared_since_the_last_one(served):
    first = served.wait_for_a_run(datetime.min.replace(tzinfo=UTC))
    assert first["state_name"] == "Completed"
    assert served.count("documents") == 3 + 30
    before = {table: served.count(table) for table in ("documents", "provenance", "files")}
    runs = max(served.rows("SELECT run_id FROM runs"))[0]
    added = datetime.now(UTC)
    (served.folder / "documents" / "later.ris").write_text(LATER, "utf-8")
    served.service.add(services.papers(31, 4, added.date()))

    second = served.wait_for_a_run(added)
    assert second["state_name"] == "Completed"
    assert second["deployment_id"] == first["deployment_id"]
    assert second["auto_scheduled"]
    minutes = [datetime.fromisoformat(run["expected_start_time"]) for run in (first, second)]
    assert (minutes[1] - minutes[0]).total_seconds() % 60 == 0
    assert {table: served.count(table) for table in before} == {
        "documents": before["documents"] + 5,
        "provenance": before["provenance"] + 5,
        "files": before["files"] + 1,
    }
    dois = {
        doi for (doi,) in served.rows("SELECT doi FROM documents_current WHERE source = 'europepmc:falls'")
    }
    assert dois == {paper.doi.lower() for paper in services.papers(1, 34, added.date())}
    assert served.rows("SELECT search, until FROM watermarks") == [("falls", second_day(second))]
    kinds = served.rows(f"SELECT kind FROM runs WHERE run_id > '{runs}' AND status = 'completed'")
    assert {kind for (kind,) in kinds} >= {"ingest", "search:falls", "code", "measure"}
    reports = served.ask("artifacts", flow_runs={"id": {"any_": [second["id"]]}}, sort="ID_DESC")
    assert "| 1 file |  | 1 | 1 | 0 | 0 |" in reports[0]["data"]
    assert "| falls \\(europepmc\\) |" in reports[0]["data"]


def second_day(run):
    return datetime.fromisoformat(run["start_time"]).astimezone(UTC).date()


def test_what_serves_ends_its_server_too(served):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0, served.said()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/health", trust_env=False)
