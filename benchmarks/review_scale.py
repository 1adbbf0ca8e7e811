"""How long the queue and the coding page take in a large store.

    python benchmarks/review_scale.py FOLDER [--passages 1000000] [--codings 20]

Makes a project in FOLDER (about 260 MB at the full size, half a minute) unless it is there already:
abstracts of ten passages, each with so many codings of 50 codes. Then the queue is laid, and one coder
codes 50 passages through the app, without a browser. Prints seconds, memory and milliseconds.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import sys
import time
from pathlib import Path

import duckdb
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import deskwork
from qinlp import config, steps
from qinlp.review import app
from qinlp.store import desk
from qinlp.store.migrate import migrate

CODES = 50
PAGES = 50
RUN = "20260101T000000.000000-0000"
WORDS = "We saw that the nurses had no time for the form. "
TEN = 10


def make(folder: Path, passages: int, codings: int) -> None:
    (folder / "codebooks").mkdir(parents=True, exist_ok=True)
    (folder / "qinlp.toml").write_text('[coding]\ncodebooks = ["large"]\n', "utf-8")
    lines = [f"c{k},Code {k},what it means,\n" for k in range(CODES)]
    (folder / "codebooks" / "large.csv").write_text("id,name,description,parent\n" + "".join(lines), "utf-8")
    path, temporary = folder / "qinlp.duckdb", str(folder / "temporary")
    if path.exists():
        return
    given = {"documents": passages // TEN, "run": RUN, "words": WORDS, "codings": codings, "codes": CODES}
    with duckdb.connect(path, config={"memory_limit": "4GB", "temp_directory": temporary}) as con:
        migrate(con)
        for statement in FILL.split(";"):
            if statement.strip():
                used = {key: value for key, value in given.items() if re.search(rf"\${key}\b", statement)}
                con.execute(statement, used)
        con.execute("CHECKPOINT")


FILL = """
INSERT INTO runs VALUES ($run, 'code', now(), now(), 'completed', '0.1.0', '{}', '{}');
INSERT INTO documents SELECT 'doi:10.5555/' || i, 1, md5('t' || i), 'abstract', 'Title ' || i,
  repeat($words, 10), ['A B'], 2020, '', [], [], 'en', [], [], '{}', 'x', i::VARCHAR, $run
  FROM range($documents) t(i);
INSERT INTO document_keys SELECT document_id, document_id FROM documents;
INSERT INTO passages SELECT md5('p' || i || '-' || k), 'doi:10.5555/' || i, md5('t' || i), k * length($words),
  (k + 1) * length($words) - 1, k, rtrim($words), '', '', NULL, '', md5('v' || i || '-' || k)
  FROM range($documents) t(i), range(10) u(k);
INSERT INTO codebooks VALUES ('h', 'large', '1', 'Large', 'framework', $run);
INSERT INTO codes SELECT 'h', 'large', 'c' || k, 'Code ' || k, NULL, k, true, '' FROM range($codes) t(k);
INSERT INTO thresholds SELECT 'm@1', 'large', 'c' || k, 0.5, 0.4, 0.6, 'f1' FROM range($codes) t(k);
INSERT INTO coded SELECT $run, passage_id, 'large', 'h', 'm@1' FROM passages;
INSERT INTO codings SELECT $run, passage_id, 'large', 'c' || ((hash(passage_id) + k * 7) % $codes), p, p > 0.5
  FROM (SELECT passage_id, k, (0.05 + 0.95 * pow(random(), 4))::FLOAT AS p
    FROM passages, range($codings) u(k));
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--codings", type=int, default=20, help="of each passage")
    given = parser.parse_args()
    make(given.folder, given.passages, given.codings)
    settings = config.load(given.folder)
    began = time.perf_counter()
    laid = steps.queue(settings, renew=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"queue of {laid.passages:,} passages: {time.perf_counter() - began:.1f} s, {memory:,} MB")
    print(desk.of(settings.database_path).note("large", "left"))

    site = app.make(settings, alone="kari", hosts=frozenset({"127.0.0.1"}))
    browser = TestClient(site, "http://127.0.0.1", follow_redirects=False)
    browser.get(f"/?key={site.state.house.key}")
    times: dict[str, list[float]] = {"page": [], "submit": []}
    for _ in range(PAGES):
        began = time.perf_counter()
        page = browser.get("/code/large").text
        times["page"].append(time.perf_counter() - began)
        began = time.perf_counter()
        answer = browser.post("/code/large", data=dict(deskwork.fields(page)))
        times["submit"].append(time.perf_counter() - began)
        if answer.status_code != 303:
            raise SystemExit(f"a submit was answered with {answer.status_code}")
    for what, took in times.items():
        print(f"{what}: median {1000 * statistics.median(took):.0f} ms, most {1000 * max(took):.0f} ms")


if __name__ == "__main__":
    main()
