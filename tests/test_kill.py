"""Killed at any moment, a step that is run again ends where an undisturbed one does."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fake
from qinlp.store import Store

pytestmark = pytest.mark.store

NAMES = {
    "documents": "document_id, version, text_hash",
    "document_keys": "key, document_id",
    "provenance": "document_id, source, record, text_hash",
    "passages": "passage_id",
    "vectors": "input_hash, encoder",
    "coded": "passage_id, codebook, codebook_hash",
    "codings": "passage_id, codebook, code",
    "quarantine": "quarantine_id",
    "files": "path, sha256",
}
ORPHANS = [
    "passages ANTI JOIN documents USING (document_id, text_hash)",
    "provenance ANTI JOIN documents USING (document_id)",
    "document_keys ANTI JOIN documents USING (document_id)",
    "coded ANTI JOIN passages USING (passage_id)",
    "codings ANTI JOIN coded USING (passage_id, codebook, run_id)",
    "codings ANTI JOIN passages USING (passage_id)",
    "coded ANTI JOIN runs USING (run_id)",
    "documents ANTI JOIN runs USING (run_id)",
    "vectors ANTI JOIN passages USING (input_hash)",
]


def contents(path):
    """Return what the database holds: every table's rows by what names them, repetitions included."""
    with Store(path).read() as con:
        return {
            table: sorted(con.execute(f"SELECT {names} FROM {table}").fetchall())
            for table, names in NAMES.items()
        }


def orphans(path):
    with Store(path).read() as con:
        return {sql: n for sql in ORPHANS if (n := con.execute(f"SELECT count(*) FROM {sql}").fetchone()[0])}


def fill(folder):
    """Write 300 records into three files, some without title and abstract, some twice."""
    generator = random.Random(3)
    things = [
        "nurse",
        "doctor",
        "funding",
        "time",
        "training",
        "support",
        "mandate",
        "coach",
        "ward",
        "form",
        "barrier",
        "help",
    ]
    for file in range(3):
        out = []
        for n in range(100):
            words = " ".join(generator.choices(things, k=12))
            body = f"TI  - Paper {file} {n}\nAB  - The {words}. We saw {things[n % 12]} on ward {file}-{n}.\n"
            out.append(f"TY  - JOUR\n{body if n % 20 else ''}DO  - 10.5555/{file}.{n // 2 * 2}\nER  - \n")
        (folder / f"{file}.ris").write_text("\n".join(out), "utf-8")


STAGES = ("ingest", "code")


def arguments(project, stage):
    return [stage, str(project / "documents")] if stage == "ingest" else [stage]


def start(environment, project, stage):
    return subprocess.Popen(
        [sys.executable, fake.__file__, "--project", str(project), *arguments(project, stage)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def first_write(path, process):
    """Wait until the database's file changes: the step has begun to write."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
        time.sleep(0.002)


@pytest.fixture(scope="module")
def calm(tmp_path_factory, model_folder):
    """Return what an undisturbed run makes, and how long each stage wrote."""
    project = fake.write_project(tmp_path_factory.mktemp("calm") / "project")
    fill(project / "documents")
    took = {}
    for stage in STAGES:
        process = start(fake.environment(model_folder, project.parent), project, stage)
        first_write(project / "qinlp.duckdb", process)
        began = time.monotonic()
        assert process.communicate()[1] == ""
        took[stage] = time.monotonic() - began
    return contents(project / "qinlp.duckdb"), took


def test_a_run_killed_at_any_moment_ends_as_an_undisturbed_one(project, qinlp, calm):
    whole, took = calm
    fill(project / "documents")
    database, generator, kills = project / "qinlp.duckdb", random.Random(20), 0
    for stage in STAGES:
        for _ in range(2):
            process = start(qinlp.environment, project, stage)
            first_write(database, process)
            time.sleep(generator.uniform(0, took[stage] * 0.4))
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
        process = start(qinlp.environment, project, stage)
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert kills >= 2  # the others came to their end before they were killed
    assert contents(database) == whole
    assert orphans(database) == {}


LITTLE_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
sys.path.insert(0, sys.argv.pop(1))
import fake
fake.main()
"""


def test_a_disk_that_is_full_is_one_line_and_the_next_run_completes(project, qinlp, calm):
    fill(project / "documents")
    database = project / "qinlp.duckdb"
    for stage in STAGES:
        words = ["--project", str(project), *arguments(project, stage)]
        done = subprocess.run(
            [sys.executable, "-c", LITTLE_DISK, str(Path(fake.__file__).parent), *words],
            capture_output=True, text=True, check=False, env=qinlp.environment,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert f"{database}: cannot be written" in done.stderr
        assert "make room" in done.stderr
        again = qinlp(*words)
        assert (again.returncode, again.stderr) == (0, "")
    assert contents(database) == calm[0]
    assert orphans(database) == {}
