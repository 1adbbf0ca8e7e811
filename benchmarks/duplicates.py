"""How well duplicates without identifiers are found: precision and recall of `same`, with intervals.

    python benchmarks/duplicates.py [--exports ../shared/exports] [--show] [--seed 1]
                                    [--abstracts ../shared/corpora/abstracts.csv]

Pairs that are one paper: records that the exports hold twice, found by DOI or by title; and each record
beside a copy as another database, or a careless hand, would have it. Pairs that are two: each title
beside the three most like it, among the exports, and among the abstracts with the same invented author,
year and journal given to all, so that titles and abstracts alone must tell. Identifiers are taken away
everywhere. Two records with one abstract, by its whole text, are one paper whatever their titles.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process
from scipy.stats import beta

from qinlp import identity, sources
from qinlp.records import Document, folded

ONE_TEXT = 95
Pair = tuple[Document, Document]


def exports(folder: Path) -> list[Document]:
    """Return every readable record of the folder's files."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            found += [replace(d, source=path.name) for d in sources.read(path) if isinstance(d, Document)]
        except sources.SourceError:
            continue
    return found


def bare(document: Document) -> Document:
    """Return the record without what identifies it."""
    return replace(document, doi="", pmid="", pmcid="", openalex="", metadata={
        key: value for key, value in document.metadata.items() if key in ("volume", "pages")
    })  # fmt: skip


def real_pairs(records: list[Document]) -> list[Pair]:
    """Return records of one paper: by DOI, or the same title and abstract's beginning."""
    found = []
    for a, b in combinations(records, 2):
        same_title = folded(a.title) == folded(b.title) and len(a.title) > 20
        if (a.doi and a.doi == b.doi) or (same_title and not (a.doi and b.doi)):
            found.append((a, b))
    return found


def _typo(document: Document, chance: random.Random) -> Document:
    words = document.title.split()
    long = [i for i, word in enumerate(words) if len(word) > 7 and word.isalpha()]
    if long:
        i = chance.choice(long)
        at = chance.randrange(2, len(words[i]) - 1)
        words[i] = words[i][:at] + words[i][at + 1 :]
    return replace(document, title=" ".join(words))


def _family_only(name: str) -> str:
    family, _, given = name.partition(", ")
    return f"{family} {''.join(word[0] for word in re.split(r'[ -]', given) if word)}"


def _abbreviated(journal: str) -> str:
    words = [word for word in journal.split() if word.lower() not in ("of", "the", "and", "in", "for", "&")]
    return " ".join(word if len(word) < 6 else f"{word[:4]}." for word in words)


COPIES: dict[str, Callable[[Document, random.Random], Document | None]] = {
    "in capitals": lambda d, _: replace(d, title=d.title.upper(), journal=d.journal.upper()),
    "title in brackets, with a full stop": lambda d, _: replace(d, title=f"[{d.title.rstrip('.')}]."),
    "title cut at 70%": lambda d, _: replace(d, title=d.title[: int(0.7 * len(d.title))]),
    "no subtitle": lambda d, _: replace(d, title=d.title.split(":")[0]) if ":" in d.title else None,
    "a letter missing": _typo,
    "initials for names": lambda d, _: replace(d, authors=tuple(map(_family_only, d.authors))),
    "first author only": lambda d, _: replace(d, authors=d.authors[:1]),
    "no authors": lambda d, _: replace(d, authors=()),
    "year off by one": lambda d, c: replace(d, year=d.year + c.choice((-1, 1))) if d.year else None,
    "no year": lambda d, _: replace(d, year=None),
    "journal abbreviated": lambda d, _: replace(d, journal=_abbreviated(d.journal)),
    "no abstract": lambda d, _: replace(d, text=""),
    "title, authors, year only": lambda d, _: replace(d, text="", journal="", metadata={}),
    "title and year only": lambda d, _: replace(d, text="", journal="", metadata={}, authors=()),
}


def copies(records: Iterable[Document], chance: random.Random) -> Iterator[tuple[str, Pair]]:
    """Yield each record beside its copies, and beside one with three things wrong at once."""
    for record in records:
        for what, make in COPIES.items():
            if copy := make(record, chance):
                yield what, (record, copy)
        names = chance.sample([name for name in COPIES if "only" not in name], 3)
        copy = record
        for name in names:
            copy = COPIES[name](copy, chance) or copy
        yield "three of these at once", (record, copy)


def most_alike(records: list[Document], most: int = 3) -> list[Pair]:
    """Return each record beside those with the titles most like its own, if not of the same paper."""
    titles = [" ".join(sorted(folded(d.title).split())) for d in records]
    found: dict[tuple[int, int], None] = {}
    for start in range(0, len(titles), 500):
        part = titles[start : start + 500]
        scores = process.cdist(part, titles, scorer=fuzz.ratio, dtype=np.uint8)
        for row, place in enumerate(range(start, start + len(part))):
            for other in np.argsort(-scores[row].astype(int), kind="stable")[: most + 4]:
                if other != place and titles[other] != titles[place]:
                    found[min(place, int(other)), max(place, int(other))] = None
    return [(records[i], records[j]) for i, j in found]


def one_abstract(a: Document, b: Document) -> bool:
    """Tell whether two records have one abstract, but for how it was typed."""
    return bool(a.text and b.text) and fuzz.ratio(folded(a.text), folded(b.text), score_cutoff=ONE_TEXT) > 0


def interval(k: int, n: int) -> str:
    """Return k/n with its exact 95% interval (Clopper and Pearson, 1934)."""
    if not n:
        return "-"
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{k / n:.4f} ({low:.4f} to {high:.4f})"


def decide(pairs: Iterable[Pair]) -> list[tuple[identity.Verdict, bool, Pair]]:
    """Return verdicts, whether the pair would have been compared at all, and the pairs."""
    done = []
    for a, b in pairs:
        one, other = identity.of(bare(a), "a"), identity.of(bare(b), "b")
        met = bool({*identity.blocks(one)} & {*identity.blocks(other)})
        verdict = identity.compare(one, other)
        assert verdict == identity.compare(other, one)
        done.append((verdict if met else identity.Verdict("different", 0, "never compared"), met, (a, b)))
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    shared = Path(__file__).parents[1].resolve().parent / "shared"
    parser.add_argument("--exports", type=Path, default=shared / "exports")
    parser.add_argument("--abstracts", type=Path, default=shared / "corpora" / "abstracts.csv")
    parser.add_argument("--show", action="store_true", help="print the pairs that are decided wrongly")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    began = time.monotonic()

    records = exports(given.exports)
    unique = list({folded(d.title): d for d in records if d.authors and d.year}.values())
    csv.field_size_limit(10**9)
    with given.abstracts.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    invented = [
        Document(r["abstract"], "abstract", r["title"], ("Berg, Anna", "Lund, Per"), 2019, "A Journal")
        for r in rows
    ]

    positive: dict[str, list[Pair]] = {"the same record in two exports": real_pairs(records)}
    for what, pair in copies(unique, chance):
        positive.setdefault(what, []).append(pair)
    alike = most_alike(invented)
    positive["abstracts, one abstract under two titles"] = [pair for pair in alike if one_abstract(*pair)]
    negative = {
        "exports, the titles most alike": most_alike(unique),
        "abstracts, the same author, year and journal for all": [p for p in alike if not one_abstract(*p)],
    }

    print("| pairs | n | same | doubtful | different |\n|---|---|---|---|---|")
    found, lost, doubtful, wrong = 0, 0, 0, 0
    for group, sort in ((positive, True), (negative, False)):
        for what, pairs in group.items():
            decided = decide(pairs)
            counts = Counter(verdict.decision for verdict, _, _ in decided)
            print(
                f"| {what} | {len(pairs)} | {counts['same']} | {counts['doubtful']} | {counts['different']} |"
            )
            if given.show:
                for verdict, _, (a, b) in decided:
                    if (verdict.decision != "same") is sort or (not sort and verdict.decision == "doubtful"):
                        print(f"    {verdict}\n      {a.title[:150]}\n      {b.title[:150]}")
            if sort:
                found, lost = found + counts["same"], lost + len(pairs) - counts["same"]
                doubtful += counts["doubtful"]
            else:
                wrong += counts["same"]
    negatives = sum(map(len, negative.values()))
    n = found + lost
    precision, recall = found / (found + wrong), found / n
    print(f"\nprecision {interval(found, found + wrong)}, recall {interval(found, n)}, "
          f"F1 {2 * precision * recall / (precision + recall):.3f}")  # fmt: skip
    print(
        f"of {n} pairs of one paper {doubtful} go to review: same or doubtful {interval(found + doubtful, n)}"
    )
    print(f"of {negatives} pairs of two papers {wrong} are called same: {interval(wrong, negatives)}")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
