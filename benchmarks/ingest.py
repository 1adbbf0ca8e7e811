"""Ask a local service for 50,000 records: how many a second, and how much memory as they come.

    python benchmarks/ingest.py [--source europepmc] [--records 50000]

The service is a process of its own (tests/services.py), so what is counted is qinlp's work: asking,
reading, cutting into passages and storing. Memory is what this process holds, read about every 5,000
records; it is flat if the last is about the first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from qinlp import config, steps

ROOT = Path(__file__).parents[1]
EVERY = 5_000


def resident() -> float:
    """Return the megabytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class Meter:
    """Watches a search, and prints a line about every 5,000 records."""

    def __init__(self) -> None:
        self.window, self.before, self.seen, self.told = "", 0, 0, 0
        self.last = time.monotonic()
        self.memory: list[float] = []

    def __call__(self, what: str, done: int, of: int) -> None:  # noqa: ARG002
        if what != self.window:
            self.window, self.before = what, self.before + self.seen
        self.seen = done
        n, now = self.before + done, time.monotonic()
        if n - self.told >= EVERY:
            self.memory.append(resident())
            rate = (n - self.told) / (now - self.last)
            print(f"{n:>7,} records  {rate:>6,.0f} a second  {self.memory[-1]:>6,.0f} MB", flush=True)
            self.told, self.last = n, now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", default="europepmc")
    parser.add_argument("--records", type=int, default=50_000)
    given = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "services.py", given.source, "--records", str(given.records)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "qinlp.toml").write_text(
            f'[[search]]\nname = "all"\nsource = "{given.source}"\nquery = "falls"\nsince = 2020-01-01\n'
            f'base_url = "{url}"\n',
            "utf-8",
        )
        settings = config.load(Path(name))
        steps.search(settings, "all", today=date(2020, 1, 1))  # loads what is loaded once
        meter, began = Meter(), time.monotonic()
        found = steps.search(settings, "all", watch=meter)
        took = time.monotonic() - began
        size = settings.database_path.stat().st_size / 1e6
    server.kill()
    server.wait()
    print(
        f"{found.records:,} records, {found.arrived.documents:,} documents, "
        f"{found.arrived.passages:,} passages in {took:.0f} s: {found.records / took:,.0f} records a second; "
        f"{found.requests} requests, {found.bytes_in / 1e6:,.0f} MB read, {size:,.0f} MB stored"
    )
    print(f"memory: {meter.memory[0]:,.0f} MB at first, {meter.memory[-1]:,.0f} MB at the end")


if __name__ == "__main__":
    main()
