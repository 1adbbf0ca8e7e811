"""A real Prefect flow, in a process and a Prefect home of its own."""

import pytest

from qinlp import flow
from qinlp.errors import ConfigError, StoreBusy

pytestmark = pytest.mark.flows


def test_nightly_reads_codes_and_publishes_and_then_finds_nothing_to_do(project, qinlp):
    done = qinlp("--project", project, "run", "nightly")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 new documents" in done.stdout
    assert "passages coded" in done.stdout
    snapshot = project / "qinlp.snapshot.duckdb"
    published = snapshot.stat().st_mtime_ns
    again = qinlp("--project", project, "run", "nightly")
    assert (again.returncode, again.stderr) == (0, "")
    assert "Nothing new" in again.stdout
    assert "Nothing to code" in again.stdout
    assert snapshot.stat().st_mtime_ns == published


def test_a_flow_that_is_refused_is_one_line_and_is_not_tried_again(project, qinlp):
    (project / "qinlp.toml").write_text('[ingest]\npaths = ["nowhere"]\n', "utf-8")
    done = qinlp("--project", project, "run", "ingest", timeout=120)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "nowhere: no such file or folder" in done.stderr


def test_an_unknown_flow_is_told_with_the_nearest(project):
    with pytest.raises(ConfigError, match="no flow 'nightli'; did you mean 'nightly'"):
        flow.run("nightli", project)


@pytest.mark.parametrize(
    ("error", "again"),
    [(StoreBusy("busy"), True), (OSError("disk"), True), (ConfigError("wrong"), False)],
)
def test_only_what_may_pass_is_tried_again(error, again):
    flow.load("ingest")
    import sys

    class State:
        def result(self, *, raise_on_failure):
            return error

    assert sys.modules["qinlp_flows.ingest"].may_pass(None, None, State()) is again
