"""Cue words: what passages that hold a code say more often than others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

SURE = 2.5
"""A word with a larger z-score is a cue."""
PRIOR = 0.1
"""The prior weighs as much as this share of all words: a word is a cue only against ordinary text."""
FEWEST = 3
"""Passages of a code that a cue must stand in."""
MOST = 60
"""Cues of one code, the surest first."""

_WORD = re.compile(r"[^\W\d_]{3,}(?:['\u2019-][^\W\d_]+)*")


def cues(passages: Iterable[tuple[str, Collection[str]]]) -> dict[str, dict[str, float]]:
    """Return the cue words of each code with their z-scores, the surest first.

    The log-odds of a word in passages with the code against those without, with an informative
    Dirichlet prior: the words of all passages (Monroe, Colaresi & Quinn 2008, "Fightin' Words",
    equations 15, 16 and 22). A word counts once a passage, so that one long story makes no cue.

    Args:
        passages: text and codes of each.
    """
    everywhere: Counter[str] = Counter()
    within: dict[str, Counter[str]] = {}
    for text, codes in passages:
        words = {text[start:end].casefold() for start, end in _words(text)}
        everywhere.update(words)
        for code in codes:
            within.setdefault(code, Counter()).update(words)
    return {code: _cues(counts, everywhere) for code, counts in within.items()}


def _cues(counts: Counter[str], everywhere: Counter[str]) -> dict[str, float]:
    total, here = everywhere.total(), counts.total()
    weight = PRIOR * total
    found = {}
    for word, n in counts.items():
        prior = PRIOR * everywhere[word]
        rest = everywhere[word] - n
        odds = math.log((n + prior) / (here + weight - n - prior))
        against = math.log((rest + prior) / (total - here + weight - rest - prior))
        z = (odds - against) / math.sqrt(1 / (n + prior) + 1 / (rest + prior))
        if z > SURE and n >= FEWEST:
            found[word] = z
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST])


def mark(
    text: str, words: Mapping[str, Mapping[str, float]], codes: Sequence[str]
) -> list[tuple[int, int, str]]:
    """Return (start, end, code) of the words of a text that are cues of `codes`, in code points.

    A word that is a cue of several goes to the one that it is surest for.
    """
    marked = []
    for start, end in _words(text):
        word = text[start:end].casefold()
        scores = [(words[code][word], code) for code in codes if word in words.get(code, {})]
        if scores:
            marked.append((start, end, max(scores)[1]))
    return marked


def _words(text: str) -> Iterable[tuple[int, int]]:
    return (found.span() for found in _WORD.finditer(text))
