"""The model card: what a model was made of, how good it is, what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding import evaluation

if TYPE_CHECKING:
    from qinlp.coding.heads import Trained
    from qinlp.records import Labelled


def scores(trained: Trained, rows: Sequence[Labelled]) -> dict[str, Any]:
    """Return out-of-fold scores of one codebook's heads: per code, and over codes with intervals."""
    t = trained
    groups = [row.group for row in rows]
    per_code = [
        asdict(evaluation.score(code, t.probabilities[:, i], t.decisions[:, i], t.present[:, i], t.counted[:, i]))
        for i, code in enumerate(t.heads.codes)
    ]

    def interval(statistic: Any) -> list[float]:
        found = evaluation.over_documents(
            groups, lambda at: statistic(t.decisions[at], t.present[at], t.counted[at]), resamples=300
        )
        return [round(x, 4) for x in found]

    return {
        "passages": len(rows),
        "documents": len(set(groups)),
        "macro_f1": round(evaluation.macro_f1(t.decisions, t.present, t.counted), 4),
        "macro_f1_interval": interval(evaluation.macro_f1),
        "micro_f1": round(evaluation.micro_f1(t.decisions, t.present, t.counted), 4),
        "micro_f1_interval": interval(evaluation.micro_f1),
        "mean_average_precision": round(float(np.nanmean([c["average_precision"] for c in per_code])), 4),
        "threshold": {code: round(float(x), 4) for code, x in zip(t.heads.codes, t.heads.threshold, strict=True)},
        "codes": per_code,
    }


def page(card: Mapping[str, Any]) -> str:
    """Return the card as a page for people (Markdown)."""
    lines = [
        f"# Model {card['name']}",
        "",
        f"Made {card['made']} with qinlp {card['qinlp']}. Encoder: {card['encoder']} "
        f"(fingerprint {card['encoder_fingerprint']}).",
        "",
        "## Data",
        "",
        *(f"- {line}" for line in card["data"]),
        f"- {card['documents']} documents; " + ", ".join(f"{n} {kind} passages" for kind, n in card["kinds"].items()),
        *(f"- {line}" for line in card["notes"]),
        "",
        "## Scores",
        "",
        "Out of fold over documents: each passage was scored by heads, calibration and thresholds that had "
        "not seen its document. Intervals: 95%, bootstrap over documents.",
        "",
    ]
    for book, found in card["scores"].items():
        low, high = found["macro_f1_interval"]
        micro_low, micro_high = found["micro_f1_interval"]
        lines += [
            f"### {book}",
            "",
            f"{found['passages']} passages of {found['documents']} documents: macro-F1 {found['macro_f1']:.2f} "
            f"({low:.2f} to {high:.2f}), micro-F1 {found['micro_f1']:.2f} ({micro_low:.2f} to {micro_high:.2f}), "
            f"mean average precision {found['mean_average_precision']:.2f}.",
            "",
            "| code | passages | precision | recall | F1 | average precision | calibration error |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {c['code']} | {c['present']} | {c['precision']:.2f} | {c['recall']:.2f} | {c['f1']:.2f} "
            f"| {c['average_precision']:.2f} | {c['calibration_error']:.3f} |"
            for c in found["codes"]
        ]
        lines.append("")
    lines += [
        "## Not to be used for",
        "",
        "- Decisions about single people: it reads passages, not persons.",
        "- Findings without a person's check: send what it is unsure of to review, and audit the rest.",
        "- Text that is not about putting something into practice in health or social care, or not in English.",
        "- Prevalence straight from its codings: correct for its errors with judged passages.",
        "",
    ]
    return "\n".join(lines)
