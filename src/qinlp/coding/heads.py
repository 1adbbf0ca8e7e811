"""Heads: one calibrated logistic regression a code, over an encoder's vectors.

They are refitted in seconds when judgements arrive, and are saved with skops, never pickle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding.calibration import Sigmoid, f1_threshold, fit_sigmoid, unsure_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]

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
    make them probabilities; `threshold`, `unsure_from` and `unsure_to` (codes,) decide.
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
    estimators: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)
    """The scikit-learn estimators that the weights come from, for those who want to look."""
    origin: str = "trained; threshold: best F1 on out-of-fold scores"

    def probabilities(self, vectors: Floats) -> Floats:
        """Return calibrated probabilities, shape (passages, codes), of vectors (passages, dimension)."""
        scores = vectors.astype(np.float32) @ self.weights.astype(np.float32) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * scores + self.offset, -30, 30))), np.float32)

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


def folds(groups: Sequence[str], n: int, seed: int = 0) -> list[NDArray[np.intp]]:
    """Split rows into `n` parts, the rows of one document never over two."""
    from sklearn.model_selection import GroupKFold

    splitter = GroupKFold(n_splits=n, shuffle=True, random_state=seed)
    return [test for _, test in splitter.split(np.zeros((len(groups), 1)), groups=np.asarray(groups))]


@dataclass(frozen=True)
class Trained:
    """Heads, and what they said of documents that neither they nor their calibration had seen.

    `rows` are positions in the training passages; `probabilities`, `decisions`, `present` and
    `counted` have shape (rows, codes).
    """

    heads: Heads
    rows: NDArray[np.intp]
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
    fold_vectors: Sequence[tuple[Floats, NDArray[np.intp]]] | None = None,
    strength: float = 1.0,
) -> Trained:
    """Train, calibrate and set thresholds for every code with at least `FEWEST` labelled passages.

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
    rule = _rule(scores[seen], present[seen], counted[seen])
    probabilities = np.zeros_like(scores)
    decisions = np.zeros_like(present)
    for test in tests:  # each fold judged by a rule from the others
        rest = np.setdiff1d(seen, test)
        of_rest = _rule(scores[rest], present[rest], counted[rest])
        probabilities[test] = of_rest.probabilities(scores[test])
        decisions[test] = probabilities[test] >= of_rest.threshold
    kept = tuple(codes[int(i)] for i in enough)
    made = Heads(
        codebook, codebook_hash, kept, weights, bias, rule.slope, rule.offset,
        rule.threshold, *_bands(rule, scores[seen], present[seen], counted[seen]),
        dict(zip(kept, estimators, strict=True)),
    )  # fmt: skip
    return Trained(made, seen, probabilities[seen], decisions[seen], present[seen], counted[seen])


@dataclass(frozen=True)
class _Rule:
    slope: Floats
    offset: Floats
    threshold: Floats

    def probabilities(self, scores: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * scores + self.offset, -30, 30))))


def _rule(scores: Floats, present: Flags, counted: Flags) -> _Rule:
    sigmoids: list[Sigmoid] = []
    probabilities = np.zeros_like(scores)
    for i in range(scores.shape[1]):
        use = counted[:, i]
        sigmoids.append(fit_sigmoid(scores[use, i], present[use, i]))
        probabilities[:, i] = sigmoids[i](scores[:, i])
    rare = (present & counted).sum(0) < _OWN_THRESHOLD
    threshold = np.zeros(len(sigmoids))
    if rare.any():
        cells = counted & rare
        threshold[rare] = f1_threshold(probabilities[cells], present[cells])
    for i in np.flatnonzero(~rare).tolist():
        use = counted[:, i]
        threshold[i] = f1_threshold(probabilities[use, i], present[use, i])
    return _Rule(np.array([s.slope for s in sigmoids]), np.array([s.offset for s in sigmoids]), threshold)


def _bands(rule: _Rule, scores: Floats, present: Flags, counted: Flags) -> tuple[Floats, Floats]:
    probabilities = rule.probabilities(scores)
    found = [
        unsure_band(
            probabilities[counted[:, i], i],
            present[counted[:, i], i],
            float(rule.threshold[i]),
            at_most=min(MOST_REVIEWED, 2 * float(present[counted[:, i], i].mean())),
        )
        for i in range(scores.shape[1])
    ]
    return np.array([low for low, _ in found]), np.array([high for _, high in found])
