"""Agreement of coders, against published worked examples and the libraries."""

import time

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from qinlp.analysis import agreement
from qinlp.analysis.agreement import NOT_JUDGED, Sheet, masi, sheet, table

GAP = NOT_JUDGED


def two(yes_yes, yes_no, no_yes, no_no):
    """Return the sheet of two coders and one code from their four counts, a document a passage."""
    a = [1] * (yes_yes + yes_no) + [0] * (no_yes + no_no)
    b = [1] * yes_yes + [0] * yes_no + [1] * no_yes + [0] * no_no
    said = np.array([a, b], np.int8).T[:, :, None]
    return Sheet(np.arange(len(said)), ("ann", "bob"), ("code",), said)


def one_code(judged):
    return agreement.agreement(judged, resamples=200)[1]


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ((20, 5, 10, 15), 0.40),  # the grant proposals of the Wikipedia article on Cohen's kappa
        ((45, 15, 25, 15), 0.1304),  # its pair with the same percent agreement
        ((25, 35, 5, 35), 0.2593),
        ((20, 20, 10, 50), 0.348),  # Artstein & Poesio 2008, table 1: statements and requests
    ],
)
def test_kappa_is_that_of_worked_examples(counts, kappa):
    assert one_code(two(*counts)).kappa.value == pytest.approx(kappa, abs=5e-4)


def test_percent_positive_and_negative_agreement_are_the_shares_of_pairs():
    found = one_code(two(20, 5, 10, 15))
    assert found.percent.value == pytest.approx(35 / 50)
    assert found.positive.value == pytest.approx(40 / 55)
    assert found.negative.value == pytest.approx(30 / 45)


def test_alpha_is_that_of_krippendorff_2011_for_two_observers():
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example A
    a, b = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    judged = Sheet(np.arange(10), ("a", "b"), ("code",), np.array([a, b], np.int8).T[:, :, None])
    assert one_code(judged).alpha.value == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_that_of_krippendorff_2011_for_four_observers_with_gaps():
    # the same, example C: nominal, 0.743. A value is the set of one code, and sets of one code are
    # equal or have nothing in common, so that alpha over sets is nominal alpha.
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
    values = np.array(observers).T[:, :, None]
    said = np.where(values == GAP, GAP, values == np.arange(1, 6)).astype(np.int8)
    judged = Sheet(np.arange(12), tuple("abcd"), tuple("12345"), said)
    found = agreement.agreement(judged, resamples=50)[0].sets
    assert found.value == pytest.approx(0.743, abs=5e-4)


def test_masi_weighs_overlap_by_kind():
    # Passonneau 2006: 1 for equal sets, 2/3 for one within the other, 1/3 for overlap, 0 for none
    sets = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]], bool)
    found = 1 - masi(sets)
    assert found[0, 1] == pytest.approx(1 / 2 * 2 / 3)
    assert found[0, 2] == pytest.approx(1 / 3 * 1 / 3)
    assert found[0, 3] == 0
    assert found[0, 4] == 0
    assert np.diag(found) == pytest.approx(1)
    assert found == pytest.approx(found.T)


drawn_sheets = st.builds(
    lambda seed, coders, codes, gaps: Sheet(
        np.random.default_rng(seed).integers(0, 9, 40),
        tuple("abcd"[:coders]),
        tuple("uvwxy"[:codes]),
        np.where(
            np.random.default_rng(seed + 1).random((40, coders, codes)) < gaps,
            GAP,
            np.random.default_rng(seed + 2).random((40, coders, codes)) < 0.4,
        ).astype(np.int8),
    ),
    st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 4), st.sampled_from([0.0, 0.2, 0.6]),
)  # fmt: skip


@settings(max_examples=25)
@given(drawn_sheets)
def test_counts_give_what_the_libraries_give(judged):
    once = np.ones((1, len(np.unique(judged.documents))))
    counts = agreement._count(judged)
    kappas, alphas = agreement._kappas(judged), agreement._alphas(judged)
    assert agreement._kappa(counts, once)[0] == pytest.approx(kappas, nan_ok=True)
    assert agreement._alpha(counts, once)[0] == pytest.approx(alphas, nan_ok=True)


@settings(max_examples=25)
@given(drawn_sheets)
def test_alpha_over_sets_is_what_the_library_gives_with_the_masi_distance(judged):
    found = agreement.agreement(judged, resamples=2)[0].sets
    whole = (judged.said != GAP).all(2)
    whole &= (whole.sum(1) >= 2)[:, None]
    kinds, at = np.unique(judged.said[whole] == 1, axis=0, return_inverse=True)
    if len(kinds) < 2:
        assert found.value is None
        return
    values = np.full(whole.shape, np.nan)
    values[whole] = at.ravel()
    distance = masi(kinds)
    expected = krippendorff.alpha(
        values.T,
        value_domain=np.arange(len(kinds)),
        level_of_measurement=lambda v1, v2, i1, i2, n_v, dtype: distance[i1, i2],
    )
    assert found.value == pytest.approx(expected)


def test_an_interval_is_that_of_drawing_whole_documents():
    generator = np.random.default_rng(0)
    documents = np.repeat(np.arange(20), 5)
    truth = generator.random(100) < 0.4
    said = np.stack([truth ^ (generator.random(100) < 0.15) for _ in range(2)], 1).astype(np.int8)
    judged = Sheet(documents, ("ann", "bob"), ("code",), said[:, :, None])
    values = []
    for _ in range(300):
        rows = np.concatenate([np.flatnonzero(documents == d) for d in generator.integers(0, 20, 20)])
        values.append(cohen_kappa_score(said[rows, 0], said[rows, 1]))
    found = agreement.agreement(judged, resamples=2000)[1].kappa
    assert (found.low, found.high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.04)
    assert found.low < found.value < found.high
    assert found.resamples == 2000


def test_documents_that_are_alike_inside_make_the_interval_wider():
    generator = np.random.default_rng(1)
    agreed = np.repeat(generator.random(30) < 0.7, 6)
    truth = generator.random(180) < 0.5
    said = np.stack([truth, truth ^ ~agreed], 1).astype(np.int8)[:, :, None]
    clustered = Sheet(np.repeat(np.arange(30), 6), ("ann", "bob"), ("code",), said)
    alone = Sheet(np.arange(180), ("ann", "bob"), ("code",), said)
    wide, narrow = one_code(clustered).percent, one_code(alone).percent
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_what_cannot_be_said_is_none_with_the_reason():
    alone = Sheet(np.arange(3), ("ann",), ("code",), np.ones((3, 1, 1), np.int8))
    assert one_code(alone).kappa == agreement.Measure(None, reason="one coder")
    apart = Sheet(np.arange(2), ("ann", "bob"), ("code",), np.array([[[1], [GAP]], [[GAP], [0]]], np.int8))
    found = one_code(apart)
    assert (found.passages, found.double, found.percent.reason) == (2, 0, "nobody judged it twice")
    never = one_code(two(0, 0, 0, 9))
    assert never.kappa.reason == never.alpha.reason == "no variation: always absent"
    assert never.percent.value == 1
    assert never.positive.value is None


def test_resamples_without_a_value_are_not_counted():
    found = one_code(two(1, 0, 0, 19)).kappa  # a third of the resamples never draw the only yes
    assert found.value == 1
    assert 100 < found.resamples < 170
    assert one_code(two(1, 0, 0, 0)).kappa.reason == "no variation: always present"


def test_one_document_has_a_value_and_no_interval():
    judged = two(20, 5, 10, 15)
    found = one_code(Sheet(np.zeros(50), judged.coders, judged.codes, judged.said)).kappa
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.reason) == (None, "one document: no interval")


def test_people_model_and_gold_stand_in_one_table():
    rows = [
        (f"p{i}", f"d{i // 2}", coder, code, (i + shift) % 3 == 0)
        for i in range(12)
        for shift, coder in enumerate(("ann", "gold", "model"))
        for code in ("b", "a")
    ]
    found = table(sheet(*zip(*rows, strict=True)), resamples=50)
    assert [row.code for row in found[:3]] == ["", "a", "b"]
    assert [row.coders for row in found[::3]] == [
        ("ann", "gold", "model"), ("ann", "gold"), ("ann", "model"), ("gold", "model"),
    ]  # fmt: skip
    assert {(row.passages, row.double, row.documents) for row in found} == {(12, 12, 6)}
    light = np.mean([row.kappa.value for row in found if row.code == "a" and len(row.coders) == 2])
    assert found[1].kappa.value == pytest.approx(light)


def test_the_later_of_two_judgements_counts_and_foreign_codes_are_left_out():
    columns = zip(
        ("p", "d", "ann", "a", True),
        ("p", "d", "ann", "a", False),
        ("p", "d", "ann", "old", True),
        strict=True,
    )
    found = sheet(*columns, every=["b", "a"])
    assert found.codes == ("b", "a")
    assert found.said.tolist() == [[[GAP, 0]]]


def test_the_same_seed_gives_the_same_interval():
    judged = two(20, 5, 10, 15)
    once, again = (agreement.agreement(judged, resamples=300, seed=4) for _ in range(2))
    assert once == again


def test_two_thousand_resamples_of_two_thousand_passages_take_seconds():
    generator = np.random.default_rng(0)
    said = (generator.random((2000, 2, 50)) < 0.02).astype(np.int8)
    judged = Sheet(generator.integers(0, 400, 2000), ("a", "b"), tuple(map(str, range(50))), said)
    start = time.process_time()
    agreement.agreement(judged)
    assert time.process_time() - start < 15
