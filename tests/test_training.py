"""Tuning, evaluating and comparing models, on an encoder small enough for a test."""

import json
import random
import shutil
import warnings

import numpy as np
import pytest

from qinlp import codebook, config, steps, training
from qinlp.coding import evaluation
from qinlp.coding.model import named
from qinlp.coding.tuning import Recipe, tune
from qinlp.records import Labelled
from qinlp.store import Store

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
def trained(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "labelled.jsonl").write_text("\n".join(map(json.dumps, passages(240))), "utf-8")
    steps = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = training.train(
            [folder / "labelled.jsonl"], name="small", to=folder, encoder=str(tiny_encoder), tune=True,
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


def test_tuning_changes_the_vectors_and_halves_the_weights(trained, tiny_encoder):
    before = (tiny_encoder / "model.safetensors").stat().st_size
    after = (trained[0] / "encoder" / "model.safetensors").stat().st_size
    assert after < 0.6 * before


def test_the_card_names_the_recipe_and_every_codebook(trained):
    card = json.loads((trained[0] / "card.json").read_text("utf-8"))
    assert card["recipe"]["epochs"] == Recipe().epochs
    assert [one["codebook"] for one in card["scores"]] == ["npt", "valence"]
    assert "## Not to be used for" in (trained[0] / "README.md").read_text("utf-8")


def test_what_was_said_of_unseen_documents_is_kept_as_the_card_counts_it(trained):
    from pyarrow import parquet

    said = parquet.read_table(trained[0] / training.EVIDENCE).to_pylist()
    truth = {row["id"]: set(row["labels"]) for row in passages(240)}
    f1 = []
    for code in ("valence/barrier", "valence/enabler"):
        part = {row["id"]: row["decision"] for row in said if row["code"] == code}
        held = {name for name, labels in truth.items() if code in labels}
        decided = {name for name, yes in part.items() if yes}
        assert part.keys() == truth.keys()
        f1.append(2 * len(held & decided) / (len(held) + len(decided)))
    card = json.loads((trained[0] / "card.json").read_text("utf-8"))
    scores = next(one for one in card["scores"] if one["codebook"] == "valence")
    assert scores["levels"]["codes"]["all"]["macro_f1"]["value"] == pytest.approx(np.mean(f1), abs=1e-3)


def test_the_card_draws_reliability_and_states_the_errors_of_what_is_not_reviewed(trained):
    page = (trained[0] / "README.md").read_text("utf-8")
    assert "![Reliability of the commonest codes](reliability.svg)" in page
    drawn = (trained[0] / "reliability.svg").read_text("utf-8")
    assert drawn.startswith("<svg")
    assert "valence/barrier" in drawn
    stated = json.loads((trained[0] / "card.json").read_text("utf-8"))["unsure"]
    barrier = next(book for book in stated if "valence/barrier" in book)["valence/barrier"]
    assert all(0 <= barrier[name] <= 1 for name in ("review", "wrong", "missed"))


def test_an_evaluation_can_be_added_to_the_card(trained):
    model = named(str(trained[0]))
    rows = [labelled(row) for row in passages(40, seed=2)]
    found = [evaluation.summary(j, rows, resamples=20) for j in training.evaluate(model, rows).values()]
    training.note(model, "new wards", found)
    assert "## Scores on new wards" in (trained[0] / "README.md").read_text("utf-8")
    assert named(str(trained[0])).card["evaluations"]["new wards"] == json.loads(json.dumps(found))


def test_disputed_cells_teach_nothing(tiny_encoder, tmp_path):
    rows = passages(64)
    texts = [row["text"] for row in rows]
    present = np.array([["valence/barrier" in row["labels"]] for row in rows])
    counted = np.ones_like(present)
    counted[:8] = False
    flipped = present.copy()
    flipped[:8] = ~flipped[:8]
    recipe = Recipe(epochs=1)
    one, two = (
        tune(tiny_encoder, texts, labels & counted, counted, tmp_path / name, recipe) / "model.safetensors"
        for name, labels in (("a", present), ("b", flipped))
    )
    assert one.read_bytes() == two.read_bytes()


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


def test_a_codebook_without_heads_is_coded_with_the_tuned_encoder_and_its_origin(trained, project):
    """Both read every passage, and the cold coder takes their vectors side by side."""
    shutil.copytree(trained[0], project / "models" / "small")
    settings = '[coding]\nmodel = "small"\ncodebooks = ["valence", "com-b"]\n'
    (project / "qinlp.toml").write_text(settings, "utf-8")
    found = config.load(project)
    steps.ingest(found, [project / "documents"])
    done = steps.code(found)
    assert steps.code(found).vectors == 0
    model = named(str(project / "models" / "small"))
    cold = codebook.find("com-b")
    both = model.encoder_for(cold)
    texts = ["ace bad", "fog fig gag"]
    joined = both.join([model.general.untuned.encode(texts), model.encoder.encode(texts)])
    assert np.allclose(both.encode(texts), joined)
    assert np.linalg.norm(joined, axis=1) == pytest.approx(1, abs=1e-3)
    with Store(found.database_path).read() as con:
        kept = dict(con.execute("SELECT encoder, count(*) FROM vectors GROUP BY 1").fetchall())
        coders = {row[0] for row in con.execute("SELECT DISTINCT codebook FROM coded").fetchall()}
    assert set(kept) == {part.fingerprint for part in both.parts}
    assert len(set(kept.values())) == 1
    assert done.vectors == sum(kept.values())
    assert coders == {"valence", "com-b"}


def test_written_passages_teach_and_are_not_scored_on(tiny_encoder, tmp_path):
    real, made = passages(160), passages(80, seed=5)
    for row in made:
        row.update(id=f"made{row['id']}", group=f"made{row['id']}", written=True)
    folder = train_untuned(tmp_path, "both", [*real, *made], tiny_encoder)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert {one["levels"]["codes"]["all"]["passages"] for one in card["scores"]} == {160}
    assert sum(card["kinds"].values()) == 240
    alone = train_untuned(tmp_path, "alone", real, tiny_encoder)
    weights = [named(str(f)).coder(codebook.find("valence")).weights for f in (folder, alone)]
    assert not np.allclose(*weights)
    only = train_untuned(tmp_path, "only", made, tiny_encoder)
    assert json.loads((only / "card.json").read_text("utf-8"))["scores"]


def train_untuned(tmp_path, name, rows, encoder):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return training.train([path], name=name, to=tmp_path, encoder=str(encoder))
