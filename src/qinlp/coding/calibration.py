"""From raw scores to probabilities, thresholds and an honest "unsure".

Everything here is fitted on out-of-fold scores: scores that a head gave to documents it had not seen.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qinlp.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]
    Counts = NDArray[np.intp]


def sigmoid(x: Floats) -> Floats:
    """Return the probabilities of log-odds, any shape."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Platt scaling (Platt 1999): probability = 1 / (1 + exp(-(slope * score + offset)))."""

    slope: float
    offset: float

    def __call__(self, scores: Floats) -> Floats:
        """Return probabilities for raw scores, any shape."""
        return sigmoid(self.slope * scores + self.offset)


def fit_sigmoid(scores: Floats, present: Flags) -> Sigmoid:
    """Fit Platt scaling by penalised maximum likelihood; a constant where one class is missing."""
    from sklearn.linear_model import LogisticRegression

    if present.all() or not present.any():
        share = (present.sum() + 1) / (len(present) + 2)
        return Sigmoid(0.0, float(np.log(share / (1 - share))))
    spread = float(scores.std()) or 1.0
    fitted = LogisticRegression(C=10.0).fit((scores / spread).reshape(-1, 1), present)
    return Sigmoid(max(0.0, float(fitted.coef_[0, 0])) / spread, float(fitted.intercept_[0]))


def expected_calibration_error(probabilities: Floats, present: Flags, bins: int = 10) -> float:
    """Return the mean gap between stated and observed share over equal-width bins (Guo et al. 2017)."""
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    n = np.bincount(index, minlength=bins)
    gap = np.abs(
        np.bincount(index, weights=probabilities, minlength=bins)
        - np.bincount(index, weights=present.astype(float), minlength=bins)
    )
    return float(gap.sum() / n.sum()) if n.sum() else 0.0


@dataclass(frozen=True, slots=True)
class Goal:
    """What a threshold is chosen for: the best F1, or, with `precision`, the most found at that precision."""

    precision: float | None = None

    @classmethod
    def named(cls, text: str) -> Goal:
        """Read a goal: `f1` or `precision=0.9`.

        Raises:
            ConfigError: it is neither.
        """
        name, _, value = text.partition("=")
        with contextlib.suppress(ValueError):
            if name == "f1" and not value:
                return cls()
            if name == "precision" and 0 < float(value) <= 1:
                return cls(float(value))
        raise ConfigError(f"goal {text!r}: give f1, or precision= and a share, such as precision=0.9")

    @classmethod
    def of(cls, origin: str) -> Goal:
        """Return the goal that heads name in their `origin`."""
        said = re.search(r"precision of at least ([\d.e-]+)", origin)
        return cls(float(said[1])) if said else cls()

    def threshold(self, probabilities: Floats, present: Flags) -> float:
        """Return the threshold for it. Arrays of shape (passages,)."""
        if self.precision is None:
            return f1_threshold(probabilities, present)
        return precision_threshold(probabilities, present, self.precision)

    def __str__(self) -> str:
        """Say it."""
        return "best F1" if self.precision is None else f"precision of at least {self.precision:g}"


BEST_F1 = Goal()


def f1_threshold(probabilities: Floats, present: Flags) -> float:
    """Return the threshold with the best F1; midway between the two scores that it parts."""
    order = np.argsort(-probabilities, kind="stable")
    p, y = probabilities[order], present[order]
    hits = np.cumsum(y)
    f1 = 2 * hits / (np.arange(1, len(y) + 1) + y.sum())
    last = np.append(p[1:] < p[:-1], True)
    best = int(np.argmax(np.where(last, f1, -1)))
    below = p[best + 1] if best + 1 < len(p) else 0.0
    return float((p[best] + below) / 2)


def precision_threshold(probabilities: Floats, present: Flags, at_least: float) -> float:
    """Return the lowest threshold whose precision is `at_least` that; 1.0 where none is."""
    order = np.argsort(-probabilities, kind="stable")
    p, y = probabilities[order], present[order]
    precision = np.cumsum(y) / np.arange(1, len(y) + 1)
    good = np.flatnonzero((precision >= at_least) & np.append(p[1:] < p[:-1], True))
    return float(p[good[-1]]) if len(good) else 1.0


def upper_bound(errors: int, of: int, confidence: float) -> float:
    """Return the one-sided Clopper-Pearson bound on an error rate."""
    return float(_upper_bounds(np.array(errors), np.array(of), confidence))


def _upper_bounds(errors: Counts, of: Counts, confidence: float) -> Floats:
    from scipy.stats import beta

    good = np.maximum(of - errors, 1)
    return np.where(errors >= of, 1.0, beta.ppf(confidence, errors + 1, good))


class Band(NamedTuple):
    """The probabilities that go to a person, and what to expect of those that do not."""

    start: float
    to: float
    wrong: float
    """Share of the codings above the band that are wrong, at most."""
    missed: float
    """Share of the passages that hold the code, outside the band, that lie below it, at most."""


def unsure_band(
    probabilities: Floats,
    present: Flags,
    threshold: float,
    *,
    error: float = 0.08,
    confidence: float = 0.7,
    at_most: float = 1.0,
) -> Band:
    """Return the smallest band around the threshold that must go to a person.

    Above the band at most `error` of the codings are wrong; below it at most `error` of the
    passages that hold the code, and are not in the band, are missed. Each bound is a
    Clopper-Pearson bound at `confidence` on the scores given, risk control in the manner of
    Angelopoulos et al. 2021 (arXiv 2110.01052) with one step a side. A side that cannot keep
    its promise is unsure to its end. No more than the share `at_most` of the passages is unsure:
    where the band would hold more, those nearest to the threshold stay, and the band promises the
    larger errors that are left.
    """
    order = np.argsort(probabilities, kind="stable")
    p, y = probabilities[order], present[order]
    held = np.concatenate([[0], np.cumsum(y)])  # held[i] of the i lowest hold the code
    edges = np.unique(p)
    at = np.searchsorted(p, edges)
    above, hits = len(p) - at, held[-1] - held[at]
    keeps = (edges >= threshold) & (_upper_bounds(above - hits, above, confidence) <= error)
    to = float(edges[keeps][0]) if keeps.any() else 1.0
    found = held[-1] - held[np.searchsorted(p, to)]
    keeps = (edges < threshold) & (_upper_bounds(held[at], held[at] + found, confidence) <= error)
    start = float(edges[keeps][-1]) if keeps.any() else 0.0
    inside = p[(p >= start) & (p <= to)]
    room = max(1, int(at_most * len(p)))
    if len(inside) > room:
        far = np.abs(_logit(inside) - _logit(np.array([threshold])))
        kept = inside[np.argsort(far, kind="stable")[:room]]
        start, to = float(kept.min()), float(kept.max())
    to = max(start, to)
    sure = p > to
    right, lost = int((y & sure).sum()), int((y & (p < start)).sum())
    return Band(
        start,
        to,
        upper_bound(int(sure.sum()) - right, int(sure.sum()), confidence),
        upper_bound(lost, lost + right, confidence),
    )


def _logit(p: Floats) -> Floats:
    inner = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inner / (1 - inner)))
