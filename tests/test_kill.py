"""Killed at any moment, a step that is run again ends where an undisturbed one does."""

import random
import subprocess
import sys
import time

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
            table: sorted(con.execute(f"SELECT {names} FROM {table}").fetchall()) for table, names in NAMES.items()
        }


def orphans(path):
    with Store(path).read() as con:
        return {sql: n for sql in ORPHANS if (n := con.execute(f"SELECT count(*) FROM {sql}").fetchone()[0])}


def fill(folder):
    """Write 300 records into three files, some without title and abstract, some twice."""
    generator = random.Random(3)
    things = "nurses doctors funding time training support mandate coach ward form barrier help".split()
    for file in range(3):
        out = []
        for n in range(100):
            words = " ".join(generator.choices(things, k=12))
            body = f"TI  - Paper {file} {n}\nAB  - The {words}. We saw {things[n % 12]} on ward {file}-{n}.\n"
            out.append(f"TY  - JOUR\n{body if n % 20 else ''}DO  - 10.5555/{file}.{n // 2 * 2}\nER  - \n")
        (folder / f"{file}.ris").write_text("\n".join(out), "utf-8")


def make(project, folder):
    import shutil

    copy = shutil.copytree(project, folder)
    fill(copy / "documents")
    return copy


STAGES = ("ingest", "code")


def start(qinlp, project, stage):
    words = [stage, str(project / "documents")] if stage == "ingest" else [stage]
    return subprocess.Popen(
        [sys.executable, fake.__file__, "--project", str(project), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=qinlp.environment,
    )  # fmt: skip


def first_write(path, process, since):
    """Wait until the database's file changes: the step has begun to write."""
    while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == since):
        time.sleep(0.002)


def test_a_run_killed_at_any_moment_ends_as_an_undisturbed_one(project, qinlp, tmp_path):
    calm, killed = make(project, tmp_path / "calm"), make(project, tmp_path / "killed")
    generator = random.Random(20)
    took, kills = {}, 0
    for stage in STAGES:
        database = calm / "qinlp.duckdb"
        before = database.stat().st_mtime_ns if database.exists() else 0
        process = start(qinlp, calm, stage)
        first_write(database, process, before)
        began = time.monotonic()
        assert process.communicate()[1] == ""
        took[stage] = time.monotonic() - began
    for stage in STAGES:
        for _ in range(3):
            database = killed / "qinlp.duckdb"
            before = database.stat().st_mtime_ns if database.exists() else 0
            process = start(qinlp, killed, stage)
            first_write(database, process, before)
            time.sleep(generator.uniform(0, took[stage] * 0.8))
            process.kill()
            process.communicate()
            kills += process.returncode == -9
        done = start(qinlp, killed, stage)
        assert done.communicate()[1] == ""
        assert done.returncode == 0
    assert kills >= 3  # the others had come to their end before
    assert contents(killed / "qinlp.duckdb") == contents(calm / "qinlp.duckdb")
    assert orphans(killed / "qinlp.duckdb") == {}


LITTLE_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
sys.path.insert(0, {tests!r})
sys.argv[0] = "qinlp"
import fake
fake.main()
"""


@pytest.mark.parametrize("stage", ["ingest", "code"])
def test_a_disk_that_is_full_is_one_line_and_the_next_run_completes(project, qinlp, tmp_path, stage):
    from pathlib import Path

    folder = make(project, tmp_path / "full")
    database = folder / "qinlp.duckdb"
    if stage == "code":
        assert qinlp("--project", folder, "ingest", folder / "documents").returncode == 0
    words = ["ingest", folder / "documents"] if stage == "ingest" else ["code"]
    size = 60_000
    code = LITTLE_DISK.format(size=size, tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code, "--project", str(folder), *map(str, words)],
        capture_output=True, text=True, check=False, env=qinlp.environment,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert str(database) in done.stderr
    again = qinlp("--project", folder, *words)
    assert (again.returncode, again.stderr) == (0, "")
    calm = make(project, tmp_path / "calm")
    qinlp("--project", calm, "ingest", calm / "documents")
    if stage == "code":
        qinlp("--project", calm, "code")
    assert contents(database) == contents(calm / "qinlp.duckdb")
    assert orphans(database) == {}
