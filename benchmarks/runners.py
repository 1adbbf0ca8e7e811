"""How long does coding take in this process and on a Dask cluster of this machine, and is it the same?

    python benchmarks/runners.py abstracts.csv [--abstracts 300] [--workers 2]

Reads the first so many records, codes them in a fresh project per runner with `qinlp run code` in a
process of its own (Prefect's and Dask's start included), and prints seconds, the ratio, and whether
vectors and codings are equal byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qinlp import config, steps
from qinlp.store import Store

RESULTS = (
    "SELECT input_hash, encoder, vector FROM vectors ORDER BY ALL",
    "SELECT passage_id, codebook, code, probability, decision FROM codings ORDER BY ALL",
)


def first(path: Path, n: int, to: Path) -> None:
    with path.open(encoding="utf-8", newline="") as source, to.open("w", encoding="utf-8", newline="") as out:
        rows = csv.reader(source)
        csv.writer(out).writerows(row for _, row in zip(range(n + 1), rows, strict=False))


def run(folder: Path, texts: Path, runner: str, workers: int) -> tuple[float, int, list[object]]:
    config.write(folder)
    with (folder / config.FILE).open("a", encoding="utf-8") as out:
        out.write(f'[compute]\nrunner = "{runner}"\nworkers = {workers}\n')
    settings = config.load(folder)
    steps.ingest(settings, [texts])
    start = time.perf_counter()
    command = [sys.executable, "-m", "qinlp.cli", "--project", str(folder), "run", "code"]
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect")}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    seconds = time.perf_counter() - start
    with Store(settings.database_path).read() as con:
        found: list[object] = [con.execute(sql).fetchall() for sql in RESULTS]
    return seconds, len(found[0]), found  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("abstracts_csv", type=Path)
    parser.add_argument("--abstracts", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name) / "abstracts.csv"
        first(arguments.abstracts_csv, arguments.abstracts, texts)
        done = {r: run(Path(name) / r, texts, r, arguments.workers) for r in config.RUNNERS}
    print(f"{arguments.abstracts} abstracts, {os.cpu_count()} cores, {arguments.workers} Dask workers")
    print("| runner | texts | seconds | ratio |\n|---|---:|---:|---:|")
    for runner, (seconds, n, _) in done.items():
        print(f"| {runner} | {n:,} | {seconds:.1f} | {seconds / done['thread'][0]:.2f} |")
    print("byte for byte the same:", done["thread"][2] == done["dask"][2])


if __name__ == "__main__":
    main()
