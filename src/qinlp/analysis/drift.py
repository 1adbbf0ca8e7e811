"""Does a run depart from the runs before it? Pure judging of shares and of the codes given.

A share is judged by three things that must agree:

1. **Chance.** The signed root of the likelihood ratio statistic G of the run against the runs before,
   pooled, is standard normal where nothing changed (McCullagh & Nelder, Generalized Linear Models,
   1989, 4.5; Pierce & Schafer, JASA 81, 1986, on its tails). It knows both denominators, so a small run
   or a constant history raises no alarm by itself.
2. **Scatter.** Passages of one document are alike, so shares scatter more than chance has it. The
   spread is that of the runs before on the same scale, robustly: 1.4826 times their median absolute
   deviation from the pooled share, and never less than chance, 1. This is Laney's p' chart (Quality
   Engineering 14, 2002; for health care Spiegelhalter, Qual Saf Health Care 14, 2005) with MAD in the
   place of moving ranges. A spread known from few runs is judged by Student's t, told as the standard
   normal deviate of the same probability.
3. **Range.** The share lies outside those of the runs before, the highest and the lowest left out.

Of the runs before, the last `WINDOW` count. In the pool no run counts for more than the median one
and the extremes are left out, so that neither a first import nor one odd night makes the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOW = 30
"""So many runs are a run's history."""
_EXPECTED = 5
"""A code expected less often tells no spread and stands in the rest (Cochran, Biometrics 10, 1954)."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A share that departs from its history."""

    value: float
    low: float
    """Lowest of the runs before, the very lowest left out ..."""
    high: float
    """... and highest, the very highest left out."""
    runs: int
    """Runs before that it was judged by."""
    z: float
    """Robust standard deviations from the runs before; above them where it is positive."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How the codes given in a run differ from those of the runs before."""

    distance: float
    """Jensen-Shannon distance of the two distributions over codes: 0 the same, 1 nothing in common."""
    z: float
    """How far the distance is beyond what sampling makes, in standard normal deviates."""
    departs: bool
    """Whether the distribution as a whole departs."""
    codes: tuple[tuple[str, Departure], ...]
    """The codes whose rate departs, the farthest first."""
    moved: tuple[tuple[str, float, float], ...]
    """The codes that moved most, the farthest first: code, rate before, rate now."""


def judge(
    history: Sequence[tuple[float, int]], new: tuple[float, int], *, departure: float, least: int
) -> Departure | None:
    """Return how a share (value, denominator) departs from those of the runs before, oldest first.

    None where it does not, or where fewer than `least` runs were before.
    """
    before = history[-WINDOW:]
    if len(before) < max(least, 3):
        return None
    rates = np.array([[value] for value, _ in before])
    sizes = np.array([n for _, n in before], float)
    return _departures(rates, sizes, np.array([new[0]]), new[1], departure)[0]


def distance(rates: Floats, sizes: Floats, new: Floats, n: int) -> float:
    """Return the Jensen-Shannon distance between the codes given in a run and in those before, pooled.

    Args:
        rates: the share of passages given each code in the runs before, shape (runs, codes).
        sizes: the passages of the runs before, shape (runs,).
        new: the share of passages given each code in the run, shape (codes,).
        n: the passages of the run.

    Returns:
        From 0 to 1 (base 2); 0 where one of the two was given no code.
    """
    from scipy.spatial.distance import jensenshannon

    rates, sizes = rates[-WINDOW:], sizes[-WINDOW:]
    pooled = (rates * _weights(sizes)[:, None]).sum(axis=0)
    if not pooled.sum() or not new.sum():
        return 0.0
    return float(np.nan_to_num(jensenshannon(new * n, pooled, base=2)))


def shift(
    codes: Sequence[str],
    rates: Floats,
    sizes: Floats,
    new: Floats,
    n: int,
    *,
    departure: float,
    least: int,
) -> Shift | None:
    """Judge the codes given in a run by those of the runs before; arguments as for `distance`.

    The distance alone says little: the fewer codes given, the farther apart two samples of one
    distribution lie. So the distribution is judged by G, twice the number of codes given times the
    Jensen-Shannon divergence weighted by the two samples (Lin, IEEE Trans Inf Theory 37, 1991;
    Grosse et al., Phys Rev E 65, 2002), which is chi-squared with a degree of freedom less than
    there are codes where nothing changed. Codes expected less than five times are one, the rest.
    G is divided by the dispersion of the runs before, the median of their own G over that of
    chi-squared and never less than 1, because the codes of one document come together (quasi
    likelihood; McCullagh & Nelder 1989, 4.5).

    One code that moves is lost among many, so each code's rate is judged by itself too, like any
    share, with the spread of the codebook's codes together. A code that scatters more than the
    others do, by more than twice the error of a MAD, has its own.

    None where fewer than `least` runs were before.
    """
    rates, sizes = rates[-WINDOW:], sizes[-WINDOW:]
    if len(rates) < max(least, 3):
        return None
    found = _departures(rates, sizes, new, n, departure)
    departs = sorted(
        ((code, d) for code, d in zip(codes, found, strict=True) if d), key=lambda pair: -abs(pair[1].z)
    )
    weights = _weights(sizes)
    before = (rates * weights[:, None]).sum(axis=0) / weights.sum()
    z = _signed_root(new * n, n, before * weights.sum(), weights.sum())
    order = np.argsort(-np.abs(z), kind="stable")[:3]
    moved = tuple((codes[i], float(before[i]), float(new[i])) for i in order if before[i] != new[i])
    far = distance(rates, sizes, new, n)
    whole = _whole(rates, sizes, new, n)
    departing = whole >= departure and far > _farthest(rates, sizes)
    return Shift(far, whole, departing, tuple(departs), moved)


def _weights(sizes: Floats) -> Floats:
    return np.minimum(sizes, np.median(sizes))


def _signed_root(k: Any, n: Any, others: Any, of: Any) -> Floats:
    """Return the signed root of G for k of n against `others` of `of`."""
    from scipy.special import rel_entr

    pooled = (k + others) / (n + of)
    g = rel_entr(k, n * pooled) + rel_entr(n - k, n * (1 - pooled))
    g = g + rel_entr(others, of * pooled) + rel_entr(of - others, of * (1 - pooled))
    signed: Floats = np.sign(k * of - others * n) * np.sqrt(2 * np.maximum(g, 0))
    return signed


def _departures(
    rates: Floats, sizes: Floats, new: Floats, n: int, departure: float
) -> list[Departure | None]:
    """Judge each column of `rates`, shape (runs, series), with a spread of all of them together."""
    from scipy.special import ndtri, stdtr

    runs, series = rates.shape
    kept = np.ones(rates.shape, bool)
    kept[rates.argmax(axis=0), np.arange(series)] = False
    kept[(rates + ~kept * 2).argmin(axis=0), np.arange(series)] = False
    weights = kept * _weights(sizes)[:, None]
    of, pooled = weights.sum(axis=0), (weights * rates).sum(axis=0)

    own_of, own_pooled = of - weights, pooled - weights * rates  # each run against the others
    size = sizes[:, None]
    scattered = np.abs(_signed_root(rates * size, size, np.maximum(own_pooled, 0), np.maximum(own_of, 1e-9)))
    common = pooled / of * np.median(sizes) >= _EXPECTED
    together = scattered[:, common] if common.any() else scattered
    family, alone = 1.4826 * np.median(together), 1.4826 * np.median(scattered, axis=0)
    odd = alone > max(family, 1.0) * (1 + 2 * 1.17 / np.sqrt(runs))  # 1.17: the error of a MAD, Gaussian
    spread = np.maximum(np.where(odd, alone, family), 1.0)
    freedom = np.where(odd, runs, together.size) - 1

    z = _signed_root(new * n, n, pooled, of) / spread
    z = np.sign(z) * np.minimum(-ndtri(stdtr(freedom, -np.abs(z))), 1e3)
    low = np.where(kept, rates, np.inf).min(axis=0)
    high = np.where(kept, rates, -np.inf).max(axis=0)
    beyond = ((z >= departure) & (new > high)) | ((z <= -departure) & (new < low))
    return [
        Departure(float(new[i]), float(low[i]), float(high[i]), runs, float(z[i])) if beyond[i] else None
        for i in range(series)
    ]


def _whole(rates: Floats, sizes: Floats, new: Floats, n: int) -> float:
    """Return how unlikely the run's distribution is, as a normal deviate."""
    from scipy.special import chdtrc, chdtri, ndtri

    counts = rates * _weights(sizes)[:, None]
    given, pooled = new * n, counts.sum(axis=0)
    if not given.sum() or not pooled.sum():
        return 0.0
    often = pooled / pooled.sum() * given.sum() >= _EXPECTED
    freedom = int(often.sum()) - int(often.all())
    if freedom < 1:
        return 0.0

    def parts(x: Floats) -> Floats:
        return np.append(x[..., often], x[..., ~often].sum(axis=-1, keepdims=True), axis=-1)

    whole = parts(pooled)
    earlier = [_g(parts(r * s), whole - parts(c)) for r, s, c in zip(rates, sizes, counts, strict=True)]
    dispersion = max(float(np.median(earlier)) / float(chdtri(freedom, 0.5)), 1.0)
    g = _g(parts(given), whole) / dispersion
    return float(min(-ndtri(chdtrc(freedom, g)), 1e3))


def _farthest(rates: Floats, sizes: Floats) -> float:
    """Return how far any of the runs lies from the others, the farthest one left out."""
    runs = range(len(rates))
    return sorted(distance(np.delete(rates, i, 0), np.delete(sizes, i), rates[i], 1) for i in runs)[-2]


def _g(a: Floats, b: Floats) -> float:
    from scipy.special import rel_entr

    if not a.sum() or not b.sum():
        return 0.0
    both = (a + b) / (a.sum() + b.sum())
    return float(2 * (rel_entr(a, a.sum() * both) + rel_entr(b, b.sum() * both)).sum())
