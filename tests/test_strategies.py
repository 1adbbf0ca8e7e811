"""What people are asked first, why, and what is audited."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qinlp.analysis import strategies
from qinlp.analysis.strategies import STRATEGIES, WINDOW, Candidates, audit, lots, mix, order, queue
from qinlp.errors import ConfigError


def drawn(n=60, codes=3, seed=0):
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(n, 8)).astype(np.float32)
    return Candidates(
        "book",
        tuple("abcdef"[:codes]),
        [f"p{i}" for i in range(n)],
        generator.random((n, codes)),
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        generator.random((n, codes)),
    )


def of(probabilities, **more):
    p = np.array(probabilities, float)
    return Candidates("book", tuple("abcdef"[: p.shape[1]]), [f"p{i}" for i in range(len(p))], p, **more)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_names_each_passage_once_and_repeats_itself(name):
    found = order(name, drawn(), 7)
    assert sorted(found.tolist()) == list(range(60))
    assert order(name, drawn(), 7).tolist() == found.tolist()


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_bears_one_passage_and_none(name):
    assert order(name, drawn(1)).tolist() == [0]
    assert order(name, drawn(0)).tolist() == []
    assert queue(drawn(0), name) == []


def test_uncertainty_begins_with_what_is_least_clear():
    assert order("uncertainty", of([[0.01], [0.48], [0.9], [0.7]])).tolist() == [1, 3, 2, 0]


def test_a_rare_code_is_asked_about_as_much_as_a_common_one():
    common, rare = np.full((50, 2), [0.4, 0.001]), [[0.05, 0.05]]
    assert order("uncertainty", of(np.concatenate([common, rare])))[0] == 50


def test_a_strategy_says_why():
    candidates = of([[0.02, 0.48], [0.9, 0.01]], second=np.array([[0.02, 0.5], [0.2, 0.01]]))
    assert queue(candidates, share=0)[0] == (0, False, "The model is unsure of b (48%).")
    assert queue(candidates, "disagreement", share=0)[0] == (
        1,
        False,
        "Two models differ on a (90% and 20%).",
    )
    assert {item.why for item in queue(candidates, "random", share=0)} == {"Drawn by chance."}


def test_disagreement_begins_where_the_coders_are_furthest_apart():
    candidates = of([[0.5], [0.9], [0.3]], second=np.array([[0.5], [0.1], [0.4]]))
    assert order("disagreement", candidates).tolist() == [1, 2, 0]


def test_likely_begins_with_what_probably_holds_most():
    candidates = of([[0.5, 0.1], [0.9, 0.8], [0.0, 0.7]])
    assert [item.why for item in queue(candidates, "likely", share=0)] == [
        "The model expects a (90%).", "The model expects b (70%).", "The model expects a (50%).",
    ]  # fmt: skip


def test_near_copies_do_not_follow_each_other():
    generator = np.random.default_rng(0)
    kinds = np.linalg.qr(generator.normal(size=(20, 20)))[0]
    kind = np.repeat(np.arange(20), 20)
    vectors = kinds[kind] + generator.normal(scale=0.02, size=(400, 20))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probabilities = (0.5 - kind / 100)[:, None]  # the copies are equally uncertain: one after the other
    found = order("diversity", of(probabilities, vectors=vectors.astype(np.float32)))
    plain = order("uncertainty", of(probabilities))
    assert all(len(set(kind[found[i : i + WINDOW + 1]])) == WINDOW + 1 for i in range(190))
    assert len(set(kind[plain[:20]])) == 1


def test_where_all_are_alike_diversity_still_names_all():
    candidates = of(np.linspace(0.1, 0.5, 30)[:, None], vectors=np.ones((30, 1), np.float32))
    assert sorted(order("diversity", candidates).tolist()) == list(range(30))


def test_only_the_first_are_compared(monkeypatch):
    monkeypatch.setattr(strategies, "_DEEP", 10)
    found, plain = order("diversity", drawn()), order("uncertainty", drawn())
    assert sorted(found[:10]) == sorted(plain[:10])
    assert found[10:].tolist() == plain[10:].tolist()


def test_what_a_strategy_lacks_is_said_in_one_line():
    with pytest.raises(ConfigError, match="compares vectors"):
        order("diversity", of([[0.5]]))
    with pytest.raises(ConfigError, match="compares two coders"):
        order("disagreement", of([[0.5]]))
    with pytest.raises(ConfigError, match="no strategy 'uncertanty'; did you mean 'uncertainty'"):
        order("uncertanty", of([[0.5]]))


def test_lots_are_uniform_and_know_only_the_passage_and_the_seed():
    ids = [f"p{i}" for i in range(20000)]
    found = lots(ids)
    shares = np.histogram(found, bins=10, range=(0, 1))[0] / len(ids)
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.01)
    assert lots(ids[500:600]).tolist() == found[500:600].tolist()
    assert abs(np.corrcoef(found, lots(ids, seed=1))[0, 1]) < 0.03


def test_who_is_audited_stays_when_passages_arrive():
    early, late = [f"p{i}" for i in range(500)], [f"p{i}" for i in range(900)]
    first = {early[i] for i in audit(early)}
    assert first == {late[i] for i in audit(late)} & set(early)
    assert 30 < len(first) < 75


@settings(max_examples=50)
@given(st.integers(0, 200), st.sampled_from([0.0, 0.1, 0.3, 1.0]), st.integers(0, 50))
def test_the_audit_has_its_share_from_the_beginning_and_each_passage_comes_once(n, share, seed):
    ids = [f"p{i}" for i in range(n)]
    ranked = np.random.default_rng(seed).permutation(n)
    chosen = audit(ids, share=share, seed=seed)
    found = mix(ranked, chosen, share=share)
    assert sorted(place for place, _ in found) == list(range(n))
    audits = np.cumsum([by_lot for _, by_lot in found])
    slots = np.floor(share * np.arange(1, n + 1) + 1e-9)
    assert (audits <= slots).all()
    used = [place for place, by_lot in found if by_lot]
    assert used == [place for place in chosen if place in set(used)]
    rest = [place for place, by_lot in found if not by_lot]
    assert rest == [place for place in ranked if place in set(rest)]


def test_the_share_is_kept_from_one_sitting_to_the_next():
    candidates = drawn(400)
    shown = [queue(candidates, first=1, judged=n, audited=n // 10)[0].audited for n in range(40)]
    assert np.flatnonzero(shown).tolist() == [9, 19, 29, 39]
    assert [item.why for item in queue(candidates, first=20) if item.audited] == [strategies.AUDITED] * 2


def test_what_the_audit_finds_is_fair_to_what_is_left():
    generator = np.random.default_rng(3)
    p = generator.beta(0.4, 0.4, (4000, 1))
    error = generator.random(4000) < np.minimum(p, 1 - p)[:, 0]
    found = []
    for seed in range(25):
        items = queue(of(p), share=0.2, seed=seed)
        reached = [item.place for item in items[:800] if item.audited]
        plain = set(order("uncertainty", of(p))[:640].tolist())
        left = np.array([place for place in range(4000) if place not in plain])
        found.append(error[[i for i in reached if i not in plain]].mean() - error[left].mean())
    assert np.mean(found) == pytest.approx(0, abs=0.03)


def test_a_hundred_thousand_passages_are_ordered_in_a_moment():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(100_000, 16)).astype(np.float32)
    candidates = of(generator.random((100_000, 6)), vectors=vectors)
    items = queue(candidates, "diversity", first=50)
    assert len(items) == 50
