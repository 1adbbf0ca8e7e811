"""Scores to probabilities, thresholds and bands, against scikit-learn, SciPy and numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score, precision_score

from qinlp.coding.calibration import (
    Goal,
    expected_calibration_error,
    f1_threshold,
    fit_sigmoid,
    precision_threshold,
    unsure_band,
    upper_bound,
)
from qinlp.errors import ConfigError


@pytest.fixture
def drawn():
    """Scores whose true probability is known: 1 / (1 + exp(-(2 * score - 1)))."""
    generator = np.random.default_rng(7)
    scores = generator.normal(0, 2, 4000)
    truth = 1 / (1 + np.exp(-(2 * scores - 1)))
    return scores, generator.random(4000) < truth, truth


cells = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40).map(
    lambda rows: (np.array([p / 20 for p, _ in rows]), np.array([y for _, y in rows]))
)


def test_platt_scaling_finds_the_slope_and_offset_that_made_the_data(drawn):
    scores, present, truth = drawn
    fitted = fit_sigmoid(scores, present)
    assert (fitted.slope, fitted.offset) == pytest.approx((2, -1), abs=0.2)
    assert np.abs(fitted(scores) - truth).max() < 0.05


def test_platt_scaling_does_not_mind_the_scale_of_the_scores(drawn):
    scores, present, _ = drawn
    assert fit_sigmoid(scores * 1000, present)(scores * 1000) == pytest.approx(
        fit_sigmoid(scores, present)(scores)
    )


@pytest.mark.parametrize(("present", "expected"), [(True, 5 / 6), (False, 1 / 6)])
def test_one_class_alone_gives_the_smoothed_share(present, expected):
    assert fit_sigmoid(np.arange(4.0), np.full(4, present))(np.array([9.0])) == pytest.approx([expected])


def test_scores_that_point_the_wrong_way_are_not_turned_round():
    assert fit_sigmoid(np.array([0.0, 1, 2, 3]), np.array([True, True, False, False])).slope == 0


def test_calibration_error_by_hand():
    # bin 0.1-0.2 holds two cells, stated 0.15 and seen 0.5; bin 0.9-1.0 two, stated 0.95 and seen 1.0
    p, y = np.array([0.15, 0.15, 0.95, 0.95]), np.array([True, False, True, True])
    assert expected_calibration_error(p, y) == pytest.approx((2 * 0.35 + 2 * 0.05) / 4)


def test_calibration_error_agrees_with_scikit_learn(drawn):
    _, present, truth = drawn
    seen, stated = calibration_curve(present, truth, n_bins=10)
    n = np.histogram(truth, bins=np.linspace(0, 1, 11))[0]
    assert expected_calibration_error(truth, present) == pytest.approx(
        (np.abs(seen - stated) * n).sum() / n.sum()
    )


def test_nothing_has_no_calibration_error():
    assert expected_calibration_error(np.array([]), np.array([], bool)) == 0


@given(cells)
def test_no_threshold_has_a_better_f1(cells):
    p, y = cells
    best = f1_score(y, p >= f1_threshold(p, y), zero_division=0)
    assert best == pytest.approx(max(f1_score(y, p >= t, zero_division=0) for t in np.unique(p)))


def test_the_f1_threshold_lies_midway():
    assert f1_threshold(np.array([0.9, 0.8, 0.2]), np.array([True, True, False])) == pytest.approx(0.5)


@given(cells, st.sampled_from([0.5, 0.8, 1.0]))
def test_the_precision_threshold_keeps_its_promise_and_is_the_lowest(cells, at_least):
    p, y = cells
    found = precision_threshold(p, y, at_least)
    keeping = [t for t in np.unique(p) if precision_score(y, p >= t, zero_division=0) >= at_least]
    assert found == (min(keeping) if keeping else 1.0)


@pytest.mark.parametrize(("errors", "of"), [(0, 10), (1, 10), (7, 50), (49, 50)])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_the_upper_bound_is_clopper_and_pearsons(errors, of, confidence):
    exact = binomtest(errors, of, alternative="less").proportion_ci(confidence, method="exact")
    assert upper_bound(errors, of, confidence) == pytest.approx(exact.high)


def test_no_error_in_ten_by_hand():
    assert upper_bound(0, 10, 0.95) == pytest.approx(1 - 0.05**0.1)


@pytest.mark.parametrize(("errors", "of"), [(3, 3), (0, 0)])
def test_only_errors_or_nothing_seen_bounds_nothing(errors, of):
    assert upper_bound(errors, of, 0.5) == 1.0


def test_outside_the_band_the_promise_holds_on_new_data(drawn):
    _, present, truth = drawn
    low, high, *_ = unsure_band(truth[:2000], present[:2000], 0.5, error=0.08)
    p, y = truth[2000:], present[2000:]
    assert (~y[p >= high]).mean() < 0.1
    assert (y & (p < low)).sum() / (y & ((p < low) | (p >= high))).sum() < 0.1
    assert 0 < low <= 0.5 <= high < 1


def test_a_perfect_coder_is_nearly_never_unsure():
    p = np.r_[np.full(100, 0.1), np.full(100, 0.9)]
    low, high, *_ = unsure_band(p, p > 0.5, 0.5)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.9))


def test_a_coder_that_guesses_is_always_unsure():
    generator = np.random.default_rng(1)
    assert unsure_band(generator.random(400), generator.random(400) < 0.5, 0.5)[:2] == (0.0, 1.0)


@given(cells, st.floats(0, 1))
def test_a_band_is_a_band(cells, threshold):
    low, high, wrong, missed = unsure_band(*cells, threshold)
    assert 0 < wrong <= 1
    assert 0 < missed <= 1
    assert 0 <= low <= high <= 1


def test_a_capped_band_promises_what_is_left(drawn):
    _, present, truth = drawn
    band = unsure_band(truth[:2000], present[:2000], 0.5, error=0.02, at_most=0.1)
    p, y = truth[2000:], present[2000:]
    assert ((p >= band.start) & (p <= band.to)).mean() < 0.13
    assert 0.02 < band.wrong < 1
    assert (~y[p > band.to]).mean() <= band.wrong + 0.03
    held = y & ((p < band.start) | (p > band.to))
    assert (y & (p < band.start)).sum() / held.sum() <= band.missed + 0.03


def test_goals_are_read():
    assert Goal.named("f1") == Goal()
    assert Goal.named("precision=0.9") == Goal(0.9)
    assert Goal.named("precision=1") == Goal(1.0)


@pytest.mark.parametrize(
    "text", ["", "F1", "f1=1", "precision", "precision=", "precision=0", "precision=1.5"]
)
def test_an_unknown_goal_is_refused_with_the_remedy(text):
    with pytest.raises(ConfigError, match=r"precision=0\.9"):
        Goal.named(text)
