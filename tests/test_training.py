"""Tuning, evaluating and comparing models, on an encoder small enough for a test."""

import json
import random
import warnings

import numpy as np
import pytest

from qinlp import training
from qinlp.coding import evaluation
from qinlp.coding.model import named
from qinlp.coding.tuning import Recipe, tune
from qinlp.records import Labelled

GOOD, BAD, PLAIN = ("ace", "bad", "cab"), ("fog", "fig", "gag"), ("no", "on", "oo")


def passages(n, seed=0):
    """Return passages whose barrier and enabler are told by their words, four a document."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        labels = draw.choice([(), ("valence/barrier",), ("valence/enabler",), ("npt/coherence",)])
        said = {"valence/barrier": BAD, "valence/enabler": GOOD, "npt/coherence": ("zip", "zap")}
        words = [draw.choice(PLAIN) for _ in range(4)] + [draw.choice(said[x]) for x in labels for _ in "ab"]
        draw.shuffle(words)
        found.append({
            "id": str(i), "kind": "abstract", "text": " ".join(words), "labels": list(labels),
            "group": f"d{i // 4}",
        })  # fmt: skip
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
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


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "labelled.jsonl").write_text("\n".join(map(json.dumps, passages(240))), "utf-8")
    steps = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = training.train(
            [folder / "labelled.jsonl"], name="small", to=folder, encoder=str(tiny), tune=True,
            watch=lambda what, done, of: steps.append((what, done, of)),
        )  # fmt: skip
    return made, steps


def test_a_tuned_model_stands_alone_and_is_no_worse_than_guessing(trained):
    model = named(str(trained[0]))
    assert (model.folder / "encoder" / "modules.json").exists()
    rows = [labelled(row) for row in passages(80, seed=1)]
    judged = training.evaluate(model, rows)["valence"]
    assert evaluation.macro_f1(judged.decisions, judged.present, judged.counted) > 0.7


def test_the_encoder_is_tuned_once_without_each_fold(trained):
    assert {what for what, _, _ in trained[1]} == {
        f"tuning without fold{k + 1}" for k in range(training.FOLDS)
    }


def test_tuning_changes_the_vectors_and_halves_the_weights(trained, tiny):
    before = (tiny / "model.safetensors").stat().st_size
    after = (trained[0] / "encoder" / "model.safetensors").stat().st_size
    assert after < 0.6 * before


def test_the_card_names_the_recipe_and_every_codebook(trained):
    card = json.loads((trained[0] / "card.json").read_text("utf-8"))
    assert card["recipe"]["epochs"] == Recipe().epochs
    assert [one["codebook"] for one in card["scores"]] == ["npt", "valence"]
    assert "## Not to be used for" in (trained[0] / "README.md").read_text("utf-8")


def test_an_evaluation_can_be_added_to_the_card(trained):
    model = named(str(trained[0]))
    rows = [labelled(row) for row in passages(40, seed=2)]
    found = [evaluation.summary(j, rows, resamples=20) for j in training.evaluate(model, rows).values()]
    training.note(model, "new wards", found)
    assert "## Scores on new wards" in (trained[0] / "README.md").read_text("utf-8")
    assert named(str(trained[0])).card["evaluations"]["new wards"] == json.loads(json.dumps(found))


def test_disputed_cells_teach_nothing(tiny, tmp_path):
    rows = passages(64)
    texts = [row["text"] for row in rows]
    present = np.array([["valence/barrier" in row["labels"]] for row in rows])
    counted = np.ones_like(present)
    counted[:8] = False
    flipped = present.copy()
    flipped[:8] = ~flipped[:8]
    recipe = Recipe(epochs=1)
    weights = [
        (tune(tiny, texts, labels, counted, tmp_path / name, recipe) / "model.safetensors").read_bytes()
        for name, labels in (("a", present & counted), ("b", flipped & counted))
    ]
    assert weights[0] == weights[1]


def labelled(row):
    return Labelled(row["id"], row["text"], row["kind"], frozenset(row["labels"]), group=row["group"])


def _judged(decisions, present):
    codes = tuple(f"c{i}" for i in range(present.shape[1]))
    every = np.ones_like(present)
    return evaluation.Judged("b", codes, every[0], decisions * 1.0, decisions, present, every)


def test_a_better_coder_is_found_better_and_itself_no_different():
    draw = np.random.default_rng(0)
    present = draw.random((400, 3)) < 0.3
    good = present ^ (draw.random(present.shape) < 0.05)
    poor = present ^ (draw.random(present.shape) < 0.3)
    rows = [Labelled(str(i), "", "abstract", frozenset(), group=str(i // 4)) for i in range(400)]
    better = evaluation.compare(_judged(good, present), _judged(poor, present), rows, resamples=200)
    assert better["low"] > 0
    assert better["p"] <= 0.01
    same = evaluation.compare(_judged(good, present), _judged(good, present), rows, resamples=200)
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)


def test_a_summary_keeps_kinds_apart():
    draw = np.random.default_rng(1)
    present = draw.random((200, 2)) < 0.4
    rows = [
        Labelled(str(i), "", "abstract" if i < 100 else "transcript", frozenset(), group=str(i))
        for i in range(200)
    ]
    decisions = present.copy()
    decisions[100:] = ~decisions[100:]
    found = evaluation.summary(_judged(decisions, present), rows, resamples=50)["levels"]["codes"]
    assert found["abstract"]["macro_f1"]["value"] == 1
    assert found["transcript"]["macro_f1"]["value"] == 0
    assert 0 < found["all"]["macro_f1"]["low"] <= found["all"]["macro_f1"]["value"]
