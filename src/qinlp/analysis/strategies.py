"""In what order passages go to people: named strategies, and a random audit among them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qinlp.errors import ConfigError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]
    Places = NDArray[np.intp]

SHARE = 0.1
"""Of what people are given, so much is audit."""
NEAR = 0.9
"""Two passages whose vectors have at least this cosine are near-copies."""
WINDOW = 9
"""After a passage, so many follow that are no near-copies of it."""
AUDITED = "Drawn by chance, to measure the errors of what nobody looks at."
"""Why a passage of the audit is there."""
_DEEP = 2000
"""So many of the most uncertain passages are spread; the rest keep their order."""


@dataclass(frozen=True)
class Candidates:
    """The passages of one codebook that nobody has judged, and what was said of them.

    `codes` are as people shall read them.
    `probabilities` has shape (passages, codes), calibrated. `vectors`, of length 1, has shape
    (passages, dimension). `second` are the probabilities of another coder, shape as the first.
    """

    codebook: str
    codes: tuple[str, ...]
    passages: Sequence[str]
    probabilities: Floats
    vectors: Floats | None = None
    second: Floats | None = None


class Ranking(NamedTuple):
    """`order`: positions of the candidates, next one first. `code` (passages,): what put it there, or -1."""

    order: Places
    code: Places


@dataclass(frozen=True)
class Strategy:
    """A named order."""

    rank: Callable[[Candidates, int], Ranking]
    """From candidates and a seed."""
    words: str
    """Says why a passage is there, before the code and its probability; a strategy without codes says all."""


def uncertainty(candidates: Candidates, seed: int = 0) -> Ranking:
    """Rank by the sum over codes of the entropy of the probability, each relative to that code's mean.

    Uncertainty sampling (Lewis & Gale 1994) over many codes. Plain sums would ask about common codes
    only: relative to its mean, a rare code counts as much as a common one.
    """
    del seed
    p = np.clip(candidates.probabilities.astype(np.float32), 1e-6, 1 - 1e-6)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    relative = entropy / np.maximum(entropy.mean(0), 1e-6) if len(p) else entropy
    return _by(relative, relative.sum(1))


def diversity(candidates: Candidates, seed: int = 0) -> Ranking:
    """Rank by uncertainty, then let no near-copy follow within `WINDOW` passages.

    Of the most uncertain, each next one is the first that is unlike the last few; where all are
    alike, the one least so. Bounded: only the first 2,000 are compared.

    Raises:
        ConfigError: the candidates have no vectors.
    """
    if candidates.vectors is None:
        raise ConfigError("strategy 'diversity' compares vectors, and there are none; choose another")
    order, code = uncertainty(candidates, seed)
    top = candidates.vectors[order[:_DEEP]].astype(np.float32)
    alike = top @ top.T
    left = np.ones(len(top), bool)
    recent: deque[int] = deque(maxlen=WINDOW)
    spread = []
    for _ in range(len(top)):
        likest = alike[list(recent)].max(0) if recent else np.zeros(len(top), np.float32)
        free = left & (likest < NEAR)
        at = int(free.argmax()) if free.any() else int(np.where(left, likest, np.inf).argmin())
        left[at] = False
        recent.append(at)
        spread.append(at)
    return Ranking(np.concatenate([order[np.array(spread, np.intp)], order[_DEEP:]]), code)


def disagreement(candidates: Candidates, seed: int = 0) -> Ranking:
    """Rank by how far two coders are apart: the largest Jensen-Shannon divergence of a code.

    Query by committee of two (McCallum & Nigam 1998).

    Raises:
        ConfigError: there is no second coder.
    """
    del seed
    if candidates.second is None:
        raise ConfigError("strategy 'disagreement' compares two coders, and there is one; choose another")
    apart = _divergence(candidates.probabilities, candidates.second)
    return _by(apart, apart.max(1, initial=0))


def likely(candidates: Candidates, seed: int = 0) -> Ranking:
    """Rank by how many codes a passage probably holds, most first (Cormack & Grossman 2014).

    It finds examples of codes that few passages hold, and doubts little of what it finds.
    """
    del seed
    return _by(candidates.probabilities, candidates.probabilities.sum(1))


def random(candidates: Candidates, seed: int = 0) -> Ranking:
    """Rank by lot, the same for a passage whatever others there are."""
    return Ranking(np.argsort(lots(candidates.passages, seed)), np.full(len(candidates.passages), -1))


STRATEGIES: dict[str, Strategy] = {
    "uncertainty": Strategy(uncertainty, "The model is unsure of"),
    "diversity": Strategy(diversity, "The model is unsure of"),
    "disagreement": Strategy(disagreement, "Two models differ on"),
    "likely": Strategy(likely, "The model expects"),
    "random": Strategy(random, "Drawn by chance"),
}


def strategy(name: str) -> Strategy:
    """Return a strategy by name.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"no strategy {name!r}; {nearest(name, STRATEGIES)}")
    return STRATEGIES[name]


def order(name: str, candidates: Candidates, seed: int = 0) -> Places:
    """Return positions of the candidates in the order of a strategy, next one first."""
    return strategy(name).rank(candidates, seed).order


def lots(passages: Sequence[str], seed: int = 0) -> Floats:
    """Draw a lot for each passage, uniform in [0, 1): from its id and the seed alone.

    So it knows nothing of the model, and stays when passages arrive.
    """
    salt = f"{seed}|".encode()
    digests = b"".join(hashlib.blake2b(salt + p.encode(), digest_size=8).digest() for p in passages)
    return (np.frombuffer(digests, ">u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


def audit(passages: Sequence[str], *, share: float = SHARE, seed: int = 0) -> Places:
    """Return the positions of the passages that are audited, in the order of their lots.

    Sure and unsure are drawn alike. Wherever a review stops, those that it reached are therefore a
    fair sample of all that the strategy left for later, which is what nobody would have looked at.
    """
    drawn = lots(passages, seed)
    chosen = np.flatnonzero(drawn < share)
    return chosen[np.argsort(drawn[chosen])]


class Item(NamedTuple):
    """A passage that waits: its position among the candidates, whether it is audit, and a sentence why."""

    place: int
    audited: bool
    why: str


def queue(
    candidates: Candidates,
    name: str = "uncertainty",
    *,
    first: int | None = None,
    share: float = SHARE,
    seed: int = 0,
    judged: int = 0,
    audited: int = 0,
) -> list[Item]:
    """Return what waits, next one first: the strategy's order with the audit mixed in.

    Args:
        candidates: passages that nobody has judged.
        name: a strategy of `STRATEGIES`.
        first: so many at most.
        share: share of the audit.
        seed: the project's; it decides who is audited.
        judged: how many passages have been judged so far,
        audited: and how many of them as audit; so the share is kept from one sitting to the next.

    Raises:
        ConfigError: the strategy is unknown, or lacks vectors or a second coder.
    """
    chosen = strategy(name)
    ranking = chosen.rank(candidates, seed)
    mixed = mix(
        ranking.order, audit(candidates.passages, share=share, seed=seed),
        first=first, share=share, judged=judged, audited=audited,
    )  # fmt: skip
    return [
        Item(place, by_lot, AUDITED if by_lot else _why(candidates, chosen, place, int(ranking.code[place])))
        for place, by_lot in mixed
    ]


def mix(
    ranked: Places,
    by_lot: Places,
    *,
    first: int | None = None,
    share: float = SHARE,
    judged: int = 0,
    audited: int = 0,
) -> list[tuple[int, bool]]:
    """Put an audited passage wherever the audit has fallen behind its share; each passage once."""
    wanted = len(ranked) if first is None else min(first, len(ranked))
    ranks, drawn = iter(ranked.tolist()), iter(by_lot.tolist())
    seen: set[int] = set()
    mixed: list[tuple[int, bool]] = []
    while len(mixed) < wanted:
        due = audited + 1 <= share * (judged + len(mixed) + 1) + 1e-9
        at = next((i for i in drawn if i not in seen), None) if due else None
        audited += at is not None
        by_audit = at is not None
        if at is None:
            at = next(i for i in ranks if i not in seen)
        seen.add(at)
        mixed.append((at, by_audit))
    return mixed


def _why(candidates: Candidates, chosen: Strategy, place: int, code: int) -> str:
    if code < 0:
        return f"{chosen.words}."
    said = [candidates.probabilities, *([] if candidates.second is None else [candidates.second])]
    numbers = " and ".join(f"{p[place, code]:.0%}" for p in said[: 1 + (chosen.rank is disagreement)])
    return f"{chosen.words} {candidates.codes[code]} ({numbers})."


def _by(of_codes: Floats, of_passages: Floats) -> Ranking:
    code = of_codes.argmax(1) if of_codes.shape[1] else np.full(len(of_codes), -1)
    return Ranking(np.argsort(-of_passages, kind="stable"), code)


def _divergence(one: Floats, other: Floats) -> Floats:
    """Return the Jensen-Shannon divergence of two probabilities, in nats (Lin 1991)."""

    def entropy(p: Floats) -> Floats:
        q = np.clip(p.astype(np.float64), 1e-12, 1 - 1e-12)
        return np.asarray(-(q * np.log(q) + (1 - q) * np.log1p(-q)))

    return np.asarray(entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2)
