"""How much to review: what is stated of the rest holds when the rest is looked at."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qinlp.analysis.coverage import Curve, Needed, Seen, Stated, curve, expected, of_audit, wrong

ROOT = Path(__file__).parents[1]
DEV = ROOT.parent / "shared" / "gold" / "dev.jsonl"
NOTHING = Seen(np.zeros(0), np.zeros(0, bool), np.zeros(0, int))


def project(seed, n=600, documents=80, *, bent=(1.0, 0.0)):
    """Return (expected, wrong, documents): passages whose documents are more or less hard."""
    generator = np.random.default_rng(seed)
    document = generator.integers(0, documents, n)
    odds = generator.normal(-1.8, 1.6, n)
    truth = 1 / (1 + np.exp(-(odds + generator.normal(0, 0.4, documents)[document])))
    stated = 1 / (1 + np.exp(-(bent[0] * odds + bent[1])))
    return stated, generator.random(n) < truth, document


def asked(seed, first, target, **how):
    """Return what is stated after `first` judgements, a tenth of them audit, and the error then found."""
    said, error, document = project(seed, **how)
    generator = np.random.default_rng(seed)
    ranked = np.argsort(-said)
    audit = generator.choice(len(said), first // 10, replace=False)
    done = np.unique(np.concatenate([audit, ranked[: first - len(audit)]]))
    rest = ranked[~np.isin(ranked, done)]
    stated = curve(said[rest], Seen(said[done], error[done], document[done]), seed=seed).needed(target)
    left = error[rest[stated.more :]]
    return stated, float(left.mean()) if len(left) else 0.0


def test_a_passage_is_wrong_where_one_of_its_codes_is():
    probabilities = np.array([[0.9, 0.2], [0.5, 0.0]])
    decisions = np.array([[True, False], [False, False]])
    assert expected(probabilities, decisions) == pytest.approx([1 - 0.9 * 0.8, 0.5])
    present = np.array([[True, True], [False, False]])
    assert wrong(decisions, present).tolist() == [True, False]
    assert wrong(decisions, present, np.array([[True, False]] * 2)).tolist() == [False, False]


@pytest.mark.parametrize("target", [0.05, 0.1])
def test_the_stated_error_holds_in_nine_of_ten_reviews(target):
    reviews = [asked(seed, 150, target) for seed in range(100)]
    held = [s.stated.low <= found <= s.stated.high for s, found in reviews]
    assert sum(held) >= 90
    assert np.mean([found for _, found in reviews]) == pytest.approx(target, abs=0.02)


def test_judgements_mend_probabilities_that_were_calibrated_elsewhere():
    bent = {"bent": (1.2, -0.6)}  # half of the errors are not expected
    few, many = ([asked(seed, first, 0.1, **bent) for seed in range(40)] for first in (20, 200))
    off = [abs(np.mean([found for _, found in reviews]) - 0.1) for reviews in (few, many)]
    assert off[1] < off[0] / 2
    assert sum(s.stated.low <= found <= s.stated.high for s, found in many) >= 36


def test_more_judgements_make_the_interval_narrower():
    few, many = (
        np.mean([s.stated.high - s.stated.low for s, _ in (asked(seed, n, 0.08) for seed in range(10))])
        for n in (20, 300)
    )
    assert many < 0.7 * few


def test_without_judgements_the_probabilities_speak_and_the_interval_is_wide():
    said = np.sort(project(0)[0])[::-1]
    found = curve(said, NOTHING).at(0)
    assert found.error == pytest.approx(said.mean(), rel=0.2)
    assert found.high - found.low > 0.2


@settings(max_examples=40)
@given(st.integers(0, 1500), st.integers(0, 60), st.integers(0, 10**6))
def test_a_curve_is_a_curve_whatever_was_seen(n, judged, seed):
    generator = np.random.default_rng(seed)
    seen = Seen(generator.random(judged), generator.random(judged) < 0.5, generator.integers(0, 5, judged))
    found = curve(np.sort(generator.random(n) * 0.5)[::-1], seen, resamples=30, seed=seed)
    assert found.more[0] == 0
    assert found.more[-1] == n
    assert (np.diff(found.more) > 0).all()
    assert ((found.low >= 0) & (found.low <= found.error + 1e-9)).all()
    assert ((found.error <= found.high + 1e-9) & (found.high <= 1)).all()
    assert found.at(n) == (0, 0, 0)
    needed = found.needed(0.05)
    assert needed.stated.error <= 0.05
    assert 0 <= needed.more <= needed.surely <= n


def test_certain_and_impossible_are_borne():
    found = curve(np.array([1.0, 1.0, 0.0]), Seen(np.array([0.0, 1.0]), np.array([True, False]), np.zeros(2)))
    assert np.isfinite(found.error).all()


def test_what_is_needed_is_said_in_a_sentence():
    some = Needed(0.05, 140, Stated(0.049, 0.036, 0.063), 200)
    assert str(some) == (
        "review 140 more passages to bring the expected error of the unreviewed codings under 5% "
        "(95% interval 3.6 to 6.3%)"
    )
    none = Curve(np.array([0, 9]), *(np.array([v, 0.0]) for v in (0.04, 0.02, 0.07))).needed(0.05)
    assert (none.more, none.surely) == (0, 9)
    assert str(none) == "the expected error of the unreviewed codings is 4% (95% interval 2 to 7%)"


def test_the_audit_alone_has_the_interval_of_clopper_and_pearson():
    # Clopper & Pearson 1934; the exact 95% interval of 1 in 20 is 0.0013 to 0.2487
    found = of_audit(np.arange(20) == 0)
    assert (found.error, found.low, found.high) == pytest.approx((0.05, 0.0013, 0.2487), abs=1e-4)
    assert of_audit(np.zeros(30, bool))[:2] == (0, 0)
    assert of_audit(np.zeros(0, bool))[1:] == (0, 1)


@pytest.mark.skipif(not DEV.exists(), reason="the passages coded twice are not here")
def test_the_stated_error_holds_on_held_out_labelled_passages(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import review

    from qinlp.coding.evaluation import read_labelled
    from qinlp.coding.model import named
    from qinlp.training import EVIDENCE

    rows = read_labelled(DEV)
    groups = np.array([row.group for row in rows])
    judged = review.judged_by(named("qinlp-minilm").folder / EVIDENCE, rows, "valence")
    found = [review.simulate(judged, groups, seed, 150, 0.08) for seed in range(30)]
    assert sum(one.holds for one in found) >= 27
