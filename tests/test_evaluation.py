"""Scores of a coder: what counts, what is disputed, and how sure a score is."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from qinlp.coding import evaluation
from qinlp.errors import SourceError
from qinlp.records import Labelled

CODES = ["top", "top.a", "top.b", "other"]
PARENTS = {"top": None, "top.a": "top", "top.b": "top", "other": None}


def row(labels=(), disputed=()):
    return Labelled(
        "1",
        "text",
        "abstract",
        frozenset(f"book/{x}" for x in labels),
        frozenset(f"book/{x}" for x in disputed),
    )


def cells(row):
    present, counted = evaluation.matrix([row], "book", CODES, PARENTS)
    return present[0].tolist(), counted[0].tolist()


@pytest.fixture
def drawn():
    generator = np.random.default_rng(3)
    present = generator.random((200, 4)) < 0.3
    probabilities = np.clip(present * 0.3 + generator.random((200, 4)) * 0.7, 0, 1)
    return probabilities, probabilities > 0.5, present, generator.random((200, 4)) < 0.9


def test_a_label_counts_for_what_it_is_part_of():
    assert cells(row(["top.a"])) == ([True, True, False, False], [True] * 4)


def test_a_disputed_label_and_what_it_would_decide_are_left_out():
    assert cells(row(disputed=["top.a"])) == ([False] * 4, [False, False, True, True])


def test_a_dispute_below_a_present_label_leaves_that_counted():
    present, counted = cells(row(["top.b"], disputed=["top.a"]))
    assert present == [True, False, True, False]
    assert counted == [True, False, True, True]


def test_labels_of_another_codebook_are_nothing_here():
    assert cells(Labelled("1", "t", "abstract", frozenset({"else/top"}))) == ([False] * 4, [True] * 4)


def test_one_code_is_scored_as_scikit_learn_does(drawn):
    p, d, y, counted = (part[:, 0] for part in drawn)
    found = evaluation.score("top", p, d, y, counted)
    p, d, y = p[counted], d[counted], y[counted]
    assert (found.n, found.present) == (len(y), y.sum())
    assert found.precision == pytest.approx(precision_score(y, d))
    assert found.recall == pytest.approx(recall_score(y, d))
    assert found.f1 == pytest.approx(f1_score(y, d))
    assert found.average_precision == pytest.approx(average_precision_score(y, p))


def test_a_code_that_nobody_gave_scores_nothing():
    nobody = np.zeros(3, bool)
    found = evaluation.score("top", np.zeros(3), nobody, nobody, ~nobody)
    assert (found.precision, found.recall, found.f1) == (0, 0, 0)
    assert np.isnan(found.average_precision)


def test_micro_and_macro_f1_agree_with_scikit_learn(drawn):
    _, d, y, _ = drawn
    everything = np.ones_like(y)
    assert evaluation.micro_f1(d, y, everything) == pytest.approx(f1_score(y, d, average="micro"))
    assert evaluation.macro_f1(d, y, everything) == pytest.approx(f1_score(y, d, average="macro"))


def test_a_disputed_cell_changes_no_score(drawn):
    _, d, y, counted = drawn
    turned = np.where(counted, d, ~d)
    assert evaluation.micro_f1(d, y, counted) == evaluation.micro_f1(turned, y, counted)
    assert evaluation.macro_f1(d, y, counted) == evaluation.macro_f1(turned, y, counted)


def test_the_interval_holds_the_mean_and_is_the_same_every_time():
    values = np.random.default_rng(0).normal(5, 1, 300)
    groups = [str(i) for i in range(300)]
    low, high = evaluation.over_documents(groups, lambda at: values[at].mean())
    assert low < values.mean() < high
    assert (high - low) == pytest.approx(2 * 1.96 * values.std() / np.sqrt(300), rel=0.15)
    assert (low, high) == evaluation.over_documents(groups, lambda at: values[at].mean())


def test_fewer_documents_make_a_wider_interval():
    values = np.repeat(np.random.default_rng(0).normal(5, 1, 30), 10)

    def width(groups):
        low, high = evaluation.over_documents(groups, lambda at: values[at].mean())
        return high - low

    assert width(np.repeat(np.arange(30), 10).astype(str)) > 2 * width(np.arange(300).astype(str))


def test_labelled_passages_are_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 1, "text": "x", "labels": ["book/top"]}) + "\n\n", "utf-8")
    assert evaluation.read_labelled(path) == [
        Labelled("1", "x", "abstract", frozenset({"book/top"}), group="1", codebooks=frozenset({"book"}))
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "2: "),
        ('{"id": 1}', "2: no 'text' in it"),
        ("[]", "2: "),
        ('{"id": 1, "text": "x", "kind": "book"}', "2: kind is 'book'"),
        ('{"id": 1, "text": "x", "labels": 3}', "2: "),
        ('{"id": 1, "text": "x", "labels": "valence/barrier"}', "2: labels is 'valence/barrier', not a list"),
    ],
)
def test_a_line_that_is_no_passage_is_told_by_its_number(tmp_path, line, said):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 0, "text": "x"}\n' + line, "utf-8")
    with pytest.raises(SourceError) as caught:
        evaluation.read_labelled(path)
    assert said in str(caught.value)


def test_a_line_separator_within_a_text_ends_no_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 1, "text": "one\u2028two"}, ensure_ascii=False), "utf-8")
    assert evaluation.read_labelled(path)[0].text == "one\u2028two"


def test_a_passage_says_nothing_of_a_codebook_that_it_was_not_coded_with(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text(
        '{"id": "1", "text": "a", "labels": ["book/top"]}\n{"id": "2", "text": "b", "labels": []}\n'
    )
    two.write_text('{"id": "3", "text": "c", "labels": ["else/x"]}\n')
    rows = [*evaluation.read_labelled(one), *evaluation.read_labelled(two)]
    present, counted = evaluation.matrix(rows, "book", ["top"], {"top": None})
    assert present[:, 0].tolist() == [True, False, False]
    assert counted[:, 0].tolist() == [True, True, False]
