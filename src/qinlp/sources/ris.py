"""RIS, as Zotero, EndNote, Scopus, Embase, Rayyan and the rest write it.

Format: https://refdb.sourceforge.net/manual-0.9.6/sect1-ris-format.html; the tags are parsed by
rispy, one record at a time, so that a faulty record costs nothing but itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceError
from qinlp.records import Document, Rejected
from qinlp.sources import identifiers
from qinlp.sources.papers import names, paper
from qinlp.sources.text import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAG = re.compile(r"^[ \t]{0,3}([A-Z][A-Z0-9]) {0,4}-(?: |$)", re.MULTILINE)
_ENDS = re.compile(r"^[ \t]{0,3}ER {1,4}-.*$|(?=^[ \t]{0,3}TY {1,4}- )", re.MULTILINE)
_LOOSE = re.compile(r"^[ \t]{0,3}([A-Z][A-Z0-9]) {1,4}- ?", re.MULTILINE)
_KEPT = {
    "VL": "volume",
    "IS": "issue",
    "TY": "type",
    "AN": "accession",
    "DB": "database",
    "ID": "id",
    "M3": "form",
}


def recognises(head: str) -> bool:
    """Tell RIS by its first and last tags."""
    return bool(re.search(r"^[ \t]{0,3}TY {1,4}- ", head, re.MULTILINE)) or bool(
        re.search(r"^ER {1,4}-", head, re.MULTILINE) and len(_TAG.findall(head)) > 2
    )


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the records of a RIS file.

    Raises:
        SourceError: the file holds no RIS tags.
    """
    text = load_text(path)
    if not recognises(text):
        raise SourceError(
            f"{path}: not RIS (no line begins `TY  - `); export it again, or give its own suffix"
        )
    number = 0
    for chunk in _ENDS.split(text):
        if not chunk.strip():
            continue
        if not _TAG.search(chunk):
            if number:
                number += 1
                yield Rejected(str(path), str(number), "no RIS tag in the record", chunk.encode())
            continue
        number += 1
        yield _record(chunk, str(path), str(number))


def _record(chunk: str, source: str, record: str) -> Document | Rejected:
    tags = _tags(chunk)

    def first(*wanted: str) -> str:
        return next((" ".join(tags[tag]) for tag in wanted if any(tags.get(tag, ()))), "")

    notes = [note for tag in ("N1", "M1", "C2", "C5", "C7", "M2") for note in tags.get(tag, ())]
    links = [link for tag in ("UR", "L2", "L3", "LK", "L1") for link in tags.get(tag, ())]
    doi = first("DO", "DI") or next((found for link in links if (found := identifiers.doi(link))), "")
    issn = re.findall(r"\b\d{4}-?\d{3}[\dXx]\b", " ".join(tags.get("SN", ())))
    pages = "-".join(dict.fromkeys(part for tag in ("SP", "EP") if (part := first(tag))))
    metadata: dict[str, Any] = {name: first(tag) for tag, name in _KEPT.items()}
    metadata |= {
        "pages": pages,
        "issn": list(dict.fromkeys(issn)),
        "url": next(iter(tags.get("UR", ())), ""),
        "notes": [
            note for note in tags.get("N1", ()) if not note.startswith("References:") and len(note) < 1000
        ],
    }
    return paper(
        source,
        record,
        f"{chunk.strip()}\nER  -",
        title=first("TI", "T1", "CT", "BT", "ST"),
        abstract="\n".join(tags.get("AB") or tags.get("N2") or ()),
        authors=[name for tag in ("AU", "A1") for value in tags.get(tag, ()) for name in _people(value)],
        year=first("PY", "Y1", "DA"),
        journal=first("JF", "T2", "JO", "J2", "JA"),
        doi=doi,
        pmid=_pmid(tags, notes + links),
        pmcid=next((found for note in notes + links if (found := identifiers.pmcid(note))), ""),
        keywords=[term for value in tags.get("KW", ()) for term in value.split(";")],
        language=first("LA"),
        metadata=metadata,
    )


def _tags(chunk: str) -> dict[str, list[str]]:
    """Return the values of every tag of one record; a line without a tag is one more value of the last."""
    import rispy

    lines = [_LOOSE.sub(r"\1  - ", line) for line in chunk.strip().split("\n")]
    if not lines[0].startswith("TY  - "):
        lines.insert(0, "TY  - GEN")
    present = {line[:2] for line in lines if line[2:6] == "  - "} - {"TY", "ER"}
    parsed: dict[str, Any] = rispy.loads(
        "\n".join([*lines, "ER  - "]),
        mapping={tag: tag for tag in ("TY", *present)},
        list_tags=list(present),
        delimiter_tags_mapping={},
        skip_unknown_tags=True,
    )[0]
    found = {tag: values if tag in present else [values] for tag, values in parsed.items()}
    return {tag: [value for value in values if value != "nan"] for tag, values in found.items()}


def _people(value: str) -> list[str]:
    return names(value) if ";" in value else [value]


def _pmid(tags: dict[str, list[str]], places: list[str]) -> str:
    """Find the PubMed id: said to be one, or the accession number of a record that came from PubMed."""
    for place in places:
        if found := re.search(
            r"(?:PMID:? ?|pubmed(?:\.ncbi\.nlm\.nih\.gov)?/)(\d{4,9})\b", place, re.IGNORECASE
        ):
            return found[1]
    origin = " ".join(tags.get("DP", []) + tags.get("DB", [])).lower()
    number = next(iter(tags.get("AN", [])), "") if re.search("nlm|pubmed|^medline", origin) else ""
    if not number and "medline" in origin and "embase" in origin:
        number = next(iter(tags.get("C5", [])), "")
    return number if re.fullmatch(r"\d{4,9}", number) else ""
