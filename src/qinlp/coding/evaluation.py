"""How good is a coder: scores per code with intervals over documents, disputed cells left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding.calibration import expected_calibration_error
from qinlp.errors import SourceError
from qinlp.records import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]


def read_labelled(path: Path) -> list[Labelled]:
    """Read labelled passages, one JSON object a line: id, text, kind, labels; context, disputed, group.

    Raises:
        SourceError: the file is missing, or a line is no such object; says which.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({error}); give a JSONL file in UTF-8") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            kind = row.get("kind", "abstract")
            if kind not in {"abstract", "transcript"}:
                raise ValueError(f"kind is {kind!r}, not abstract or transcript")
            found.append(
                Labelled(
                    id=str(row["id"]),
                    text=str(row["text"]),
                    kind=kind,
                    labels=frozenset(row.get("labels", ())),
                    disputed=frozenset(row.get("disputed", ())),
                    context=str(row.get("context", "")),
                    group=str(row.get("group") or row["id"]),
                )
            )
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError, ValueError) as error:
            what = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            raise SourceError(
                f"{path}:{number}: {what}; each line is an object with id, text and kind"
            ) from None
    return found


@dataclass(frozen=True, slots=True)
class Score:
    """One code's scores; `present` is how many passages hold it, `n` how many cells counted."""

    code: str
    n: int
    present: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    calibration_error: float


def score(code: str, probabilities: Floats, decisions: Flags, present: Flags, counted: Flags) -> Score:
    """Score one code over the cells that count. Arrays of shape (passages,)."""
    from sklearn.metrics import average_precision_score

    p, d, y = probabilities[counted], decisions[counted], present[counted]
    hits = int((d & y).sum())
    return Score(
        code=code,
        n=len(y),
        present=int(y.sum()),
        precision=hits / int(d.sum()) if d.any() else 0.0,
        recall=hits / int(y.sum()) if y.any() else 0.0,
        f1=2 * hits / (int(d.sum()) + int(y.sum())) if d.any() or y.any() else 0.0,
        average_precision=float(average_precision_score(y, p)) if y.any() else float("nan"),
        calibration_error=expected_calibration_error(p, y),
    )


def over_documents(
    groups: Sequence[str], statistic: Callable[[NDArray[np.intp]], float], *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% interval of a statistic of row indices, by the bootstrap over whole documents."""
    generator = np.random.default_rng(seed)
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(member, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(member))[:-1])
    values = []
    for _ in range(resamples):
        drawn = generator.integers(0, len(rows), len(rows))
        values.append(statistic(np.concatenate([rows[i] for i in drawn])))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def micro_f1(decisions: Flags, present: Flags, counted: Flags) -> float:
    """Return F1 over all cells together. Arrays of shape (passages, codes)."""
    d, y = decisions & counted, present & counted
    total = int(d.sum()) + int(y.sum())
    return 2 * int((d & y).sum()) / total if total else 0.0


def macro_f1(decisions: Flags, present: Flags, counted: Flags) -> float:
    """Return the mean over codes of F1. Arrays of shape (passages, codes)."""
    d, y = decisions & counted, present & counted
    total = d.sum(0) + y.sum(0)
    return float(np.mean(np.where(total > 0, 2 * (d & y).sum(0) / np.maximum(total, 1), 0.0)))


def matrix(
    rows: Sequence[Labelled], codebook: str, codes: Sequence[str], parents: Mapping[str, str | None]
) -> tuple[Flags, Flags]:
    """Return (present, counted), each of shape (rows, codes).

    A label counts for its code and for every code that it is part of. A cell is left out where
    its label, or a part of it that would decide it, is disputed.
    """
    column = {code: i for i, code in enumerate(codes)}
    present = np.zeros((len(rows), len(codes)), bool)
    disputed = np.zeros_like(present)
    for i, row in enumerate(rows):
        for labels, cells in ((row.labels, present), (row.disputed, disputed)):
            for label in labels:
                book, _, code = label.partition("/")
                at: str | None = code if book == codebook else None
                while at is not None:
                    if at in column:
                        cells[i, column[at]] = True
                    at = parents.get(at)
    return present, present | ~disputed
