"""Whether the stated error of unreviewed passages holds: 100 simulated reviews.

    python benchmarks/review.py ../shared/gold/dev.jsonl [--model qinlp-minilm] [--times 100]

Each time one half of the documents is drawn to be the project. Its probabilities and decisions are from
the model's `unseen.parquet`: said by an encoder, heads, calibration and thresholds that had not
seen the document. A reviewer who always says what the label says judges the first passages of the
queue, audit included. Then the curve states how many more passages bring the error under a target, and
with which interval; so many more are judged, and the true error of the rest is counted.

"Distorted" are the same probabilities of error made too sure (log-odds times 1.3, less 0.7), as of a model
on texts that it was not calibrated for.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gold import judged as judged_by

from qinlp.analysis.coverage import Needed, Seen, curve, expected, of_audit, wrong
from qinlp.analysis.strategies import Candidates, queue, uncertainty
from qinlp.coding.evaluation import Judged, read_labelled
from qinlp.coding.model import named
from qinlp.training import EVIDENCE

PLANS = ((50, 0.05), (100, 0.05), (200, 0.05), (50, 0.1), (100, 0.1), (200, 0.1))
"""Passages judged when the question is asked, and the target."""


@dataclass(frozen=True)
class Outcome:
    """What was stated, and the error of the rest that was then found."""

    stated: Needed
    found: float
    now: tuple[bool, float]
    """Whether the interval holds the error when the question is asked, and how wide it is."""
    audit: tuple[bool, float]
    """The same of the interval from the audit alone."""

    @property
    def holds(self) -> bool:
        return self.stated.stated.low <= self.found <= self.stated.stated.high

    @property
    def under(self) -> bool:
        return self.found <= self.stated.stated.high


def simulate(
    j: Judged, groups: np.ndarray, seed: int, first: int, target: float, *, distorted: bool = False
) -> Outcome:
    """Review one half of the documents of `j`, and ask after the `first` passages."""
    generator = np.random.default_rng(seed)
    names = generator.permutation(np.unique(groups))
    rows = np.flatnonzero(np.isin(groups, names[: len(names) // 2]))
    part, documents = j.take(rows), groups[rows]
    ids = [str(row) for row in rows]
    asked = Candidates(j.codebook, j.codes, ids, part.probabilities)
    items = queue(asked, seed=seed)
    order, by_lot = (np.array([getattr(item, name) for item in items]) for name in ("place", "audited"))
    error = wrong(part.decisions, part.present, part.counted)
    said = expected(np.where(part.counted, part.probabilities, 0), part.decisions & part.counted)
    if distorted:
        said = np.clip(said, 1e-6, 1 - 1e-6)
        odds = 1.3 * np.log(said / (1 - said)) - 0.7
        said = 1 / (1 + np.exp(-odds))
    done, rest = order[:first], order[first:]
    seen = Seen(said[done], error[done], documents[done])
    whole = curve(said[rest], seen, seed=seed)
    stated = whole.needed(target)
    left = rest[stated.more :]
    rank = np.argsort(uncertainty(asked).order)
    reached = rank[done[~by_lot[:first]]].max()
    audited = done[by_lot[:first] & (rank[done] > reached)]
    now = float(error[rest].mean())
    return Outcome(
        stated,
        float(error[left].mean()) if len(left) else 0.0,
        *((s.low <= now <= s.high, s.high - s.low) for s in (whole.at(0), of_audit(error[audited]))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--model", default="qinlp-minilm")
    parser.add_argument("--times", type=int, default=100)
    arguments = parser.parse_args()
    rows = read_labelled(arguments.labelled)
    groups = np.array([row.group for row in rows])
    path = named(arguments.model).folder / EVIDENCE
    print(
        "| codebook | judged | target | more | stated | interval | found | in interval | at most its end "
        "| at most target | now: in interval | width | by audit alone: in interval | width |"
        f"\n|---|---:|---:|---:|---:|---|{'---:|' * 8}"
    )
    for distorted in (False, True):
        for book in ("valence", "npt", "cfir"):
            whole = judged_by(path, rows, book)
            j = whole.take(np.arange(len(rows)), whole.assignable)
            for first, target in PLANS:
                found = [
                    simulate(j, groups, seed, first, target, distorted=distorted)
                    for seed in range(arguments.times)
                ]
                more, *stated = np.mean([(o.stated.more, *o.stated.stated) for o in found], axis=0)
                share = 100 / arguments.times
                print(
                    f"| {book}{', distorted' * distorted} | {first} | {target:.0%} | {more:.0f} "
                    f"| {stated[0]:.1%} | {stated[1]:.1%} to {stated[2]:.1%} "
                    f"| {np.mean([o.found for o in found]):.1%} | {share * sum(o.holds for o in found):.0f} "
                    f"| {share * sum(o.under for o in found):.0f} "
                    f"| {share * sum(o.found <= target for o in found):.0f} "
                    f"| {share * sum(o.now[0] for o in found):.0f} "
                    f"| {np.mean([o.now[1] for o in found]):.2f} "
                    f"| {share * sum(o.audit[0] for o in found):.0f} "
                    f"| {np.mean([o.audit[1] for o in found]):.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
