"""How far coders agree: people, the model and the adjudicated labels, in one table.

Percent, positive and negative agreement, Cohen's kappa (Cohen 1960), Krippendorff's alpha (Krippendorff
2011) and alpha over the whole sets of codes with the MASI distance (Passonneau 2006). Intervals come
from the bootstrap over documents, since passages of one document are alike (Efron & Tibshirani 1993).

Kappa and alpha of a code come from scikit-learn and `krippendorff`. Thousands of resamples come from
counts per document with the same formulas, and so does alpha over sets, for which the library
would hold a cube of passages, sets and sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Whole = NDArray[np.integer[Any]]

NOT_JUDGED = -1
_ENOUGH = 0.5
"""No interval where fewer of the resamples than this have a value."""


@dataclass(frozen=True)
class Sheet:
    """Who said what: one codebook's judgements as an array.

    `said` has shape (passages, coders, codes): 1 present, 0 absent, -1 not judged. `documents` has
    shape (passages,). A model or adjudicated labels are coders like any other.
    """

    documents: NDArray[Any]
    coders: tuple[str, ...]
    codes: tuple[str, ...]
    said: NDArray[np.int8]

    def of(self, coders: Sequence[str]) -> Sheet:
        """Return what some of the coders said."""
        at = [self.coders.index(coder) for coder in coders]
        return Sheet(self.documents, tuple(coders), self.codes, self.said[:, at])


def sheet(
    passages: Sequence[str],
    documents: Sequence[str],
    coders: Sequence[str],
    codes: Sequence[str],
    present: Sequence[bool],
    *,
    every: Sequence[str] | None = None,
) -> Sheet:
    """Lay out a long table: five columns of one length, a row a judgement.

    Of two rows for one passage, coder and code the later counts. `every` are the codes in their
    order; without it, those that occur, sorted. Codes outside `every` are left out.
    """
    order = sorted(set(codes)) if every is None else list(every)
    names = sorted(set(coders))
    place = {passage: i for i, passage in enumerate(dict.fromkeys(passages))}
    column = {code: i for i, code in enumerate(order)}
    who = {coder: i for i, coder in enumerate(names)}
    of = dict(zip(passages, documents, strict=True))
    said = np.full((len(place), len(names), len(order)), NOT_JUDGED, np.int8)
    for passage, coder, code, yes in zip(passages, coders, codes, present, strict=True):
        if code in column:
            said[place[passage], who[coder], column[code]] = bool(yes)
    return Sheet(np.array([of[passage] for passage in place]), tuple(names), tuple(order), said)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95% interval over documents; what cannot be said is None, with the reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    resamples: int = 0
    """How many resamples had a value, and made the interval."""
    reason: str = ""
    """Why there is no value, or no interval."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far some coders agree on one code, or on all.

    Of more than two coders, `percent`, `positive` and `negative` count every pair of judgements of
    a passage, and `kappa` is the mean over pairs of coders (Light 1971). Over all codes the counts
    are taken together, and `kappa` and `alpha` are means over the codes that have one.
    """

    coders: tuple[str, ...]
    code: str
    """Empty: all codes."""
    passages: int
    """Judged by at least one of the coders."""
    double: int
    """Judged by at least two."""
    documents: int
    """With a passage judged by at least two."""
    percent: Measure
    positive: Measure
    """Of what either said is present, the share that both did: 2a / (2a + b + c) (Dice 1945)."""
    negative: Measure
    kappa: Measure
    alpha: Measure
    sets: Measure | None = None
    """Alpha over sets of codes with the MASI distance, where every code was judged; of all codes only."""


def table(judged: Sheet, *, resamples: int = 2000, seed: int = 0) -> tuple[Agreement, ...]:
    """Return the agreement of all coders together, if there are more than two, and of every pair.

    For each, all codes first, then code by code.
    """
    pairs: list[tuple[str, ...]] = list(combinations(judged.coders, 2))
    groups = pairs if len(judged.coders) == 2 else [judged.coders, *pairs]
    return tuple(
        row for coders in groups for row in agreement(judged.of(coders), resamples=resamples, seed=seed)
    )


def agreement(judged: Sheet, *, resamples: int = 2000, seed: int = 0) -> tuple[Agreement, ...]:
    """Return the agreement of all the coders of a sheet: on all codes, then code by code."""
    counts = _count(judged)
    once, drawn = np.ones((1, counts.documents)), _resampled(counts.documents, resamples, seed)
    values = {name: value[0] for name, value in _shares(counts, once).items()}
    values |= {"kappa": _kappas(judged), "alpha": _alphas(judged)}
    spread = _shares(counts, drawn) | {"kappa": _kappa(counts, drawn), "alpha": _alpha(counts, drawn)}
    reasons = [_reason(judged, i) for i in range(len(judged.codes))]
    seen = (judged.said != NOT_JUDGED).sum(1)  # (passages, codes)
    _, document = np.unique(judged.documents, return_inverse=True)

    def row(code: str, judgements: Whole, measures: dict[str, Measure], sets: Measure | None) -> Agreement:
        twice = judgements >= 2
        return Agreement(
            judged.coders, code, int((judgements >= 1).sum()), int(twice.sum()),
            len(np.unique(document[twice])), **measures, sets=sets,
        )  # fmt: skip

    per_code = [
        row(
            code,
            seen[:, i],
            {
                name: _measure(values[name][i], spread[name][:, i], reasons[i] or _UNDEFINED[name])
                for name in values
            },
            None,
        )
        for i, code in enumerate(judged.codes)
    ]
    nothing = _nothing(judged)
    shares, spread_shares = _shares(counts, once, together=True), _shares(counts, drawn, together=True)
    overall = {
        name: _measure(shares[name][0], spread_shares[name], nothing or _UNDEFINED[name]) for name in shares
    } | {
        name: _measure(_mean(values[name]), _mean(spread[name]), nothing or "no code has one")
        for name in ("kappa", "alpha")
    }
    most = seen.max(1) if judged.codes else np.zeros(len(seen), int)
    return (row("", most, overall, _sets(judged, document, drawn)), *per_code)


def masi(sets: NDArray[np.bool_]) -> Floats:
    """Return the MASI distance between sets of codes (Passonneau 2006), shape (sets, sets).

    `sets` has shape (sets, codes). The distance is 1 - J M: J is the Jaccard index, and M is 1 for
    equal sets, 2/3 where one holds the other, 1/3 where they only overlap, 0 where they do not. Two
    empty sets are equal.
    """
    held = sets.astype(np.float64)
    size = held.sum(1)
    common = held @ held.T
    either = size[:, None] + size[None] - common
    jaccard = np.where(either > 0, common / np.maximum(either, 1), 1.0)
    within = common == np.minimum(size[:, None], size[None])
    kind = np.where(common == either, 1.0, np.where(common == 0, 0.0, np.where(within, 2 / 3, 1 / 3)))
    return np.asarray(1 - jaccard * kind)


# Counts a document ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counts:
    """`pairs` has shape (pairs of coders, 4, documents, codes): both yes, yes and no, no and yes, both no.

    `values` has shape (2, documents, codes): the noes and yeses of passages judged twice. `apart` has
    shape (documents, codes): the disagreement within passages, as alpha weighs it.
    """

    pairs: Floats
    values: Floats
    apart: Floats

    @property
    def documents(self) -> int:
        return int(self.apart.shape[0])


def _count(judged: Sheet) -> _Counts:
    names, document = np.unique(judged.documents, return_inverse=True)
    yes, no = judged.said == 1, judged.said == 0

    def of_documents(cells: NDArray[Any]) -> Floats:
        total = np.zeros((len(names), cells.shape[1]))
        np.add.at(total, document, cells)
        return total

    pairs = [
        [of_documents(a[:, i] & b[:, j]) for a, b in ((yes, yes), (yes, no), (no, yes), (no, no))]
        for i, j in combinations(range(len(judged.coders)), 2)
    ]
    zeros, ones = no.sum(1), yes.sum(1)
    twice = zeros + ones >= 2
    shape = (0, 4, len(names), len(judged.codes))
    return _Counts(
        np.array(pairs) if pairs else np.zeros(shape),
        np.array([of_documents(zeros * twice), of_documents(ones * twice)]),
        of_documents(2 * zeros * ones / np.maximum(zeros + ones - 1, 1) * twice),
    )


def _resampled(documents: int, resamples: int, seed: int) -> Floats:
    """Return how often each document is drawn, shape (resamples, documents)."""
    if documents < 2:
        return np.zeros((0, documents))
    generator = np.random.default_rng(seed)
    return generator.multinomial(documents, np.full(documents, 1 / documents), resamples).astype(np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    nowhere = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=nowhere, where=whole > 0))


def _shares(counts: _Counts, times: Floats, *, together: bool = False) -> dict[str, Floats]:
    """Return percent, positive and negative agreement over all pairs of coders.

    `times` (times, documents) says how often each document is taken. Values have shape (times, codes),
    or (times,) with the codes taken `together`.
    """
    total = counts.pairs.sum(0)
    both, apart, neither = (times @ part for part in (total[0], total[1] + total[2], total[3]))
    if together:
        both, apart, neither = both.sum(1), apart.sum(1), neither.sum(1)
    return {
        "percent": _share(both + neither, both + apart + neither),
        "positive": _share(2 * both, 2 * both + apart),
        "negative": _share(2 * neither, 2 * neither + apart),
    }


def _kappa(counts: _Counts, times: Floats) -> Floats:
    each = []
    for pair in counts.pairs:
        yy, yn, ny, nn = (times @ part for part in pair)
        n = yy + yn + ny + nn
        chance = (yy + yn) * (yy + ny) + (ny + nn) * (yn + nn)
        each.append(_share((yy + nn) * n - chance, n * n - chance))
    shape = (len(times), counts.apart.shape[1])
    return _mean(np.stack(each, -1)) if each else np.full(shape, np.nan)


def _alpha(counts: _Counts, times: Floats) -> Floats:
    zeros, ones = times @ counts.values[0], times @ counts.values[1]
    return np.asarray(1 - _share(times @ counts.apart * (zeros + ones - 1), 2 * zeros * ones))


_UNDEFINED = {
    "percent": "nobody judged it twice",
    "positive": "nobody said that it is present",
    "negative": "nobody said that it is absent",
    "kappa": "no two coders judged it with variation",
    "alpha": "no variation",
}


def _mean(values: Floats) -> Floats:
    """Return the mean over the last axis of what is defined."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0).sum(-1), known.sum(-1).astype(np.float64))


# Values from the libraries --------------------------------------------------------------------


def _kappas(judged: Sheet) -> Floats:
    from sklearn.metrics import cohen_kappa_score

    found = np.full((len(judged.codes), 0), np.nan)
    for i, j in combinations(range(len(judged.coders)), 2):
        both = (judged.said[:, i] != NOT_JUDGED) & (judged.said[:, j] != NOT_JUDGED)
        column = np.full((len(judged.codes), 1), np.nan)
        for code in range(len(judged.codes)):
            a, b = (judged.said[both[:, code], coder, code] for coder in (i, j))
            if len(np.unique([a, b])) == 2:
                column[code] = cohen_kappa_score(a, b)
        found = np.hstack([found, column])
    return _mean(found)


def _alphas(judged: Sheet) -> Floats:
    import krippendorff

    found = np.full(len(judged.codes), np.nan)
    for code in range(len(judged.codes)):
        said = judged.said[:, :, code]
        counts = np.stack([(said == 0).sum(1), (said == 1).sum(1)], 1)
        twice = counts[counts.sum(1) >= 2]
        if len(twice) and twice.sum(0).all():
            found[code] = krippendorff.alpha(value_counts=twice, level_of_measurement="nominal")
    return found


def _sets(judged: Sheet, document: Whole, drawn: Floats) -> Measure:
    """Return alpha over the sets of codes that coders gave, where they judged every code."""
    said = judged.said
    whole = (said != NOT_JUDGED).all(2) if judged.codes else np.zeros(said.shape[:2], bool)
    whole &= (whole.sum(1) >= 2)[:, None]  # (passages, coders)
    if nothing := _nothing(judged):
        return Measure(None, reason=nothing)
    if not whole.any():
        return Measure(None, reason="no two coders judged every code of a passage")
    kinds, at = np.unique(said[whole] == 1, axis=0, return_inverse=True)
    distance = masi(kinds)
    kind = np.zeros(whole.shape, int)
    kind[whole] = at.ravel()
    documents = drawn.shape[1]
    apart = np.zeros(documents)
    for i, j in combinations(range(len(judged.coders)), 2):
        both = whole[:, i] & whole[:, j]
        between = 2 * distance[kind[both, i], kind[both, j]] / (whole[both].sum(1) - 1)
        apart += np.bincount(document[both], between, documents)
    values = np.zeros((documents, len(kinds)))
    np.add.at(values, (document[np.nonzero(whole)[0]], kind[whole]), 1)

    def alpha(times: Floats) -> Floats:
        of = times @ values
        return np.asarray(1 - _share(times @ apart * (of.sum(1) - 1), ((of @ distance) * of).sum(1)))

    value = alpha(np.ones((1, documents)))[0]
    return _measure(value, alpha(drawn), "no variation: every set is the same")


# What can be said -----------------------------------------------------------------------------


def _measure(value: float | Floats, drawn: Floats, reason: str) -> Measure:
    if np.isnan(value):
        return Measure(None, reason=reason)
    known = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Measure(float(value), reason="one document: no interval")
    if len(known) < _ENOUGH * len(drawn):
        return Measure(float(value), resamples=len(known), reason="too few resamples have a value")
    low, high = np.percentile(known, [2.5, 97.5])
    return Measure(float(value), float(low), float(high), len(known))


def _nothing(judged: Sheet) -> str:
    if len(judged.coders) < 2:
        return "one coder"
    if not ((judged.said != NOT_JUDGED).sum(1) >= 2).any():
        return "nobody judged it twice"
    return ""


def _reason(judged: Sheet, code: int) -> str:
    """Return why a code has no kappa or alpha; empty where it may have."""
    said = judged.said[:, :, code]
    twice = said[(said != NOT_JUDGED).sum(1) >= 2]
    if len(judged.coders) < 2:
        return "one coder"
    if not len(twice):
        return "nobody judged it twice"
    values = np.unique(twice[twice != NOT_JUDGED])
    return "" if len(values) == 2 else f"no variation: always {'present' if values[0] else 'absent'}"
