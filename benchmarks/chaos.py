"""Ask three services that fail at random, kill the flow at random, and see what is in the store.

    python benchmarks/chaos.py --rounds 20

Every round new papers appear, some in all three services and some in one, and `qinlp run ingest` is
started; 30% of its requests are answered by 429, 500, half an answer, an HTML page or nothing, and it is
killed (kill -9) at a random moment after its first request. At last the services answer well and one run is
left in peace. Then the documents must be those of the services, each once, with every identifier, and every
watermark must stand at today.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from qinlp.store import Store  # noqa: E402
from services import Chaos, Service, papers  # noqa: E402

NAMES = ("europepmc", "pubmed", "openalex")


@dataclass(frozen=True)
class Played:
    """What the rounds came to."""

    kills: int
    """Runs that were killed before their end."""
    ended: int
    """Runs that ended before they were killed, well or with failed parts."""
    requests: int
    faults: float
    """Share of the requests that went wrong on purpose."""
    papers: int
    wrong: tuple[str, ...]
    """What is not as it must be; nothing is the aim."""


def play(folder: Path, *, rounds: int, a_round: int, seed: int, longest: float) -> Played:
    """Play the rounds in a new project in `folder`."""
    chance, today = random.Random(seed), datetime.now(UTC).date()
    kills = ended = number = 0
    with ExitStack() as open_:
        services = {
            name: open_.enter_context(Service(name, chaos=Chaos(0.3, seed + place)))
            for place, name in enumerate(NAMES)
        }
        project = write_project(folder, services, today - timedelta(days=30))
        for turn in range(rounds):
            day = today if turn else today - timedelta(days=30)
            for name in (*NAMES, None):  # a part only here, a part everywhere
                some = papers(number + 1, a_round // 4, day, 30 if turn == 0 else 1)
                number += len(some)
                for place in [name] if name else NAMES:
                    services[place].add(some)
            process = start(project)
            before = asked(services)
            until = time.monotonic() + 120
            while process.poll() is None and asked(services) == before and time.monotonic() < until:
                time.sleep(0.01)
            try:
                process.wait(chance.uniform(0, longest))
                ended += 1
            except subprocess.TimeoutExpired:
                kills += 1
            stop(process)
        total, bad = asked(services), sum(services[name].gone_wrong for name in NAMES)
        for service in services.values():
            service.chaos = None
        last = start(project)
        code = last.wait(900)
        stop(last)
        wrong = check(project, services, today)
        if code:
            wrong = (f"the last run ended with {code}", *wrong)
    return Played(kills, ended, total, bad / max(1, total), number, wrong)


def asked(services: dict[str, Service]) -> int:
    return sum(len(one.requests) for one in services.values())


def write_project(folder: Path, services: dict[str, Service], since: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    searches = "".join(
        f'[[search]]\nname = "falls-{name}"\nsource = "{name}"\nquery = "falls"\nsince = {since}\n'
        f'base_url = "{one.url}"\n'
        for name, one in services.items()
    )
    (folder / "qinlp.toml").write_text(f"[ingest]\npaths = []\n[network]\ntries = 3\n{searches}", "utf-8")
    return folder


def start(project: Path) -> subprocess.Popen[bytes]:
    own = os.environ | {"PREFECT_HOME": str(project / ".prefect-home"), "NCBI_API_KEY": "a-key"}
    with (project / "said.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "qinlp.cli", "--project", str(project), "run", "ingest"],
            env=own, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a run and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def check(project: Path, services: dict[str, Service], today: object) -> tuple[str, ...]:
    """Return what is wrong in the store."""
    wrong = []
    told = {name: {paper.number: paper for paper in one.papers} for name, one in services.items()}
    numbers = set().union(*told.values())
    with Store(project / "qinlp.duckdb").read() as con:
        found = con.execute("SELECT doi, pmid, openalex FROM documents_current").fetchall()
        seen = con.execute("SELECT source, record, count(DISTINCT document_id) FROM provenance GROUP BY ALL")
        places = {(source, record): n for source, record, n in seen.fetchall()}
        marks = dict(con.execute("SELECT search, until FROM watermarks").fetchall())
        passages = con.execute("SELECT count(*), count(DISTINCT passage_id) FROM passages").fetchone()
        quarantined = con.execute("SELECT source, record, reason FROM quarantine LIMIT 3").fetchall()
    dois = [doi for doi, _, _ in found]
    every = next(iter(told.values())) | told["pubmed"] | told["openalex"]
    if sorted(dois) != sorted(every[n].doi.lower() for n in numbers):
        wrong.append(f"{len(dois)} documents, {len(set(dois))} different, of {len(numbers)} papers")
    both = {every[n].doi.lower(): every[n] for n in told["pubmed"].keys() & told["openalex"].keys()}
    lacking = [doi for doi, pmid, work in found if doi in both and not (pmid and work)]
    if lacking:
        wrong.append(f"{len(lacking)} papers of several services lack an identifier, such as {lacking[0]}")
    if len(places) != sum(map(len, told.values())) or set(places.values()) != {1}:
        wrong.append(f"{len(places)} records seen, each in {set(places.values())} documents")
    wrong += [
        f"the watermark of {name} stands at {marks.get(f'falls-{name}')}"
        for name in told
        if marks.get(f"falls-{name}") != today
    ]
    if passages[0] != passages[1]:
        wrong.append(f"{passages[0]} passages, {passages[1]} different")
    if quarantined:
        wrong.append(f"in the quarantine: {quarantined}")
    return tuple(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--papers", type=int, default=400, help="new papers a round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--longest", type=float, default=10, help="seconds after its first request that a run may live"
    )
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    began = time.monotonic()
    done = play(
        folder / "project", rounds=given.rounds, a_round=given.papers, seed=given.seed, longest=given.longest
    )
    took = time.monotonic() - began
    print(
        f"{given.rounds} rounds in {took:.0f} s: {done.kills} runs killed, {done.ended} ended before; "
        f"{done.requests:,} requests, {done.faults:.0%} of them answered wrongly; {done.papers:,} papers"
    )
    for line in done.wrong:
        print(f"WRONG: {line}")
    if not done.wrong:
        print("The store holds the papers of the services, each once; every watermark stands at today.")
        shutil.rmtree(folder)
    sys.exit(bool(done.wrong))


if __name__ == "__main__":
    main()
