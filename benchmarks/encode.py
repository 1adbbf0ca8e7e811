"""How fast are texts encoded, and does it cost anything? Every path over the same texts, in one run.

    python benchmarks/encode.py texts.txt [--limit 2000] [--labelled dev.jsonl]

One text a line (or a CSV with an `abstract` column, cut into passages). Prints texts a second, the
ratio to sentence-transformers' default, the lowest cosine to it, and with --labelled the mean
average precision of the shipped heads on that path's vectors.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from qinlp.coding.evaluation import read_labelled, summary
from qinlp.coding.model import Model, find
from qinlp.embeddings import SentenceTransformerEncoder
from qinlp.passages import sentences


def read(path: Path, limit: int) -> list[str]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            texts = (row["abstract"] for row in csv.DictReader(file))
            found = [text[a:b] for text in texts for a, b in sentences(text)]
    else:
        found = path.read_text("utf-8").splitlines()
    step = max(1, len(found) // limit)
    return [text for text in found[::step] if text.strip()][:limit]


def paths(folder: str) -> dict[str, object]:
    """Return what is compared: name -> something with `encode(texts)`."""
    import torch
    from sentence_transformers import SentenceTransformer

    class Plain:
        def __init__(self, dtype: torch.dtype, batch: int) -> None:
            self.model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": dtype})
            self.batch = batch

        def encode(self, texts: list[str]) -> np.ndarray:
            found = self.model.encode(
                texts, batch_size=self.batch, normalize_embeddings=True, convert_to_tensor=True
            )
            return found.float().numpy()

    return {
        "sentence-transformers, float32, batch 32": Plain(torch.float32, 32),
        "sentence-transformers, bfloat16, batch 64": Plain(torch.bfloat16, 64),
        "qinlp, exact (float32)": SentenceTransformerEncoder(folder, exact=True),
        "qinlp": SentenceTransformerEncoder(folder),
    }


def mean_ap(model: Model, encoder: object, labelled: Path) -> float:
    from qinlp import training

    class Swapped(Model):
        @property
        def encoder(self) -> object:
            return encoder

    rows = read_labelled(labelled)
    judged = training.evaluate(Swapped(model.folder, model.card), rows)
    found = [s["levels"]["codes"]["all"] for s in (summary(j, rows, resamples=2) for j in judged.values())]
    return float(
        np.average([f["mean_average_precision"] for f in found], weights=[f["codes"] for f in found])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--labelled", type=Path)
    parser.add_argument("--model", default="qinlp-minilm")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    model = find(arguments.model)
    texts = read(arguments.texts, arguments.limit)
    compared = paths(model.encoder.folder)  # type: ignore[attr-defined]
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    vectors = {}
    for path in compared.values():
        path.encode(texts[:64])
    for _ in range(arguments.rounds):
        for name, path in compared.items():
            start = time.perf_counter()
            vectors[name] = path.encode(texts)
            seconds[name].append(time.perf_counter() - start)
    names = list(compared)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{len(texts)} texts, {arguments.rounds} rounds in turn, medians; {machine}")
    print("| path | texts/s | ratio | lowest cosine | mean AP |\n|---|---:|---:|---:|---:|")
    base = np.median(seconds[names[0]])
    for name in names:
        median = np.median(seconds[name])
        cosine = float((vectors[name] * vectors[names[0]]).sum(1).min())
        ap = f"{mean_ap(model, compared[name], arguments.labelled):.4f}" if arguments.labelled else ""
        print(f"| {name} | {len(texts) / median:.0f} | {base / median:.2f} | {cosine:.5f} | {ap} |")


if __name__ == "__main__":
    main()
