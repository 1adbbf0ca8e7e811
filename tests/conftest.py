"""A project with a small corpus of its own, and a model that needs no torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import settings as hypothesis

import fake
from qinlp import cli, config, steps
from qinlp.store import Store
from qinlp.store.migrate import migrate

ROOT = Path(__file__).parents[1]

hypothesis.register_profile("busy machine", deadline=None)
hypothesis.load_profile("busy machine")


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
    monkeypatch.setattr(steps.coding, "find_model", lambda config: found)
    return found.encoder


@pytest.fixture(scope="session")
def _coded_once(tmp_path_factory, model_folder):
    """Make the database that `coded` copies."""
    folder = fake.write_project(tmp_path_factory.mktemp("coded") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.coding, "find_model", lambda config: fake.model(model_folder))
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
def con():
    """Return an empty store in memory."""
    with duckdb.connect(config={"threads": 1}) as con:
        migrate(con)
        yield con


@pytest.fixture
def run(project, monkeypatch, capfdbinary):
    """Return a function that runs the command line in this process: (exit code, output in bytes, errors)."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("QINLP_PROJECT", raising=False)

    def _run(*words):
        monkeypatch.setattr(sys, "argv", ["qinlp", *map(str, words)])
        with pytest.raises(SystemExit) as ended:  # noqa: PT012 - it may end by itself, or be ended
            cli.main()
            sys.exit(0)
        out, err = capfdbinary.readouterr()
        return int(ended.value.code or 0), out, err.decode()

    return _run


@pytest.fixture
def count():
    """Return a function that counts the rows of every table of a database."""

    def _count(path):
        with Store(path).read() as con:
            names = [row[0] for row in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            return {name: con.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}

    return _count


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """Return the folder of a sentence-transformers encoder of 32 dimensions that knows letters only."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(shape).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    word = Transformer(str(folder / "bert"), max_seq_length=32)
    SentenceTransformer(modules=[word, Pooling(32)], device="cpu").save(str(folder / "model"))
    return folder / "model"
