"""How good is a coder: scores per code with intervals over documents, disputed cells left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding.calibration import expected_calibration_error
from qinlp.errors import SourceError
from qinlp.records import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qinlp.codebook import Codebook

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]


def read_labelled(path: Path) -> list[Labelled]:
    """Read labelled passages, one JSON object a line.

    Keys: id, text, kind, labels; and, where there are any, context, disputed, group, written. All
    were coded with each codebook that a label of the file names.

    Raises:
        SourceError: the file is missing, or a line is no such object; says which.
    """
    try:
        lines = path.read_text("utf-8").split("\n")  # a text may hold other line separators
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
            for key in ("labels", "disputed"):
                if not isinstance(row.get(key, []), list):
                    raise TypeError(f'{key} is {row[key]!r}, not a list such as ["valence/barrier"]')
            found.append(
                Labelled(
                    id=str(row["id"]),
                    text=str(row["text"]),
                    kind=kind,
                    labels=frozenset(row.get("labels", ())),
                    disputed=frozenset(row.get("disputed", ())),
                    context=str(row.get("context", "")),
                    group=str(row.get("group") or row["id"]),
                    written=bool(row.get("written")),
                )
            )
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError, ValueError) as error:
            what = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            raise SourceError(
                f"{path}:{number}: {what}; each line is an object with id, text and kind"
            ) from None
    named = frozenset(label.partition("/")[0] for row in found for label in row.labels | row.disputed)
    return [replace(row, codebooks=named or None) for row in found]


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
    groups: Sequence[str],
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    resamples: int = 1000,
    seed: int = 0,
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


@dataclass(frozen=True)
class Judged:
    """What a coder said of labelled passages with one codebook, beside what people said.

    `assignable` has shape (codes,): False for a heading, which holds what its parts hold. The
    other arrays have shape (passages, codes); `counted` is False where the label is disputed.
    """

    codebook: str
    codes: tuple[str, ...]
    assignable: Flags
    probabilities: Floats
    decisions: Flags
    present: Flags
    counted: Flags

    def take(self, rows: NDArray[np.intp], codes: Flags | None = None) -> Judged:
        """Return a part of the passages, and of the codes."""
        keep = np.ones(len(self.codes), bool) if codes is None else codes
        part = np.ix_(rows, np.flatnonzero(keep))
        return Judged(
            self.codebook,
            tuple(code for code, k in zip(self.codes, keep, strict=True) if k),
            self.assignable[keep],
            self.probabilities[part],
            self.decisions[part],
            self.present[part],
            self.counted[part],
        )


def judge(
    codebook: Codebook,
    codes: Sequence[str],
    probabilities: Floats,
    decisions: Flags,
    rows: Sequence[Labelled],
) -> Judged:
    """Put a coder's answers beside the labels, for the codes that it knows and that the labels hold."""
    present, counted = matrix(rows, codebook.id, codes, {c.id: c.parent for c in codebook.codes})
    assignable = np.array([codebook.code(code).assignable for code in codes])
    every = np.arange(len(rows))
    whole = Judged(codebook.id, tuple(codes), assignable, probabilities, decisions, present, counted)
    return whole.take(every, np.asarray((present & counted).any(0)))


def summary(judged: Judged, rows: Sequence[Labelled], *, resamples: int = 300) -> dict[str, Any]:
    """Return all scores of one codebook as plain values: overall, by kind of text, per code.

    Intervals are 95%, by the bootstrap over documents. `codes` are the assignable ones, `headings`
    the others.
    """
    every = np.arange(len(rows))
    levels = {"codes": judged.assignable, "headings": ~judged.assignable}
    found: dict[str, Any] = {"codebook": judged.codebook, "levels": {}, "per_code": []}
    for level, keep in levels.items():
        if not keep.any():
            continue
        found["levels"][level] = {"all": _scores(judged.take(every, keep), rows, resamples)}
        for kind in sorted({row.kind for row in rows}):
            at = np.array([i for i, row in enumerate(rows) if row.kind == kind])
            found["levels"][level][kind] = _scores(judged.take(at, keep), [rows[i] for i in at], resamples)
    j = judged
    found["per_code"] = [
        asdict(score(code, j.probabilities[:, i], j.decisions[:, i], j.present[:, i], j.counted[:, i]))
        for i, code in enumerate(j.codes)
    ]
    return found


def _scores(judged: Judged, rows: Sequence[Labelled], resamples: int) -> dict[str, Any]:
    j = judged.take(np.arange(len(rows)), np.asarray((judged.present & judged.counted).any(0)))
    groups = [row.group for row in rows]
    found: dict[str, Any] = {"passages": len(rows), "documents": len(set(groups)), "codes": len(j.codes)}
    if not j.codes:
        return found
    for name, statistic in (("macro_f1", macro_f1), ("micro_f1", micro_f1)):
        low, high = over_documents(
            groups,
            lambda at, f=statistic: f(j.decisions[at], j.present[at], j.counted[at]),  # type: ignore[misc]
            resamples=resamples,
        )
        value = statistic(j.decisions, j.present, j.counted)
        found[name] = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
    each = [
        score("", j.probabilities[:, i], j.decisions[:, i], j.present[:, i], j.counted[:, i])
        for i in range(len(j.codes))
    ]
    found["mean_average_precision"] = round(float(np.mean([s.average_precision for s in each])), 4)
    found["calibration_error"] = round(float(np.mean([s.calibration_error for s in each])), 4)
    return found


def compare(
    one: Judged, other: Judged, rows: Sequence[Labelled], *, resamples: int = 2000
) -> dict[str, float]:
    """Return how much better `one` is than `other` in macro-F1 of the assignable codes both know.

    A paired bootstrap over documents (Efron & Tibshirani 1993, ch. 16): the difference, its 95%
    interval, and twice the share of resamples on the other side of zero as a p-value.
    """
    shared = set(one.codes) & set(other.codes)
    every = np.arange(len(rows))
    a, b = (
        j.take(every, np.array([code in shared for code in j.codes]) & j.assignable) for j in (one, other)
    )
    groups = np.asarray([row.group for row in rows])
    _, member = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(member == i) for i in range(member.max() + 1)]
    generator = np.random.default_rng(0)

    def difference(at: NDArray[np.intp]) -> float:
        return macro_f1(a.decisions[at], a.present[at], a.counted[at]) - macro_f1(
            b.decisions[at], b.present[at], b.counted[at]
        )

    drawn = np.array(
        [
            difference(
                np.concatenate([members[i] for i in generator.integers(0, len(members), len(members))])
            )
            for _ in range(resamples)
        ]
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    p = min(1.0, 2 * min(float((drawn <= 0).mean()), float((drawn >= 0).mean())))
    return {
        "difference": round(difference(every), 4), "low": round(float(low), 4), "high": round(float(high), 4),
        "p": round(max(p, 1 / resamples), 4), "codes": len(shared), "documents": len(members),
    }  # fmt: skip


def matrix(
    rows: Sequence[Labelled], codebook: str, codes: Sequence[str], parents: Mapping[str, str | None]
) -> tuple[Flags, Flags]:
    """Return (present, counted), each of shape (rows, codes).

    A label counts for its code and for every code that it is part of. A cell is left out where
    its label, or a part of it that would decide it, is disputed, and where the passage was not
    coded with the codebook.
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
    coded = np.array([row.coded_with(codebook) for row in rows], bool)[:, None]
    return present, (present | ~disputed) & coded
