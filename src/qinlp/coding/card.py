"""The model card: what a model was made of, how good it is, what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def page(card: Mapping[str, Any]) -> str:
    """Return the card as a page for people (Markdown)."""
    lines = [
        f"# Model {card['name']}",
        "",
        (
            f"Made {card['made']} with qinlp {card['qinlp']}. Encoder: {_encoder(card)} "
            f"(fingerprint {card['encoder_fingerprint']})."
        ),
        "",
        "## Data",
        "",
        *(f"- {line}" for line in card["data"]),
        f"- {card['documents']} documents; "
        + ", ".join(f"{n} {kind} passages" for kind, n in card["kinds"].items()),
        *(f"- {line}" for line in card["notes"]),
        "",
        *_learned(card),
        "## Scores",
        "",
        (
            "Out of fold over documents: each passage was scored by heads, calibration and thresholds that "
            "had not seen its document. Intervals: 95%, bootstrap over documents."
        ),
        "",
        *_tables(card["scores"]),
        "## Calibration",
        "",
        "Of the passages that are given a probability, so many hold the code; bars are 95% intervals.",
        "",
        "![Reliability of the commonest codes](reliability.svg)",
        "",
        "## What it is unsure of",
        "",
        (
            "The share of these passages that waits for a person, and the errors to expect of the rest, "
            "at most: codings above the band that are wrong, and passages that hold the code but lie below."
        ),
        "",
        "| code | waits | wrong | missed |",
        "|---|---:|---:|---:|",
        *(
            f"| {code} | {u['review']:.0%} | {u['wrong']:.0%} | {u['missed']:.0%} |"
            for book in card["unsure"]
            for code, u in book.items()
        ),
        "",
    ]
    for title, found in card.get("evaluations", {}).items():
        lines += [f"## Scores on {title}", "", *_tables(found)]
    lines += [
        "## Not to be used for",
        "",
        "- Decisions about single people: it reads passages, not persons.",
        "- Findings without a person's check: send what it is unsure of to review, and audit the rest.",
        "- Text that is not English, or not about putting something into practice in health or social care.",
        "- Prevalence straight from its codings: correct for its errors with judged passages.",
        "",
    ]
    return "\n".join(lines)


def _learned(card: Mapping[str, Any]) -> list[str]:
    if not card.get("compared"):
        return []
    return [
        "## What it learned from judgements",
        "",
        (
            f"It goes on from {card['base']}: what reviewers judged was learned upon what that model knew. "
            f"Compared with {card['replaces']}, the model in use before, on the passages that people chose "
            "to review, or were given, of documents that neither had seen; what neither learned of is as it "
            "was. Macro-F1 of the assignable codes that the passages hold; 95%, bootstrap over documents."
        ),
        "",
        "| codebook | passages | documents | codes learned | before | now | difference |",
        "|---|---:|---:|---:|---:|---:|---|",
        *(
            f"| {book} | {c['passages']} | {c['documents']} | {c['learned']} of {c['codes']} "
            f"| {c['before']:.2f} | {c['now']:.2f} "
            f"| {c['difference']:+.2f} ({c['low']:+.2f} to {c['high']:+.2f}) |"
            for book, c in card["compared"].items()
        ),
        "",
    ]


def _encoder(card: Mapping[str, Any]) -> str:
    return (
        f"{card['tuned_from']}, tuned on these passages" if card.get("tuned_from") else str(card["encoder"])
    )


def _tables(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| codebook | level | text | passages | documents | macro-F1 | micro-F1 | mean AP | ECE |",
        "|---|---|---|---:|---:|---|---|---:|---:|",
    ]
    for one in found:
        for level, kinds in one["levels"].items():
            for kind, s in kinds.items():
                if s["codes"]:
                    lines.append(
                        f"| {one['codebook']} | {s['codes']} {level} | {kind} | {s['passages']} "
                        f"| {s['documents']} "
                        f"| {_interval(s['macro_f1'])} | {_interval(s['micro_f1'])} "
                        f"| {s['mean_average_precision']:.2f} | {s['calibration_error']:.3f} |"
                    )
    lines += [
        "",
        "<details><summary>Every code</summary>",
        "",
        "| code | present | precision | recall | F1 | average precision | calibration error |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one['codebook']}/{c['code']} | {c['present']} | {c['precision']:.2f} | {c['recall']:.2f} "
        f"| {c['f1']:.2f} | {c['average_precision']:.2f} | {c['calibration_error']:.3f} |"
        for one in found
        for c in one["per_code"]
    ]
    return [*lines, "", "</details>", ""]


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"
