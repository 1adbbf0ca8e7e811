"""The goals on the passages coded twice, and whether what is promised of the rest holds.

    python benchmarks/gold.py ../shared/gold/dev.jsonl [--model qinlp-minilm]

Counts from the model's `unseen.parquet`: what was said of each passage by an encoder, heads,
calibration and thresholds that had not seen its document. Prints

- the goals: F1 and average precision with 95% intervals over documents, by kind of text, and for
  the passages that the coders did and did not find hard;
- review: precision and recall of the valence of the rest when the share of passages that is
  nearest to a threshold goes to people;
- the unsure band: 100 times the documents are halved, the band set on one half and its stated
  errors held against the other. The promise is kept where the mean error is below the stated one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from pyarrow import parquet

from qinlp.codebook import find as find_codebook
from qinlp.coding.calibration import f1_threshold, unsure_band
from qinlp.coding.evaluation import Judged, macro_f1, matrix, micro_f1, over_documents, read_labelled, score
from qinlp.coding.heads import MOST_REVIEWED
from qinlp.coding.model import named
from qinlp.records import Labelled
from qinlp.training import EVIDENCE

NPT = ("coherence", "cognitive-participation", "collective-action", "reflexive-monitoring")
DOMAINS = ("inn", "out", "inr", "ind", "pro")


def judged(path: Path, rows: list[Labelled], book: str) -> Judged:
    """Return what was said of `rows` with one codebook, in their order."""
    table = parquet.read_table(path)
    table = table.filter(pc.starts_with(pc.cast(table["code"], "string"), f"{book}/"))
    labels = pc.unique(pc.cast(table["code"], "string")).to_pylist()
    place = {row.id: i for i, row in enumerate(rows)}
    probabilities = np.full((len(rows), len(labels)), np.nan)
    decisions = np.zeros((len(rows), len(labels)), bool)
    for j, label in enumerate(labels):
        part = table.filter(pc.equal(pc.cast(table["code"], "string"), label))
        for name, p, d in zip(*(part[c].to_pylist() for c in ("id", "probability", "decision")), strict=True):
            if name in place:
                probabilities[place[name], j], decisions[place[name], j] = p, d
    if np.isnan(probabilities).any():
        raise SystemExit(f"{path}: says nothing of some passages of the labelled file; train with it")
    whole = find_codebook(book)
    codes = tuple(label.partition("/")[2] for label in labels)
    assignable = np.array([whole.code(code).assignable for code in codes])
    cells = matrix(rows, book, codes, {c.id: c.parent for c in whole.codes})
    return Judged(book, codes, assignable, probabilities, decisions, *cells)


def only(j: Judged, codes: tuple[str, ...] | None) -> Judged:
    keep = j.assignable if codes is None else np.array([code in codes for code in j.codes])
    return j.take(np.arange(len(j.present)), keep)


def average_precisions(j: Judged) -> list[float]:
    return [
        score(c, j.probabilities[:, i], j.decisions[:, i], j.present[:, i], j.counted[:, i]).average_precision
        for i, c in enumerate(j.codes)
    ]


def goals(rows: list[Labelled], parts: dict[str, Judged], hard: np.ndarray) -> None:
    kinds = np.array([row.kind for row in rows])
    views = {
        "all": np.ones(len(rows), bool),
        "abstract": kinds == "abstract",
        "transcript": kinds == "transcript",
        "not hard": ~hard,
        "hard": hard,
    }
    print(f"| goal | {' | '.join(views)} |\n|---|{'---|' * len(views)}")
    print("| passages |", " | ".join(str(int(v.sum())) for v in views.values()), "|")
    named = {
        "valence F1": (parts["valence"], macro_f1),
        "CFIR domain F1": (parts["domains"], macro_f1),
        "CFIR construct micro-F1": (parts["constructs"], micro_f1),
        "NPT macro-F1": (parts["npt"], macro_f1),
    }
    for name, (j, statistic) in named.items():
        cells = []
        for view in views.values():
            at = np.flatnonzero(view)
            k = j.take(at)
            groups = [rows[i].group for i in at]
            low, high = over_documents(
                groups, lambda x, k=k, f=statistic: f(k.decisions[x], k.present[x], k.counted[x])
            )
            value = statistic(k.decisions, k.present, k.counted)
            cells.append(f"{value:.3f} ({low:.2f} to {high:.2f})")
        print(f"| {name} | {' | '.join(cells)} |")
    eleven = [parts[name] for name in ("valence", "domains", "npt")]
    values = [
        np.nanmean([ap for j in eleven for ap in average_precisions(j.take(np.flatnonzero(view)))])
        for view in views.values()
    ]
    print("| mean AP of the 11 |", " | ".join(f"{v:.3f}" for v in values), "|")
    for name in ("valence", "domains"):
        j = parts[name]
        errors = [
            score(c, j.probabilities[:, i], j.decisions[:, i], j.present[:, i], j.counted[:, i])
            for i, c in enumerate(j.codes)
        ]
        print(f"| ECE of {name} | {np.mean([e.calibration_error for e in errors]):.3f} |" + " |" * 4)


def review(j: Judged) -> None:
    thresholds = np.array([_threshold(j, i) for i in range(len(j.codes))])
    odds = np.log(j.probabilities / (1 - j.probabilities)) - np.log(thresholds / (1 - thresholds))
    order = np.argsort(np.abs(odds).min(1))
    print("\n| to review | barrier precision | recall | enabler precision | recall |")
    print("|---:|---:|---:|---:|---:|")
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        rest = np.sort(order[int(share * len(order)) :])
        found = [
            score(c, *(a[rest, i] for a in (j.probabilities, j.decisions, j.present, j.counted)))
            for i, c in enumerate(j.codes)
        ]
        print(f"| {share:.0%} |", " | ".join(f"{s.precision:.3f} | {s.recall:.3f}" for s in found), "|")


def _threshold(j: Judged, code: int) -> float:
    """Return about where the folds decided: midway between the lowest yes and the highest no."""
    p, d = j.probabilities[:, code], j.decisions[:, code]
    return float((p[d].min() + p[~d].max()) / 2)


def bands(rows: list[Labelled], j: Judged, times: int = 100) -> None:
    groups = np.array([row.group for row in rows])
    names = np.unique(groups)
    generator = np.random.default_rng(0)
    stated: list[list[tuple[float, float]]] = [[] for _ in j.codes]
    seen: list[list[tuple[float, float]]] = [[] for _ in j.codes]
    waiting: list[list[float]] = [[] for _ in j.codes]
    for _ in range(times):
        one = np.isin(groups, generator.permutation(names)[: len(names) // 2])
        for i in range(len(j.codes)):
            a, b = one & j.counted[:, i], ~one & j.counted[:, i]
            p, y = j.probabilities[:, i], j.present[:, i]
            room = min(MOST_REVIEWED, 2 * float(y[a].mean()))
            band = unsure_band(p[a], y[a], f1_threshold(p[a], y[a]), at_most=room)
            above, below = b & (p > band.to), b & (p < band.start)
            hits, lost = int((y & above).sum()), int((y & below).sum())
            wrong = 1 - hits / int(above.sum()) if above.any() else 0.0
            missed = lost / (lost + hits) if lost + hits else 0.0
            stated[i].append((band.wrong, band.missed))
            seen[i].append((wrong, missed))
            waiting[i].append(1 - float((above | below).sum()) / int(b.sum()))
    print("\n| code | waits | wrong: stated | seen | kept in | missed: stated | seen | kept in |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for i, code in enumerate(j.codes):
        s, o = np.array(stated[i]), np.array(seen[i])
        cells = [
            f"{s[:, k].mean():.3f} | {o[:, k].mean():.3f} | {(o[:, k] <= s[:, k]).sum()}" for k in (0, 1)
        ]
        print(f"| {j.codebook}/{code} | {np.mean(waiting[i]):.0%} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--model", default="qinlp-minilm")
    arguments = parser.parse_args()
    rows = read_labelled(arguments.labelled)
    lines = [json.loads(x) for x in arguments.labelled.read_text("utf-8").split("\n") if x.strip()]
    path = named(arguments.model).folder / EVIDENCE
    whole = {book: judged(path, rows, book) for book in ("valence", "cfir", "npt")}
    parts = {
        "valence": whole["valence"],
        "npt": only(whole["npt"], NPT),
        "domains": only(whole["cfir"], DOMAINS),
        "constructs": only(whole["cfir"], None),
    }
    goals(rows, parts, np.array([bool(line.get("hard")) for line in lines]))
    review(parts["valence"])
    for name in ("valence", "domains", "npt"):
        bands(rows, parts[name])


if __name__ == "__main__":
    main()
