"""How much to review: the error to expect of what nobody has looked at, against passages reviewed.

The error of a set of passages is the share of them with a code wrong or missing. A user can check
it by reading, and it cannot be thinned by the many codes that a passage plainly lacks. To look at one
code, pass its column alone. What a person has judged counts as right.

Calibrated probabilities say what to expect of each passage. They were calibrated elsewhere, so the
judgements so far correct them: a logistic regression of "was wrong" on the log-odds of what was
expected (Cox 1958), held near "as expected" by a normal prior. Selection by the strategy does no
harm, as it looks at the same probabilities; the audit adds what the strategy would not look at.

Each resample draws documents (cluster bootstrap) and the prior's centre (randomised maximum a
posteriori; Bardsley et al. 2014); the stated error is the mean over resamples. The interval is of the
error that will be found, not only of its mean: chance in what remains is added. Held-out simulations
are in `docs/review-measured.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qinlp.coding.calibration import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]

_CENTRE = np.array([1.0, 0.0])
"""Slope and offset of "as expected"."""
_PRECISION = np.array([9.0, 1.0])
"""A slope within a third of 1 and an offset within 1 of 0 are ordinary."""
_POINTS = 500
"""So many points of a curve are worked out at most."""


class Stated(NamedTuple):
    """An error with its 95% interval."""

    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Seen:
    """The passages judged so far; each array has shape (judged,).

    `expected` must be what was said before the passage was judged, and by a coder that had not
    learned from it: of a passage that it learned from, a coder is too sure.
    """

    expected: Floats
    wrong: Flags
    documents: NDArray[Any]


@dataclass(frozen=True)
class Needed:
    """So many more passages bring the error of the rest to at most `target`."""

    target: float
    more: int
    """To bring the expected error there."""
    stated: Stated
    """The error of the rest then."""
    surely: int
    """To bring the upper end of the interval there."""

    def __str__(self) -> str:
        """Say it in a sentence."""
        error, low, high = (f"{100 * value:.1f}".removesuffix(".0") for value in self.stated)
        if not self.more:
            return f"the expected error of the unreviewed codings is {error}% (95% interval {low} to {high}%)"
        passages = "passage" if self.more == 1 else "passages"
        return (
            f"review {self.more} more {passages} to bring the expected error of the unreviewed codings "
            f"under {100 * self.target:g}% (95% interval {low} to {high}%)"
        )


@dataclass(frozen=True)
class Curve:
    """The error of the rest against how many `more` passages are reviewed; arrays of shape (points,).

    It begins with none and ends with all, when nothing is left to be wrong.
    """

    more: NDArray[np.intp]
    error: Floats
    low: Floats
    high: Floats

    def at(self, more: int) -> Stated:
        """Return the error once so many more passages are reviewed, at the nearest point before."""
        i = max(int(np.searchsorted(self.more, more, side="right")) - 1, 0)
        return Stated(float(self.error[i]), float(self.low[i]), float(self.high[i]))

    def needed(self, target: float) -> Needed:
        """Return how many more passages bring the error of the rest to at most `target`."""
        more = int(self.more[np.flatnonzero(self.error <= target)[0]])
        surely = int(self.more[np.flatnonzero(self.high <= target)[0]])
        return Needed(target, more, self.at(more), surely)


def expected(probabilities: Floats, decisions: Flags) -> Floats:
    """Return how probable it is that a passage has a code wrong or missing, shape (passages,).

    Arguments have shape (passages, codes). Codes are taken as independent; `curve` mends what that
    gets wrong.
    """
    right = np.where(decisions, probabilities, 1 - probabilities)
    return np.asarray(1 - right.prod(1))


def wrong(decisions: Flags, present: Flags, counted: Flags | None = None) -> Flags:
    """Return whether a passage has a code wrong or missing, shape (passages,), of the cells that count."""
    apart = decisions != present
    return np.asarray((apart if counted is None else apart & counted).any(1))


def curve(rest: Floats, seen: Seen, *, resamples: int = 200, seed: int = 0) -> Curve:
    """Return the curve for what is left.

    Args:
        rest: what to `expect` of the passages nobody has judged, in the order of the queue.
        seen: the judgements so far; there may be none, then the interval is wide.
        resamples: of documents.
        seed: of the draws.
    """
    n = len(rest)
    more = np.unique(np.linspace(0, n, min(n, _POINTS) + 1).astype(np.intp))
    starts, left = more[:-1], (n - more[:-1]).astype(np.float64)
    if not n:
        return Curve(more, *(np.zeros(1) for _ in range(3)))
    odds = _log_odds(rest)
    means = np.empty((resamples, len(starts)))
    chance = np.zeros(len(starts))
    for i, (slope, offset) in enumerate(_corrections(seen, resamples, seed)):
        errors = sigmoid(slope * odds + offset)
        means[i] = _from(errors, starts) / left
        chance += _from(errors * (1 - errors), starts) / left**2 / resamples
    error = means.mean(0)
    low, high = _beta_interval(error, means.var(0) + chance)
    low, high = np.floor(low * left + 1e-9) / left, np.ceil(high * left - 1e-9) / left  # whole passages
    low, high = np.minimum(low, error), np.maximum(high, error)
    return Curve(more, *(np.append(values, 0.0) for values in (error, low, high)))


def exact(k: int, n: int) -> tuple[float, float]:
    """Return the exact 95% interval of a share, k of n (Clopper & Pearson 1934); n is not 0."""
    from scipy.stats import binomtest

    found = binomtest(k, n).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def of_audit(wrong: Flags) -> Stated:
    """Return the error of what the strategy left for later, by the audit alone.

    `wrong` has shape (audited,), those that the strategy had not reached. The interval is Clopper's
    and Pearson's (1934): no model is believed, so it is wide. `curve` should lie within it.
    """
    n, k = len(wrong), int(wrong.sum())
    return Stated(k / n, *exact(k, n)) if n else Stated(0.5, 0.0, 1.0)


def _corrections(seen: Seen, resamples: int, seed: int) -> Floats:
    """Return the slope and offset of each resample, shape (resamples, 2)."""
    generator = np.random.default_rng(seed)
    names, document = np.unique(seen.documents, return_inverse=True)
    shares = np.full(len(names), 1 / max(len(names), 1))
    times = generator.multinomial(len(names), shares, resamples) if len(names) else np.zeros((resamples, 0))
    centre = _CENTRE + generator.normal(size=(resamples, 2)) / np.sqrt(_PRECISION)
    weights, x = times[:, document], _log_odds(seen.expected)
    found = np.tile(_CENTRE, (resamples, 1))
    for _ in range(30):  # Newton's method in bounded steps; the prior keeps it convex
        p = sigmoid(found[:, :1] * x + found[:, 1:])
        gap, curvature = weights * (p - seen.wrong), weights * p * (1 - p)
        slope = np.stack([gap @ x, gap.sum(1)], 1) + _PRECISION * (found - centre)
        cross = curvature @ x
        bend = np.stack([curvature @ (x * x), cross, cross, curvature.sum(1)], 1).reshape(-1, 2, 2)
        step = np.linalg.solve(bend + np.diag(_PRECISION), slope[..., None])[..., 0]
        found -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return found


def _from(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return the sum of all values from each start to the end."""
    return np.asarray(np.add.reduceat(values, starts)[::-1].cumsum()[::-1])


def _beta_interval(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Return the middle 95% of the beta distribution with this mean and variance."""
    from scipy.stats import beta

    mean = np.clip(mean, 1e-9, 1 - 1e-9)
    widest = mean * (1 - mean)
    weight = widest / np.clip(variance, 1e-12, 0.999 * widest) - 1
    a, b = mean * weight, (1 - mean) * weight
    return np.asarray(beta.ppf(0.025, a, b)), np.asarray(beta.ppf(0.975, a, b))


def _log_odds(p: Floats) -> Floats:
    inner = np.clip(p.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inner / (1 - inner)))
