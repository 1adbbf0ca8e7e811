"""Three reviewers code while documents come in and are coded: is a judgement lost, and how long does it take?

    python benchmarks/together.py --minutes 5

Makes a project of 1,200 passages, starts `qinlp review` in a process of its own, and beside it another
that brings in ten papers at a time and codes them, without a pause. Meanwhile three reviewers send one
judgement a second each. In the end every judgement that was acknowledged must lie once on the desk and
once in the store, and no page may have been an error. The model counts words and needs no torch; with
`--model qinlp-minilm` it is the real one.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import deskwork  # noqa: E402
import fake  # noqa: E402
from qinlp import config, steps  # noqa: E402
from qinlp.review import access, house  # noqa: E402
from qinlp.store import Store, desk  # noqa: E402

CODERS = ("anna", "kari", "per")
BOOK = "npt"
FOUR = (
    "Nurses had no time for round {n} at night.", "A clear mandate helped the team with task {n}.",
    "Nobody paid for visit {n}, so it was left undone.", "The coach came {n} times and that kept us going.",
)  # fmt: skip
SETTINGS = f"""
[ingest]
settle_seconds = 0
[coding]
codebooks = ["valence", "{BOOK}"]
[review]
length = 5000
"""
WORK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import fake, together
from qinlp import config, steps
if sys.argv[3]:
    fake.patch()
folder, rounds = Path(sys.argv[2]), int(sys.argv[4])
settings, n = config.load(folder), 0
while n < rounds and not (folder / "stop").exists():
    steps.ingest(settings, [folder / "documents"])
    steps.code(settings)
    n += 1
    together.write(folder, 10_000 + 10 * n, 10)
"""


@dataclass
class Played:
    """What came of it."""

    took: list[float] = field(default_factory=list)
    """Seconds of each submit."""
    acknowledged: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    came: int = 0
    """Documents that came in meanwhile."""

    def percentile(self, share: float) -> float:
        """Return the milliseconds that this share of the submits stayed within."""
        return 1000 * sorted(self.took)[min(int(share * len(self.took)), len(self.took) - 1)]


def write(folder: Path, first: int, papers: int) -> None:
    """Write a file of papers, whole at once."""
    path = folder / "documents" / f"from{first}.csv"
    with path.with_suffix(".part").open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["title", "abstract", "year"])
        for n in range(first, first + papers):
            table.writerow([f"Study number {n}", " ".join(one.format(n=n) for one in FOUR), "2020"])
    path.with_suffix(".part").rename(path)


def play(folder: Path, seconds: float, *, fake_model: Path | None = None, papers: int = 300) -> Played:
    """Let everybody work for so many seconds in a new project in `folder`."""
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text(SETTINGS, "utf-8")
    write(folder, 0, papers)
    settings, played = config.load(folder), Played()
    environment = fake.environment(fake_model or Path(), folder)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    tests = str(ROOT / "tests")
    work = [sys.executable, "-c", WORK, tests, str(folder), "fake" if fake_model else ""]
    subprocess.run([*work, "1"], check=True, env=environment)
    program = [str(ROOT / "tests" / "fake.py")] if fake_model else ["-m", "qinlp.cli"]
    server = subprocess.Popen(
        [sys.executable, *program, "--project", str(folder), "review", "--coder", CODERS[0]],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert server.stdout
    found = re.search(r"http://[\d.]+:\d+", server.stdout.readline())
    assert found
    before = documents(settings)
    flow = subprocess.Popen([*work, "1000000"], env=environment)
    ended = threading.Event()
    threads = [
        threading.Thread(target=review, args=(settings, found[0], name, ended, played)) for name in CODERS
    ]
    for one in threads:
        one.start()
    time.sleep(seconds)
    ended.set()
    for one in threads:
        one.join()
    (folder / "stop").touch()
    if flow.wait(120):
        played.errors.append(f"the flow ended with {flow.returncode}")
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=120)
    if server.returncode:
        played.errors.append(f"the server ended with {server.returncode}")
    steps.carry(settings)
    played.came = documents(settings) - before
    on_desk = Counter(
        a.act_id for a in desk.of(settings.database_path).acts(most=10**6) if a.codebook == BOOK
    )
    with Store(settings.database_path).read() as con:
        names = con.execute("SELECT review_id FROM reviews WHERE codebook = ?", [BOOK]).fetchall()
        said = con.execute("SELECT review_id, code FROM judgements WHERE codebook = ?", [BOOK]).fetchall()
    in_store = Counter(name for (name,) in names)
    played.lost = len(played.acknowledged - set(on_desk)) + len(played.acknowledged - set(in_store))
    played.doubled = sum(n - 1 for counts in (on_desk, in_store, Counter(said)) for n in counts.values())
    return played


def documents(settings: config.Config) -> int:
    with Store(settings.database_path).read() as con:
        return int(con.execute("SELECT count(*) FROM documents").fetchall()[0][0])


def review(settings: config.Config, address: str, name: str, ended: threading.Event, played: Played) -> None:
    """Send a judgement a second."""
    at = house.furnish(settings, name, frozenset())
    with httpx.Client(
        base_url=address, cookies={at.cookie: access.begin(at.desk, name)}, timeout=60
    ) as browser:
        due = time.monotonic()
        while not ended.is_set():
            page = browser.get(f"/code/{BOOK}")
            form: dict[str, list[str]] = {}
            for key, value in deskwork.fields(page.text) if page.status_code == 200 else []:
                form.setdefault(key, []).append(value)
            if "act_id" not in form:
                played.errors.append(f"{name}: no passage on a page of status {page.status_code}")
                return
            began = time.perf_counter()
            answer = browser.post(f"/code/{BOOK}", data={**form, "do": "next"})
            played.took.append(time.perf_counter() - began)
            if answer.status_code == 303:
                played.acknowledged.add(form["act_id"][0])
            else:
                played.errors.append(f"{name}: status {answer.status_code}")
            due = max(due + 1, time.monotonic() - 1)
            ended.wait(max(0.0, due - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--model", default="", help="qinlp-minilm: the real one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        words = None if given.model else folder / "words"
        if words:
            fake.make(words)
        played = play(folder / "project", 60 * given.minutes, fake_model=words)
    print(f"{len(played.acknowledged)} of {len(played.took)} judgements acknowledged")
    print(f"{played.came} documents came in")
    print(f"lost {played.lost}, doubled {played.doubled}, errors {len(played.errors)} {played.errors[:3]}")
    print(
        f"submit: median {1000 * statistics.median(played.took):.0f} ms, "
        f"99th percentile {played.percentile(0.99):.0f} ms, most {1000 * max(played.took):.0f} ms"
    )


if __name__ == "__main__":
    main()
