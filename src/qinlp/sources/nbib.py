"""NBIB: what PubMed calls its PubMed format, and everyone else MEDLINE.

Format: https://pubmed.ncbi.nlm.nih.gov/help/#pubmed-format: a tag of up to four capitals, a hyphen,
a value; further lines of the value are indented; an empty line ends the record.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.sources import identifiers
from qinlp.sources.papers import paper
from qinlp.sources.text import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qinlp.records import Document, Rejected

_TAG = re.compile(r"^([A-Z]{2,4}) {0,2}- ?(.*)$")
_START = re.compile(r"^(?=PMID ?- ?\d)", re.MULTILINE)


def recognises(head: str) -> bool:
    """Tell NBIB by its first tag and one that every record has."""
    return bool(_START.search(head) and re.search(r"^(?:TI|AB|STAT|OWN|DP|FAU|BTI) *- ", head, re.MULTILINE))


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the records of an NBIB file.

    Raises:
        SourceError: the file holds no NBIB record.
    """
    text = load_text(path)
    if not recognises(text):
        raise SourceError(f"{path}: not NBIB (no line begins `PMID- `); save it from PubMed as format PubMed")
    chunks = [chunk for chunk in _START.split(text) if chunk.strip()]
    for number, chunk in enumerate(chunks, 1):
        if not _START.match(chunk):  # what stands before the first record
            continue
        yield _record(chunk, str(path), str(number))


def _record(chunk: str, source: str, record: str) -> Document | Rejected:
    tags = _tags(chunk)

    def first(*wanted: str) -> str:
        return next((tags[tag][0] for tag in wanted if tags.get(tag)), "")

    places = [value for tag in ("LID", "AID", "SO") for value in tags.get(tag, ())]
    named = [value for value in places if "[doi]" in value] + [v for v in places if "doi:" in v.lower()]
    authors = tags.get("FAU") or tags.get("AU") or []
    issn = re.findall(r"\b\d{4}-\d{3}[\dX]\b", " ".join(tags.get("IS", ())))
    return paper(
        source,
        record,
        chunk.strip(),
        title=first("TI", "BTI", "TT"),
        abstract=first("AB", "OAB"),
        authors=authors + tags.get("CN", []),
        year=first("DP", "DEP", "EDAT"),
        journal=first("JT", "TA"),
        doi=next((found for value in named if (found := identifiers.doi(value))), ""),
        pmid=first("PMID"),
        pmcid=first("PMC"),
        keywords=tags.get("OT", []),
        mesh=[re.sub(r"\s*\*", "", heading) for heading in tags.get("MH", ())],
        language=first("LA"),
        metadata={
            "volume": first("VI"),
            "issue": first("IP"),
            "pages": first("PG"),
            "issn": list(dict.fromkeys(issn)),
            "types": tags.get("PT", []),
        },
    )


def _tags(chunk: str) -> dict[str, list[str]]:
    """Return the values of every tag of one record, a value of several lines on one."""
    tags: dict[str, list[str]] = {}
    last: list[str] = [""]
    for line in chunk.strip().split("\n"):
        if found := _TAG.match(line):
            last = tags.setdefault(found[1], [])
            last.append(found[2].strip())
        else:
            last[-1] += " " + line.strip()
    return tags
