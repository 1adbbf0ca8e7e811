"""Kill the steps at random moments, run them to their end, and compare with an undisturbed run.

    python benchmarks/kill.py [--kills 10] [--seed 1] [--codebooks valence,cfir,npt] PATH ...

Works in a temporary folder with the real model. Exit code 0 where both databases hold the same.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from qinlp import config
from qinlp.store import Store

NAMES = {
    "documents": "document_id, version, text_hash",
    "document_keys": "key, document_id",
    "provenance": "document_id, source, record, text_hash",
    "passages": "passage_id",
    "vectors": "input_hash, encoder",
    "coded": "passage_id, codebook, codebook_hash, coder",
    "codings": "passage_id, codebook, code",
    "quarantine": "quarantine_id",
    "files": "path, sha256",
}
ORPHANS = (
    "passages ANTI JOIN documents USING (document_id, text_hash)",
    "codings ANTI JOIN coded USING (passage_id, codebook, run_id)",
    "coded ANTI JOIN passages USING (passage_id)",
    "vectors ANTI JOIN passages USING (input_hash)",
)


def start(project: Path, words: list[str]) -> subprocess.Popen[str]:
    """Start a command of qinlp on a project."""
    return subprocess.Popen(
        [sys.executable, "-m", "qinlp.cli", "--project", str(project), *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(project: Path, words: list[str]) -> float:
    """Run a command to its end; return how many seconds it took."""
    began = time.monotonic()
    process = start(project, words)
    said = process.communicate()[1]
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}: {said}")
    return time.monotonic() - began


def contents(project: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every table's rows by what names them, repetitions included."""
    with Store(config.load(project).database_path).read() as con:
        return {
            table: sorted(con.execute(f"SELECT {names} FROM {table}").fetchall())
            for table, names in NAMES.items()
        }


def orphans(project: Path) -> int:
    """Count rows that point at nothing."""
    with Store(config.load(project).database_path).read() as con:
        counts = [con.execute(f"SELECT count(*) FROM {sql}").fetchone() for sql in ORPHANS]
    return sum(row[0] for row in counts if row)


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--kills", type=int, default=10, help="kills a stage")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--codebooks", default="valence,cfir,npt")
    given = options.parse_args()
    generator = random.Random(given.seed)
    stages = [["ingest", *(str(path.resolve()) for path in given.paths)], ["code"]]
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder, "calm"), Path(folder, "killed")
        for project in (calm, killed):
            config.write(project)
            books = json.dumps(given.codebooks.split(","))
            (project / config.FILE).write_text(f"[coding]\ncodebooks = {books}\n", "utf-8")
        print(f"{'stage':<8}{'undisturbed s':>14}{'killed':>8}{'ended before':>14}{'last run s':>12}")
        for words in stages:
            took = finish(calm, words)
            kills = early = 0
            while kills < given.kills and early < 3 * given.kills:
                process = start(killed, words)
                time.sleep(generator.uniform(0, took))
                process.kill()
                process.communicate()
                if process.returncode == -signal.SIGKILL:
                    kills += 1
                else:
                    early += 1
            print(f"{words[0]:<8}{took:>14.1f}{kills:>8}{early:>14}{finish(killed, words):>12.1f}")
        one, two, lost = contents(calm), contents(killed), orphans(killed)
        print(f"\n{'table':<16}{'undisturbed':>12}{'killed':>12}  same")
        for table in NAMES:
            same = "yes" if one[table] == two[table] else "NO"
            print(f"{table:<16}{len(one[table]):>12,}{len(two[table]):>12,}  {same}")
        print(f"{'orphans':<16}{orphans(calm):>12,}{lost:>12,}  {'yes' if not lost else 'NO'}")
        sys.exit(one != two or bool(lost))


if __name__ == "__main__":
    main()
