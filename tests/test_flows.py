"""A real Prefect flow, in a process and a Prefect home of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fake
from qinlp import flow
from qinlp.errors import ConfigError, StoreBusy

pytestmark = pytest.mark.flows


SEVERAL = """
import sys
sys.path.insert(0, sys.argv[1])
import fake
project = sys.argv[2]
for folder, flow in [(project, "nightly"), (project, "nightly"), (project + "/bad", "nightly")]:
    sys.argv = ["qinlp", "--project", folder, "run", flow]
    try:
        fake.main()
        ended = 0
    except SystemExit as end:
        ended = end.code
    print("ended:", ended, flush=True)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory, model_folder):
    """Run nightly, nightly again, and a flow that is refused, in one process; return what each said."""
    home = tmp_path_factory.mktemp("flows")
    project = fake.write_project(home / "project")
    (project / "bad").mkdir()
    (project / "bad" / "qinlp.toml").write_text('[ingest]\npaths = ["nowhere"]\n', "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, str(Path(fake.__file__).parent), str(project)],
        capture_output=True, text=True, check=True, env=fake.environment(model_folder, home),
    )  # fmt: skip
    return project, re.split(r"(?<=ended: \d)\n", done.stdout), done.stderr


def test_nightly_reads_codes_and_publishes(said):
    project, (first, *_), _ = said
    assert "3 new documents" in first
    assert "passages coded" in first
    assert first.endswith("ended: 0")
    assert (project / "qinlp.snapshot.duckdb").exists()


def test_a_second_night_finds_nothing_to_do(said):
    _, (_, second, *_), _ = said
    assert "Nothing new" in second
    assert "Nothing to code" in second
    assert second.endswith("ended: 0")


def test_a_flow_that_is_refused_is_one_line(said):
    _, (_, _, third, _), err = said
    assert third == "ended: 2"
    assert len(err.strip().splitlines()) == 1, err
    assert "nowhere: no such file or folder" in err


def test_an_unknown_flow_is_told_with_the_nearest(project):
    with pytest.raises(ConfigError, match="no flow 'nightli'; did you mean 'nightly'"):
        flow.run("nightli", project)


@pytest.mark.parametrize(
    ("error", "again"),
    [(StoreBusy("busy"), True), (OSError("disk"), True), (ConfigError("wrong"), False)],
)
def test_only_what_may_pass_is_tried_again(error, again):
    flow.load("ingest")

    class State:
        def result(self, *, raise_on_failure):
            return error

    assert sys.modules["qinlp_flows.parts"].may_pass(None, None, State()) is again
