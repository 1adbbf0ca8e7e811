"""Heads: they learn, they are honest about it, and they come back from a file as they were."""

import pickle

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from qinlp import codebook
from qinlp.codebook import Code, Codebook
from qinlp.coding import heads
from qinlp.coding.calibration import Goal, expected_calibration_error
from qinlp.coding.coldstart import Similarity
from qinlp.coding.model import decide, find, load_heads, named, rolled_up, save
from qinlp.errors import ModelError

CODES = ["one", "two", "rare"]


@pytest.fixture(scope="module")
def data():
    """600 passages of 100 documents; codes `one` and `two` show in the vector, `rare` is held by five."""
    generator = np.random.default_rng(11)
    vectors = generator.normal(size=(600, 8)).astype(np.float32)
    noise = generator.normal(0, 0.5, (600, 2))
    present = np.zeros((600, 3), bool)
    present[:, :2] = vectors[:, :2] + noise > 0.7
    present[:5, 2] = True
    return vectors, present, [str(i // 6) for i in range(600)]


@pytest.fixture(scope="module")
def trained(data):
    vectors, present, groups = data
    return heads.train("book", "hash", CODES, vectors, present, np.ones_like(present), groups)


def test_what_can_be_told_apart_is_told_apart(trained):
    hits = trained.decisions & trained.present
    f1 = 2 * hits.sum(0) / (trained.decisions.sum(0) + trained.present.sum(0))
    assert (f1 > 0.7).all()


def test_probabilities_are_what_happens(trained):
    for i in range(2):
        assert expected_calibration_error(trained.probabilities[:, i], trained.present[:, i]) < 0.06


def test_a_code_with_few_labels_gets_no_head(trained):
    assert trained.heads.codes == ("one", "two")


@pytest.fixture(scope="module")
def family(data):
    """`top` is part of nothing and holds what `top.a` or `top.b` hold; its own vector shows nothing."""
    vectors, present, groups = data
    cells = np.stack([present[:, 0] | present[:, 1], present[:, 0], present[:, 1]], axis=1)
    codes = ["top", "top.a", "top.b"]
    return codes, vectors, cells, groups, {"top": None, "top.a": "top", "top.b": "top"}


def test_a_whole_listens_to_its_parts(family):
    codes, vectors, cells, groups, parents = family
    alone, together = (
        heads.train("book", "h", codes, vectors, cells, np.ones_like(cells), groups, parents=p)
        for p in (None, parents)
    )
    before, after = (average_precision_score(cells[:, 0], t.probabilities[:, 0]) for t in (alone, together))
    assert after > before
    assert expected_calibration_error(together.probabilities[:, 0], cells[:, 0]) < 0.06
    for i in (1, 2):
        assert np.array_equal(alone.probabilities[:, i], together.probabilities[:, i])


def test_the_probability_of_a_whole_is_the_formula(family):
    codes, vectors, cells, groups, parents = family
    made = heads.train("b", "h", codes, vectors, cells, np.ones_like(cells), groups, parents=parents).heads
    raw = vectors @ made.weights + made.bias

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    parts = sigmoid(made.slope * raw + made.offset)[:, 1:]
    some = 1 - (1 - parts[:, 0]) * (1 - parts[:, 1])
    whole = sigmoid(made.slope[0] * (raw[:, 0] + np.log(some / (1 - some))) / 2 + made.offset[0])
    assert made.probabilities(vectors)[:, 0] == pytest.approx(whole, abs=1e-4)


def test_a_goal_of_precision_is_kept_out_of_fold(data):
    vectors, present, groups = data
    goal = Goal(precision=0.95)
    made = heads.train("b", "h", CODES, vectors, present, np.ones_like(present), groups, goal=goal)
    said = made.decisions
    assert (said & made.present).sum() / said.sum() > 0.9
    assert "precision of at least 0.95" in made.heads.origin


def test_documents_are_never_split_over_folds():
    groups = [str(i // 3) for i in range(60)]
    parts = heads.folds(groups, 5)
    owners = [{groups[i] for i in part} for part in parts]
    assert sum(map(len, owners)) == len(set(groups))
    assert sorted(np.concatenate(parts)) == list(range(60))


def test_scores_are_out_of_fold():
    generator = np.random.default_rng(5)
    vectors, present = generator.normal(size=(120, 100)), generator.random((120, 1)) < 0.5
    groups = [str(i) for i in range(120)]
    made = heads.train(
        "book", "h", ["noise"], vectors, present, np.ones_like(present), groups, strength=100.0
    )
    own = vectors @ made.heads.weights + made.heads.bias > 0
    assert (own == present).mean() > 0.9  # it knows its own passages by heart
    right = (made.probabilities > np.median(made.probabilities)) == made.present
    assert right.mean() < 0.65  # and nothing of others


def test_a_disputed_cell_teaches_nothing(data):
    vectors, present, groups = data
    counted = np.ones_like(present)
    counted[::7] = False
    turned = np.where(counted, present, ~present)
    one = heads.train("book", "h", CODES, vectors, present, counted, groups).heads
    two = heads.train("book", "h", CODES, vectors, turned, counted, groups).heads
    assert np.array_equal(one.weights, two.weights)
    assert np.array_equal(one.threshold, two.threshold)


def test_heads_come_back_from_a_file_as_they_were(trained, data, tmp_path):
    save(tmp_path / "m", [trained.heads], Similarity((1.0,), 0.0, 0.5, 0.0, 1.0), {"name": "m"}, "# m\n")
    back = load_heads(tmp_path / "m" / "heads" / "book.skops")
    assert np.array_equal(back.probabilities(data[0]), trained.heads.probabilities(data[0]))
    assert (back.codes, back.origin) == (trained.heads.codes, trained.heads.origin)
    for name, value in vars(trained.heads).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(back, name), getattr(trained.heads, name))


class Evil:
    def __reduce__(self):
        return print, ("evil",)


@pytest.mark.parametrize("content", [pickle.dumps(Evil()), b"", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_skops_is_refused_and_not_run(tmp_path, content, capsys):
    path = tmp_path / "book.skops"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"book\.skops: no heads in it"):
        load_heads(path)
    assert "evil" not in capsys.readouterr().out


def test_a_skops_file_of_untrusted_types_is_refused(tmp_path):
    from skops.io import dump

    dump({"codebook": Evil()}, tmp_path / "book.skops")
    with pytest.raises(ModelError, match="no heads in it"):
        load_heads(tmp_path / "book.skops")


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="no heads in it"):
        load_heads(tmp_path / "book.skops")


TREE = Codebook("t", (Code("top", "Top"), Code("top.a", "A", parent="top"), Code("other", "Other")))


def test_a_whole_is_as_probable_as_its_parts():
    found = rolled_up(TREE, ["top", "top.a", "other"], np.array([[0.1, 0.8, 0.3], [0.9, 0.2, 0.3]]))
    assert found.tolist() == [[0.8, 0.8, 0.3], [0.9, 0.2, 0.3]]


class Rule:
    codes = ("top", "top.a", "other")
    threshold = np.array([0.9, 0.5, 0.2])


def test_a_part_that_is_present_makes_its_whole_present():
    assert decide(TREE, Rule(), np.array([[0.6, 0.6, 0.1]])).tolist() == [[True, True, False]]


def test_of_exclusive_codes_the_likeliest_that_passes_is_present():
    book = Codebook("t", TREE.codes, exclusive=True)
    # `top` is likeliest of all and fails; `top.a` and `other` pass
    assert decide(book, Rule(), np.array([[0.8, 0.6, 0.4]])).tolist() == [[False, True, False]]
    assert decide(book, Rule(), np.array([[0.8, 0.4, 0.1]])).tolist() == [[False, False, False]]


def test_an_unknown_model_is_told_with_the_nearest():
    with pytest.raises(ModelError, match="no model 'qinlp-minilmm'; did you mean 'qinlp-minilm'"):
        named("qinlp-minilmm")


def test_a_broken_card_is_a_model_error(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "card.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match="cannot be read"):
        find("m", [tmp_path])


def test_the_coders_name_changes_with_what_decides(model_folder):
    import fake

    model = fake.model(model_folder)
    valence, npt = codebook.find("valence"), codebook.find("npt")
    before = (model.coder_name(valence), model.coder_name(npt))
    model.encoder.fingerprint = "words-2"
    after = (model.coder_name(valence), model.coder_name(npt))
    assert len({*before, *after}) == 4


def test_a_cold_coder_is_named_anew_when_its_codebook_changes(model_folder):
    from dataclasses import replace

    import fake

    model, npt = fake.model(model_folder), codebook.find("npt")
    changed = replace(npt, codes=(replace(npt.codes[0], definition="Else."), *npt.codes[1:]))
    assert model.coder_name(npt) != model.coder_name(changed)


def test_a_model_without_its_cold_start_says_so(model_folder, tmp_path):
    import shutil

    import fake

    copy = shutil.copytree(model_folder, tmp_path / "words")
    (copy / "cold.json").unlink()
    with pytest.raises(ModelError, match=r"cold\.json: cannot be read .*qinlp train"):
        fake.model(copy).coder_name(codebook.find("npt"))
