"""How fast are embedded passages classified?

    python benchmarks/heads.py [--passages 200000] [--model qinlp-minilm]

Probabilities and decisions of all the model's codes, for vectors that are already there.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np

from qinlp.coding.model import decide, named, rolled_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--model", default="qinlp-minilm")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    model = named(arguments.model)
    books = [model.codebook(name) for name in model.trained]
    coders = [model.coder(book) for book in books]
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(arguments.passages, coders[0].weights.shape[0])).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seconds = []
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        for book, coder in zip(books, coders, strict=True):
            for at in range(0, len(vectors), 5000):
                found = rolled_up(book, coder.codes, coder.probabilities(vectors[at : at + 5000]))
                decide(book, coder, found)
        seconds.append(time.perf_counter() - start)
    codes = sum(len(coder.codes) for coder in coders)
    speed = arguments.passages / float(np.median(seconds))
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{codes} codes: {speed:,.0f} passages/s (median of {arguments.rounds}; {machine})")
    print(f"for 60 codes that is {speed * codes / 60:,.0f} passages/s")


if __name__ == "__main__":
    main()
