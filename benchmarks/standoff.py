"""Join the codings in data/training/standoff.csv to the texts they were given for.

    python benchmarks/standoff.py ../shared further.jsonl

The texts are not qinlp's to give away, so only their places are kept: `file` under the folder
given, `row` (the nth record of a CSV file, empty for a text file), and `start` and `end` in
code points of its text with every run of white space made one space. `field` is the CSV column.
Writes labelled JSONL for `qinlp train` and `qinlp evaluate`.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from functools import cache
from pathlib import Path

CODINGS = Path(__file__).parent.parent / "data" / "training" / "standoff.csv"
FIELDS = {"corpora/abstracts.csv": "abstract", "corpora/transcripts/water-services-interviews.csv": "Text"}


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@cache
def texts(path: Path, field: str) -> list[str]:
    """Return the texts of a file: one for each record of a CSV file, else the whole."""
    if not field:
        return [plain(path.read_text("utf-8"))]
    csv.field_size_limit(10**9)
    with path.open(encoding="utf-8", newline="") as file:
        return [plain(row[field] or "") for row in csv.DictReader(file)]


def joined(shared: Path, codings: Path = CODINGS) -> list[dict[str, object]]:
    """Return labelled passages, one object each.

    Raises:
        FileNotFoundError: `shared` lacks a file.
    """
    found = []
    with codings.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            whole = texts(shared / row["file"], FIELDS.get(row["file"], ""))[int(row["row"] or 1) - 1]
            found.append(
                {
                    "id": row["id"],
                    "kind": "abstract" if row["file"] == "corpora/abstracts.csv" else "transcript",
                    "group": row["group"],
                    "text": whole[int(row["start"]) : int(row["end"])],
                    "labels": row["labels"].split(),
                    "hard": int(row["hard"]),
                }
            )
    return found


def main() -> None:
    shared, out = map(Path, sys.argv[1:3])
    rows = joined(shared)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    print(f"{len(rows)} passages written to {out}")


if __name__ == "__main__":
    main()
