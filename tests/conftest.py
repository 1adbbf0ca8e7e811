"""A project with a small corpus of its own, and a model that needs no torch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fake
from qinlp import config, steps
from qinlp.store import Store

ROOT = Path(__file__).parents[1]

RIS = """\
TY  - JOUR
TI  - Why a falls bundle was left undone
AU  - Berg, Anna
PY  - 2021
DO  - 10.5555/falls
AB  - Nurses had no time to fill in the falls form at night. A clear mandate from the ward manager helped \
the team to carry on. We interviewed 20 nurses on four wards.
ER  - 

TY  - JOUR
TI  - Champions for hand hygiene
AU  - Lund, Per
PY  - 2020
DO  - 10.5555/hands
AB  - Local champions reminded their colleagues and this made the change easier. Lack of funding was the \
main barrier to keeping it up.
ER  - 
"""  # noqa: W291 - RIS ends its lines so

TRANSCRIPT = """\
Interviewer: How did the programme start on your ward?

Kari: We never got the equipment that was promised, so for months we could do nothing at all. It was hard \
to keep people interested when nobody from the management came by.

Interviewer: And what helped you later?

Kari: The coach rang every other week, and she knew what a Sunday shift is like. That support made us \
believe that we could manage it. 𝓦e even lãughed about it 👩‍⚕️ in the end.
"""

SETTINGS = """\
name = "ward study"
[coding]
codebooks = ["valence", "npt"]
"""


def write_project(folder):
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text(SETTINGS, "utf-8")
    (folder / "documents" / "references.ris").write_text(RIS, "utf-8")
    (folder / "documents" / "kari.txt").write_text(TRANSCRIPT, "utf-8")
    return folder


@pytest.fixture
def project(tmp_path):
    """Return a project folder with one file of references and one transcript, nothing ingested yet."""
    return write_project(tmp_path / "project")


@pytest.fixture
def settings(project):
    return config.load(project)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "words"
    fake.make(folder)
    return folder


@pytest.fixture
def words(model_folder, monkeypatch):
    """Put the model without torch in the place of the configured one, and return its encoder."""
    found = fake.model(model_folder)
    monkeypatch.setattr(steps, "find_model", lambda config: found)
    return found.encoder


@pytest.fixture(scope="session")
def _coded_once(tmp_path_factory, model_folder):
    """Make the database that `coded` copies."""
    folder = write_project(tmp_path_factory.mktemp("coded") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "find_model", lambda config: fake.model(model_folder))
        steps.ingest(config.load(folder), [folder / "documents"])
        steps.code(config.load(folder))
    return folder / "qinlp.duckdb"


@pytest.fixture
def coded(project, words, _coded_once):
    """Return a project that is ingested and coded."""
    shutil.copy(_coded_once, project)
    return project


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store.duckdb", wait=5)


def environment(model_folder, home):
    """Return the variables of a process of its own: the model without torch, a Prefect of its own."""
    own = {fake.FOLDER: str(model_folder), "PREFECT_HOME": str(home / "prefect"), "COLUMNS": "80"}
    return {k: v for k, v in os.environ.items() if k not in {"QINLP_PROJECT", "PYTHONWARNINGS"}} | own


@pytest.fixture
def qinlp(model_folder, tmp_path):
    """Return a function that runs the command line in its own process, with the model without torch."""
    own = environment(model_folder, tmp_path)

    def run(*words, **more):
        return subprocess.run(
            [sys.executable, str(ROOT / "tests" / "fake.py"), *map(str, words)],
            capture_output=True, text=True, check=False, env=own, **more,
        )  # fmt: skip

    run.environment = own
    return run


@pytest.fixture
def count():
    """Return a function that counts the rows of every table of a database."""

    def _count(path):
        with Store(path).read() as con:
            names = [row[0] for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            return {name: con.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}

    return _count
