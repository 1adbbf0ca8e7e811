"""How scores grow with labelled passages: tune on shares of the documents, score on one fold.

    python benchmarks/curve.py LABELLED.jsonl ... [--shares 0.125 0.25 0.5 1] [--picture curve.svg]

A quarter of the documents is scored on and never trained on. Of the rest, a share of the documents
tunes the encoder and fits heads, as `qinlp train --tune` does for a fold. The threshold of each
code comes from the other half of the fold's documents, both halves in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from qinlp import pictures, training
from qinlp.coding import heads, tuning
from qinlp.coding.evaluation import read_labelled
from qinlp.embeddings import SentenceTransformerEncoder, base_folder

LEVELS = ("valence", "CFIR domains", "CFIR constructs (micro)", "NPT")


def scores(raw: np.ndarray, present: np.ndarray, counted: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return F1 of each code, with the threshold from the other half. Arrays (passages, codes)."""
    return np.array([_counts(raw[:, i], present[:, i], counted[:, i], half) for i in range(raw.shape[1])])


def _counts(s: np.ndarray, y: np.ndarray, use: np.ndarray, half: np.ndarray) -> tuple[int, int, int]:
    from qinlp.coding.calibration import f1_threshold

    hits = said = held = 0
    for side in (half, ~half):
        here, there = use & side, use & ~side
        decided = (
            s[here] >= f1_threshold(s[there], y[there]) if y[there].any() else np.zeros(here.sum(), bool)
        )
        hits, said, held = (
            hits + int((decided & y[here]).sum()),
            said + int(decided.sum()),
            held + int(y[here].sum()),
        )
    return hits, said, held


def f1(counts: np.ndarray) -> np.ndarray:
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path, nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.125, 0.25, 0.5, 1.0])
    parser.add_argument("--epochs", type=int, default=tuning.Recipe().epochs)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    rows = [row for path in arguments.labelled for row in read_labelled(path)]
    groups = np.array([row.group for row in rows])
    books = training.codebooks_of(rows, ())
    cells = {book.id: training.cells_of(book, rows) for book in books}
    codes = [(book.id, code.id, code.assignable) for book in books for code in book.codes]
    present, counted = (np.concatenate([cells[book.id][i] for book in books], axis=1) for i in (0, 1))
    test = heads.folds(groups.tolist(), training.FOLDS)[0]
    outside = np.setdiff1d(np.arange(len(rows)), test)
    documents = np.random.default_rng(0).permutation(np.unique(groups[outside]))
    half = np.isin(groups[test], np.random.default_rng(1).permutation(np.unique(groups[test]))[::2])
    points = []
    print(f"scored on {len(test)} passages")
    print(f"| passages | documents | {' | '.join(LEVELS)} |\n|---:|---:|---|---|---|---|")
    for share in arguments.shares:
        chosen = documents[: int(share * len(documents))]
        part = outside[np.isin(groups[outside], chosen)]
        used = (present[part] & counted[part]).sum(0) >= heads.FEWEST
        with TemporaryDirectory() as scratch:
            folder = tuning.tune(
                base_folder(), [rows[i].text for i in part], present[np.ix_(part, used)],
                counted[np.ix_(part, used)], Path(scratch) / "encoder",
                replace(tuning.Recipe(), epochs=arguments.epochs),
            )  # fmt: skip
            vectors = SentenceTransformerEncoder(str(folder)).encode([rows[i].text for i in [*part, *test]])
        weights, bias, _ = heads.fit(vectors[: len(part)], present[part], counted[part])
        raw = vectors[len(part) :] @ weights + bias
        points.append(_levels(scores(raw, present[test], counted[test], half), codes, used))
        print(f"| {len(part)} | {len(chosen)} | {' | '.join(f'{v:.3f}' for v in points[-1])} |", flush=True)
    if arguments.picture:
        sizes = [int(share * len(outside)) for share in arguments.shares]
        lines = {name: list(zip(sizes, [p[i] for p in points], strict=True)) for i, name in enumerate(LEVELS)}
        pictures.save(pictures.lines(lines, "labelled passages", "F1"), arguments.picture)


def _levels(counts: np.ndarray, codes: Sequence[tuple[str, str, bool]], used: np.ndarray) -> list[float]:
    def of(book: str, *, assignable: bool) -> np.ndarray:
        return np.array([b == book and a == assignable for b, _, a in codes]) & (counts[:, 2] > 0)

    constructs = counts[of("cfir", assignable=True) & used].sum(0)
    return [
        float(f1(counts[of("valence", assignable=True)]).mean()),
        float(f1(counts[of("cfir", assignable=False)]).mean()),
        float(f1(constructs)),
        float(f1(counts[of("npt", assignable=True)]).mean()),
    ]


if __name__ == "__main__":
    main()
