"""A project with a small corpus of its own, and a model that needs no torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fake
from qinlp import config, steps
from qinlp.store import Store

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """Return a project folder with one file of references and one transcript, nothing ingested yet."""
    return fake.write_project(tmp_path / "project")


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
    folder = fake.write_project(tmp_path_factory.mktemp("coded") / "project")
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


@pytest.fixture
def qinlp(model_folder, tmp_path):
    """Return a function that runs the command line in its own process, with the model without torch."""
    own = fake.environment(model_folder, tmp_path)

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
