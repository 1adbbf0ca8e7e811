"""Heads: one calibrated logistic regression a code, over an encoder's vectors.

They are refitted in seconds when judgements arrive, and are saved with skops, never pickle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding.calibration import BEST_F1, Band, Goal, Sigmoid, fit_sigmoid, sigmoid, unsure_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.intp]

FEWEST = 12
"""A code with fewer labelled passages gets no head: it stays for people to code."""
MOST_REVIEWED = 0.2
"""No code sends more of the passages to review, nor more than twice as many as hold it."""
_OWN_THRESHOLD = 300
"""A code with fewer labelled passages shares a threshold with the other rare ones of its codebook."""


@dataclass(frozen=True)
class Heads:
    """The trained codes of one codebook.

    `weights` (dimension, codes) and `bias` (codes,) give raw scores, `slope` and `offset` (codes,)
    make them probabilities; `threshold`, `unsure_from` and `unsure_to` (codes,) decide. `wrong`
    and `missed` (codes,) are the errors to expect outside that band (see `calibration.Band`). `parent`
    (codes,) is the position of the code that each is part of, -1 where it is part of none: a whole
    listens to its parts (see `scores`).
    """

    codebook: str
    codebook_hash: str
    codes: tuple[str, ...]
    weights: Floats
    bias: Floats
    slope: Floats
    offset: Floats
    threshold: Floats
    unsure_from: Floats
    unsure_to: Floats
    wrong: Floats
    missed: Floats
    parent: Places
    estimators: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)
    """The scikit-learn estimators that the weights come from, for those who want to look."""
    origin: str = "trained; threshold: best F1 on out-of-fold scores"

    def probabilities(self, vectors: Floats) -> Floats:
        """Return calibrated probabilities, shape (passages, codes), of vectors (passages, dimension)."""
        raw = vectors.astype(np.float32) @ self.weights.astype(np.float32) + self.bias.astype(np.float32)
        return _Rule(self.slope, self.offset, self.threshold, self.parent).probabilities(raw)

    def as_dict(self) -> dict[str, Any]:
        """Return what is saved."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def fit(
    vectors: Floats, present: Flags, counted: Flags, *, strength: float = 1.0
) -> tuple[Floats, Floats, list[Any]]:
    """Fit one logistic regression a code.

    Args:
        vectors: shape (passages, dimension).
        present: shape (passages, codes), whether the passage holds the code.
        counted: same shape; cells that are False (disputed) are left out of training.
        strength: inverse of the L2 penalty.

    Returns:
        weights (dimension, codes), bias (codes,), and the estimators.
    """
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((vectors.shape[1], present.shape[1]))
    bias = np.full(present.shape[1], -10.0)
    estimators: list[Any] = []
    for code in range(present.shape[1]):
        use = counted[:, code]
        estimator: Any = None
        if present[use, code].any() and not present[use, code].all():
            estimator = LogisticRegression(C=strength, max_iter=400)
            estimator.fit(vectors[use], present[use, code])
            weights[:, code], bias[code] = estimator.coef_[0], estimator.intercept_[0]
        estimators.append(estimator)
    return weights, bias, estimators


def folds(groups: Sequence[str], n: int) -> list[Places]:
    """Split rows into `n` parts of about one size, the rows of one document never over two."""
    from sklearn.model_selection import GroupKFold

    splitter = GroupKFold(n_splits=n)
    return [test for _, test in splitter.split(np.zeros((len(groups), 1)), groups=np.asarray(groups))]


@dataclass(frozen=True)
class Trained:
    """Heads, and what they said of documents that neither they nor their calibration had seen.

    `rows` are positions in the training passages; `probabilities`, `decisions`, `present` and
    `counted` have shape (rows, codes).
    """

    heads: Heads
    rows: Places
    probabilities: Floats
    decisions: Flags
    present: Flags
    counted: Flags


def train(
    codebook: str,
    codebook_hash: str,
    codes: Sequence[str],
    vectors: Floats,
    present: Flags,
    counted: Flags,
    groups: Sequence[str],
    *,
    parents: Mapping[str, str | None] | None = None,
    goal: Goal = BEST_F1,
    fold_vectors: Sequence[tuple[Floats, Places]] | None = None,
    strength: float = 1.0,
) -> Trained:
    """Train, calibrate and set thresholds for every code with at least `FEWEST` labelled passages.

    `parents` says which code each is part of; `codes` holds a whole before its parts. `goal` is
    what thresholds are chosen for.

    Scores for calibration are out of fold, over documents. An encoder that was itself tuned on
    these passages would give them away: pass `fold_vectors`, for each fold the vectors of all
    passages from an encoder tuned without it, and the fold's rows.
    """
    enough = np.flatnonzero((present & counted).sum(0) >= FEWEST)
    present, counted = present[:, enough], counted[:, enough]
    weights, bias, estimators = fit(vectors, present, counted, strength=strength)
    parts = fold_vectors or [(vectors, test) for test in folds(groups, 5)]
    scores = np.zeros(present.shape)
    for of_fold, test in parts:
        rest = np.setdiff1d(np.arange(len(present)), test)
        w, b, _ = fit(of_fold[rest], present[rest], counted[rest], strength=strength)
        scores[test] = of_fold[test] @ w + b
    tests = [test for _, test in parts]
    seen = np.sort(np.concatenate(tests))
    kept = tuple(codes[int(i)] for i in enough)
    place = {code: i for i, code in enumerate(kept)}
    parent = np.array([place.get((parents or {}).get(code) or "", -1) for code in kept], np.intp)
    rule = _rule(scores[seen], present[seen], counted[seen], parent, goal)
    probabilities = np.zeros_like(scores)
    decisions = np.zeros_like(present)
    for test in tests:  # each fold judged by a rule from the others
        rest = np.setdiff1d(seen, test)
        of_rest = _rule(scores[rest], present[rest], counted[rest], parent, goal)
        probabilities[test] = of_rest.probabilities(scores[test])
        decisions[test] = probabilities[test] >= of_rest.threshold
    bands = _bands(rule, scores[seen], present[seen], counted[seen])
    made = Heads(
        codebook, codebook_hash, kept, weights, bias, rule.slope, rule.offset,
        rule.threshold, *_columns(bands), parent, dict(zip(kept, estimators, strict=True)),
        f"trained; threshold: {goal} on out-of-fold scores",
    )  # fmt: skip
    return Trained(made, seen, probabilities[seen], decisions[seen], present[seen], counted[seen])


def refit(
    old: Heads,
    codes: Sequence[str],
    vectors: Floats,
    present: Flags,
    counted: Flags,
    groups: Sequence[str],
    *,
    parents: Mapping[str, str | None] | None = None,
    goal: Goal = BEST_F1,
    strength: float = 1.0,
) -> tuple[Heads, frozenset[str]]:
    """Let heads learn from judged passages: return the new heads, and the codes whose heads are new.

    A code that at least `FEWEST` of the passages hold gets a new head: a logistic regression on the
    vector and on what the old head says of it, in the manner of Daume's PRED baseline (2007, Frustratingly
    Easy Domain Adaptation). So what the old head learned elsewhere is kept as far as the judgements bear
    it out. Calibration, threshold and band come from the judged passages, out of fold over documents.
    Every other code of `old` stays as it is. Arrays as in `train`; the passages must be none that
    `old` was trained on.
    """
    enough = (present & counted).sum(0) >= FEWEST
    at = {code: i for i, code in enumerate(old.codes)}
    places = np.array([i for i, code in enumerate(codes) if enough[i] or code in at], np.intp)
    present, counted, new = present[:, places], counted[:, places], enough[places]
    kept = tuple(codes[int(i)] for i in places)
    tests = folds(groups, min(5, len(set(groups)))) if len(set(groups)) > 1 else []
    if not new.any() or not tests:
        return old, frozenset()
    known = np.array([code in at for code in kept])
    column = np.array([at.get(code, -1) for code in kept], np.intp)

    def of_old(values: Floats, otherwise: float) -> Floats:
        padded = np.concatenate([values, np.full((*values.shape[:-1], 1), otherwise)], -1)
        return np.asarray(padded[..., column])

    weights, bias = of_old(old.weights, 0.0), of_old(old.bias, -10.0)
    place = {code: i for i, code in enumerate(kept)}
    parent = np.array([place.get((parents or {}).get(code) or "", -1) for code in kept], np.intp)
    before = _Rule(of_old(old.slope, 1.0), of_old(old.offset, 0.0), of_old(old.threshold, 1.0), parent, ~new)
    log_odds = before.slope, before.slope * bias + before.offset  # of the old weights, and beside them
    scores = vectors @ weights + bias
    new_weights, new_bias, estimators = weights.copy(), bias.copy(), dict(old.estimators)
    for i in np.flatnonzero(new).tolist():
        said = (
            vectors @ (log_odds[0][i] * weights[:, i]) + log_odds[1][i]
            if known[i]
            else np.zeros(len(vectors))
        )
        beside = np.column_stack([vectors, said])
        cell = present[:, [i]], counted[:, [i]]
        for test in tests:
            rest = np.setdiff1d(np.arange(len(present)), test)
            w, b, _ = fit(beside[rest], cell[0][rest], cell[1][rest], strength=strength)
            scores[test, i] = (beside[test] @ w + b)[:, 0]
        w, b, (estimators[kept[i]],) = fit(beside, *cell, strength=strength)
        trust = float(w[-1, 0]) if known[i] else 0.0
        new_weights[:, i] = w[:-1, 0] + trust * log_odds[0][i] * weights[:, i]
        new_bias[i] = b[0] + trust * log_odds[1][i]
    rule = _rule(scores, present, counted, parent, goal, before)
    bands = np.array(_bands(rule, scores, present, counted)).reshape(-1, 4)
    sides = (old.unsure_from, old.unsure_to, old.wrong, old.missed)
    start, to, wrong, missed = (np.where(new, bands[:, n], of_old(side, 0.0)) for n, side in enumerate(sides))
    made = Heads(
        old.codebook, old.codebook_hash, kept, new_weights, new_bias, rule.slope, rule.offset,
        rule.threshold, start, to, wrong, missed, parent, {code: estimators.get(code) for code in kept},
        old.origin,
    )  # fmt: skip
    return made, frozenset(code for code, is_new in zip(kept, new, strict=True) if is_new)


@dataclass(frozen=True)
class _Rule:
    """From raw scores to probabilities and decisions; arrays of shape (codes,)."""

    slope: Floats
    offset: Floats
    threshold: Floats
    parent: Places
    stays: Flags | None = None
    """Which codes keep it when a rule is made that goes on from this one."""

    def probabilities(self, raw: Floats) -> Floats:
        """Return probabilities, same shape as `raw` (passages, codes), in its precision."""
        slope, offset = self.slope.astype(raw.dtype), self.offset.astype(raw.dtype)
        found = sigmoid(slope * raw + offset)
        for whole, parts in _wholes(self.parent):
            score = _with_parts(raw[:, whole], found[:, parts])
            found[:, whole] = sigmoid(slope[whole] * score + offset[whole])
        return found


def _wholes(parent: Places) -> list[tuple[int, Places]]:
    """Return each code that has parts with the positions of them, the deepest first."""
    return [(whole, np.flatnonzero(parent == whole)) for whole in sorted({*parent.tolist()} - {-1})[::-1]]


def _with_parts(raw: Floats, parts: Floats) -> Floats:
    """Return a whole's score: the mean of its own and of the log-odds that it has any of its parts.

    `raw` has shape (passages,), `parts` are their probabilities (passages, parts). Parts are taken
    as independent (noisy-or, Pearl 1988, section 4.3.2); calibration afterwards mends what that
    gets wrong.
    """
    none = np.clip((1 - parts).prod(1), 1e-6, 1 - 1e-6)
    return np.asarray((raw + np.log1p(-none) - np.log(none)) / 2)


def _rule(
    raw: Floats, present: Flags, counted: Flags, parent: Places, goal: Goal, before: _Rule | None = None
) -> _Rule:
    n = raw.shape[1]
    stays = np.zeros(n, bool) if before is None or before.stays is None else before.stays
    parts = dict(_wholes(parent))
    slope, offset, threshold = np.zeros(n), np.zeros(n), np.zeros(n)
    probabilities = np.zeros_like(raw)
    for i in reversed(range(n)):  # parts stand after their wholes
        use = counted[:, i]
        score = _with_parts(raw[:, i], probabilities[:, parts[i]]) if i in parts else raw[:, i]
        if before is not None and stays[i]:
            fitted = Sigmoid(float(before.slope[i]), float(before.offset[i]))
        else:
            fitted = fit_sigmoid(score[use], present[use, i])
        slope[i], offset[i] = fitted.slope, fitted.offset
        probabilities[:, i] = fitted(score)
    rare = ((present & counted).sum(0) < _OWN_THRESHOLD) & ~stays
    if before is not None:
        threshold[stays] = before.threshold[stays]
    if rare.any():
        cells = counted & rare
        threshold[rare] = goal.threshold(probabilities[cells], present[cells])
    for i in np.flatnonzero(~rare & ~stays).tolist():
        use = counted[:, i]
        threshold[i] = goal.threshold(probabilities[use, i], present[use, i])
    return _Rule(slope, offset, threshold, parent)


def _bands(rule: _Rule, raw: Floats, present: Flags, counted: Flags) -> list[Band]:
    probabilities = rule.probabilities(raw)
    return [
        unsure_band(
            probabilities[counted[:, i], i],
            present[counted[:, i], i],
            float(rule.threshold[i]),
            at_most=min(MOST_REVIEWED, 2 * float(present[counted[:, i], i].mean())),
        )
        for i in range(raw.shape[1])
    ]


def _columns(bands: Sequence[Band]) -> tuple[Floats, Floats, Floats, Floats]:
    found = np.array(bands).reshape(-1, 4)
    return found[:, 0], found[:, 1], found[:, 2], found[:, 3]
