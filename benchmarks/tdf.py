"""A codebook without heads, in the field of those with heads: cold start on written TDF passages.

    python benchmarks/tdf.py [--model qinlp-minilm]

340 passages written for qinlp and labelled by their writer (data/evaluation/tdf.jsonl); no model
was trained on them. Mean average precision over the 14 domains of cold starts that compare with the
untuned encoder, the tuned one, and both; and, out of fold, of heads trained on the passages.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from qinlp import training
from qinlp.codebook import find as find_codebook
from qinlp.coding import heads
from qinlp.coding.coldstart import Prototypes
from qinlp.coding.evaluation import read_labelled
from qinlp.coding.model import named

PASSAGES = Path(__file__).parent.parent / "data" / "evaluation" / "tdf.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qinlp-minilm")
    model, rows = named(parser.parse_args().model), read_labelled(PASSAGES)
    book = find_codebook("tdf")
    codes = [code.id for code in book.codes]
    present, counted = training.cells_of(book, rows)

    def mean(scores: np.ndarray, names: list[str]) -> float:
        truth = present[:, [codes.index(name) for name in names]]
        return float(np.mean([average_precision_score(truth[:, i], scores[:, i]) for i in range(len(names))]))

    print("| encoder | cold start | heads on these passages, out of fold |\n|---|---:|---:|")
    encoders = {
        "the untuned encoder": model.general.untuned,
        "the tuned encoder": model.encoder,
        "both": model.general,
    }
    for name, encoder in encoders.items():
        vectors = encoder.encode([row.text for row in rows])
        prototypes = Prototypes.of(book, encoder)
        cold = mean(prototypes.features(vectors)[:, :, 0], list(prototypes.codes))
        made = heads.train("tdf", book.hash, codes, vectors, present, counted, [row.group for row in rows])
        learned = mean(made.probabilities, list(made.heads.codes))
        print(f"| {name} | {cold:.3f} | {learned:.3f} |")


if __name__ == "__main__":
    main()
