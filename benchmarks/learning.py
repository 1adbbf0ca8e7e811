"""How scores grow with judgements: a simulated reviewer answers what each strategy asks.

    python benchmarks/learning.py ../shared/gold/dev.jsonl ../shared/gold/train.jsonl [--seeds 10]
        [--strategies uncertainty likely random] [--picture docs/pictures/learning.svg]

The first file is coded twice and is scored on; for each seed, one half of its documents is held out.
All other passages, of both files, are the pool. Every review begins with nothing but the same 50
random passages. Then a strategy chooses, a reviewer who always says what the label says judges the
passage with the codebook, the heads are fitted anew, and so on. The vectors are those of the base
encoder, since the shipped one was tuned on these passages. Thresholds come from the judged passages
alone, as `qinlp train` sets them, with three folds over documents.

Scored are the assignable codes with at least 20 passages in the first file. A judgement is one passage
judged with one codebook. Prints macro-F1, mean of all seeds, and how many judgements each strategy
needs for what the random order reaches.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from qinlp import pictures, training
from qinlp.analysis.strategies import STRATEGIES, Candidates, order
from qinlp.coding.calibration import BEST_F1
from qinlp.coding.evaluation import read_labelled
from qinlp.coding.heads import _rule
from qinlp.embeddings import SentenceTransformerEncoder, base_folder

LADDER = (50, 100, 150, 200, 300, 400, 600, 800, 1000, 1300, 1700, 2200, 2800)
"""The heads are fitted anew at so many judgements."""
FEWEST = 20


def fit(
    x: np.ndarray,
    present: np.ndarray,
    counted: np.ndarray,
    start: np.ndarray | None = None,
    rounds: int = 100,
) -> np.ndarray:
    """Return weights and, in the last row, bias of all codes, shape (dimension + 1, codes).

    The same regressions as `coding.heads.fit`, solved together and from where the last ones ended: a
    curve takes thousands.
    """
    sign, use = np.where(present, 1, -1).astype(np.float32), counted.astype(np.float32)
    shape = (x.shape[1] + 1, present.shape[1])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(shape).astype(np.float32)
        margin = sign * (x @ w[:-1] + w[-1])
        small = np.exp(-np.abs(margin))
        value = float((use * (np.log1p(small) + np.maximum(-margin, 0))).sum(dtype=np.float64))
        pull = -sign * use * np.where(margin >= 0, small / (1 + small), 1 / (1 + small))
        gradient = np.vstack([x.T @ pull + w[:-1], pull.sum(0)])
        return value + float((w[:-1] ** 2).sum()) / 2, gradient.ravel().astype(np.float64)

    begin = np.zeros(shape) if start is None else start
    options = {"maxiter": rounds, "gtol": 1e-2, "ftol": 1e-7}
    return minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(shape)


def review(
    name: str, seed: int, vectors: np.ndarray, present: np.ndarray, counted: np.ndarray, groups: np.ndarray,
    pool: np.ndarray, test: np.ndarray,
) -> list[np.ndarray]:  # fmt: skip
    """Return F1 of each code on the held-out passages, at every rung of the ladder."""
    generator = np.random.default_rng(seed)
    judged = generator.permutation(pool)[: LADDER[0]]
    alone = np.full(present.shape[1], -1, np.intp)
    weights, found = None, []
    for rung in range(len(LADDER)):
        x, y, use = vectors[judged], present[judged], counted[judged]
        weights = fit(x, y, use, weights)
        _, document = np.unique(groups[judged], return_inverse=True)
        fold = np.random.default_rng(seed).permutation(document.max() + 1)[document] % 3
        raw = np.zeros(y.shape)
        for part in range(3):
            rest, there = fold != part, fold == part
            w = fit(x[rest], y[rest], use[rest], weights, rounds=12)
            raw[there] = x[there] @ w[:-1] + w[-1]
        rule = _rule(raw, y, use, alone, BEST_F1)

        def said(rows: np.ndarray, w: np.ndarray = weights, rule: object = rule) -> np.ndarray:
            return rule.probabilities(vectors[rows] @ w[:-1] + w[-1])

        decided = (said(test) >= rule.threshold) & counted[test]
        held = present[test] & counted[test]
        found.append(2 * (decided & held).sum(0) / np.maximum(decided.sum(0) + held.sum(0), 1))
        if rung + 1 < len(LADDER):
            left = np.setdiff1d(pool, judged)
            asked = Candidates("", tuple(map(str, alone)), [str(i) for i in left], said(left), vectors[left])
            judged = np.append(judged, left[order(name, asked, seed)[: LADDER[rung + 1] - LADDER[rung]]])
    return found


def needed(curve: np.ndarray, level: float) -> float:
    """Return where a curve first reaches a level, between two rungs; infinite where it never does."""
    best = np.maximum.accumulate(curve)
    return float(np.interp(level, best, LADDER)) if best[-1] >= level else np.inf


def table(title: str, curves: dict[str, np.ndarray]) -> None:
    print(f"\n| {title} | {' | '.join(map(str, LADDER))} |\n|---|{'---:|' * len(LADDER)}")
    for name, curve in curves.items():
        print(f"| {name} |", " | ".join(f"{v:.3f}" for v in curve), "|")
    others = [name for name in curves if name != "random"]
    print(f"\n| {title}: macro-F1 | random | {' | '.join(f'{o} | of random' for o in others)} |")
    print(f"|---:|---:|{'---:|---:|' * len(others)}")
    for n in (400, 800, 1300, 1700, 2200, 2800):
        level = float(np.maximum.accumulate(curves["random"])[LADDER.index(n)])
        base = needed(curves["random"], level)
        cells = [f"{needed(curves[o], level):.0f} | {needed(curves[o], level) / base:.0%}" for o in others]
        print(f"| {level:.3f} | {base:.0f} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scored", type=Path)
    parser.add_argument("pool", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--strategies", nargs="+", default=["uncertainty", "likely", "random"])
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if unknown := set(arguments.strategies) - set(STRATEGIES):
        raise SystemExit(f"no strategy {unknown}; known: {', '.join(STRATEGIES)}")
    begun = time.perf_counter()
    files = [read_labelled(path) for path in (arguments.scored, *arguments.pool)]
    rows = [row for file in files for row in file]
    scored = np.arange(len(rows)) < len(files[0])
    groups = np.array([row.group for row in rows])
    vectors = SentenceTransformerEncoder(str(base_folder())).encode([row.text for row in rows])
    print(f"{len(rows)} passages encoded in {time.perf_counter() - begun:.0f} s")
    every: dict[str, list[np.ndarray]] = {name: [] for name in arguments.strategies}
    for book in training.codebooks_of(rows, ()):
        present, counted = training.cells_of(book, rows)
        held = (present & counted)[scored].sum(0)
        keep = np.array([c.assignable for c in book.codes]) & (held >= FEWEST)
        present, counted = present[:, keep], counted[:, keep]
        found: dict[str, list[list[np.ndarray]]] = {name: [] for name in arguments.strategies}
        for seed in range(arguments.seeds):
            names = np.random.default_rng(seed).permutation(np.unique(groups[scored]))
            out = np.isin(groups, names[: len(names) // 2])
            test, pool = np.flatnonzero(out & scored), np.flatnonzero(~out)
            for name, curves in found.items():
                curves.append(review(name, seed, vectors, present, counted, groups, pool, test))
        f1 = {name: np.array(curves).mean(0) for name, curves in found.items()}  # (rungs, codes)
        table(f"{book.id}, {keep.sum()} codes", {name: curve.mean(1) for name, curve in f1.items()})
        for name, curve in f1.items():
            every[name].append(curve)
        print(f"\n{time.perf_counter() - begun:.0f} s", flush=True)
    whole = {name: np.concatenate(curves, 1) for name, curves in every.items()}
    means = {name: curve.mean(1) for name, curve in whole.items()}
    table(f"all, {next(iter(whole.values())).shape[1]} codes", means)
    if arguments.picture:
        lines = {name: list(zip(LADDER, curve.tolist(), strict=True)) for name, curve in means.items()}
        pictures.save(pictures.lines(lines, "judged passages", "macro-F1"), arguments.picture)


if __name__ == "__main__":
    main()
