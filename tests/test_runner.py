"""One setting moves the work to other processes, and not one byte changes."""

import os
import pickle
import platform
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import fake
from qinlp import config, flow, steps
from qinlp.codebook import find as find_codebook
from qinlp.coding.model import find
from qinlp.embeddings import SentenceTransformerEncoder
from qinlp.errors import ConfigError, ModelError
from qinlp.store import Store

pytestmark = pytest.mark.flows

TABLES = {
    "vectors": "input_hash, encoder, vector",
    "coded": "passage_id, codebook, codebook_hash, coder",
    "codings": "passage_id, codebook, code, probability, decision",
    "thresholds": "*",
}


def contents(path):
    with Store(path).read() as con:
        return {
            table: sorted(map(repr, con.execute(f"SELECT {columns} FROM {table}").fetchall()))
            for table, columns in TABLES.items()
        }


@pytest.fixture(scope="module")
def cluster():
    """Return the client of two workers, each a process of its own."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60
        ) as here,
        Client(here, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def on(cluster, monkeypatch):
    """Return the flow's own `map` over the workers, its tasks run without Prefect."""
    flow.load("code")
    room = sys.modules["qinlp_flows.code"]

    class Runner:
        client = cluster

    with ThreadPoolExecutor() as pool:

        class Batch:
            @staticmethod
            def submit(name, number, there):
                return pool.submit(there)

        monkeypatch.setattr(room, "batch", Batch)
        yield lambda function, works: room._on(Runner, function, works)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(steps.coding, "INPUTS_A_BATCH", 4)
    monkeypatch.setattr(steps.coding, "PASSAGES_A_BATCH", 3)


def code_twice(tmp_path, compute):
    """Code the same corpus here and by `compute`; return what both databases hold, and what was done."""
    found = []
    for name, way in (("here", map), ("there", compute)):
        settings = config.load(fake.write_project(tmp_path / name))
        steps.ingest(settings, [settings.folder / "documents"])
        done = steps.code(settings, compute=way)
        found.append((contents(settings.database_path), (done.vectors, done.passages, done.codings)))
    return found


def test_counted_words_are_the_same_bytes_there_as_here(tmp_path, words, small_batches, on):
    (here, did), (there, did_too) = code_twice(tmp_path, on)
    assert here == there
    assert did == did_too
    assert min(map(len, here.values())) > 6


def test_a_real_encoder_gives_the_same_bytes_there_as_here(
    tmp_path, model_folder, tiny_encoder, small_batches, on, monkeypatch
):
    """Also with no heads: a cold start encodes its definitions wherever it codes."""
    cold = tmp_path / "models" / "cold"
    cold.mkdir(parents=True)
    (cold / "cold.json").write_bytes((model_folder / "cold.json").read_bytes())
    (cold / "card.json").write_text(f'{{"encoder": "{tiny_encoder}"}}', "utf-8")
    monkeypatch.setattr(steps.coding, "find_model", lambda _: find("cold", [cold.parent]))
    (here, _), (there, _) = code_twice(tmp_path, on)
    assert here == there
    assert len(here["vectors"]) > 6
    assert len(here["codings"]) > 50


def twice(n):
    time.sleep(0.02)
    return 2 * n


def test_results_come_in_order_and_few_works_are_out_at_once(on):
    made = 0

    def works():
        nonlocal made
        while made < 20:
            made += 1
            yield made

    ahead = []
    for done, result in enumerate(on(twice, works()), 1):
        assert result == 2 * done
        ahead.append(made - done)
    assert done == 20
    assert 0 < max(ahead) <= 4  # two for each of two workers


def slowly(n):
    time.sleep(0.3)
    return os.getpid(), n


def test_a_worker_that_dies_costs_nothing(on):
    results = on(slowly, range(8))
    victim, first = next(results)
    os.kill(victim, signal.SIGKILL)
    rest = list(results)
    assert [first, *(n for _, n in rest)] == list(range(8))
    assert {pid for pid, _ in rest} != {victim}


def test_a_model_travels_by_name_and_is_loaded_once():
    model = find("qinlp-minilm")
    message = pickle.dumps(model)
    assert len(message) < 500
    arrived = pickle.loads(message)
    assert arrived is not model
    assert arrived.folder == model.folder
    assert pickle.loads(message) is arrived


def test_another_model_than_was_meant_is_refused_by_host_and_both_fingerprints(
    words, model_folder, tiny_encoder
):
    import pyarrow as pa

    model = fake.model(model_folder)
    texts = pa.array(["a"])
    with pytest.raises(ModelError, match=f"on {platform.node()}: its encoder is words-1, not other-9 "):
        steps.coding.encode(steps.coding.EncodeWork(model, "other-9", texts, texts))
    book = find_codebook("valence")
    meant = model.coder_name(book)
    model.__dict__["encoder"] = tiny = SentenceTransformerEncoder(str(tiny_encoder))
    work = steps.coding.CodeWork(model, meant, book, [], [], 0.05)
    with pytest.raises(ModelError, match=f"is {model.coder_name(book)}, not {meant} "):
        steps.coding.code_batch(work)
    assert model.part(tiny.fingerprint) is tiny


def place(**given):
    flow.load("code")
    return sys.modules["qinlp_flows.code"].place(replace(config.Compute(), **given))


def test_without_the_extra_the_refusal_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with (
        pytest.raises(ConfigError, match=r'needs the extra: pip install "qinlp\[dask\]"'),
        place(runner="dask"),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "no address", "nothing://here:1"])
def test_a_scheduler_that_does_not_answer_is_told(address, monkeypatch):
    flow.load("code")
    monkeypatch.setattr(sys.modules["qinlp_flows.code"], "ANSWERS_WITHIN", 1)
    with pytest.raises(ConfigError, match="no Dask scheduler with a worker answers there"):
        place(runner="dask", address=address).__enter__()


def test_the_flow_codes_on_a_cluster_what_the_step_codes_here(coded, tmp_path, qinlp):
    """The whole way: a cluster of the flow's own, through Prefect, from the command line."""
    other = fake.write_project(tmp_path / "other")
    with (other / "qinlp.toml").open("a", encoding="utf-8") as out:
        out.write('[compute]\nrunner = "dask"\nworkers = 1\n')
    steps.ingest(config.load(other), [other / "documents"])
    done = qinlp("--project", other, "run", "code")
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(other / "qinlp.duckdb") == contents(coded / "qinlp.duckdb")
