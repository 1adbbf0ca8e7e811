"""BibTeX, parsed by bibtexparser 2 with LaTeX decoded; a block it cannot parse is Rejected.

Format: https://www.bibtex.org/Format/.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.records import Document, Rejected
from qinlp.sources.papers import paper, terms
from qinlp.sources.text import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the entries of a BibTeX file.

    Raises:
        SourceError: the file holds no entry.
    """
    text = load_text(path)
    if not re.search(r"@\s*\w+\s*[{(]", text):
        raise SourceError(f"{path}: not BibTeX (no `@article{{...}}`); export it again, or as RIS")
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry, ParsingFailedBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it grumbles at, we reject
    try:
        blocks = parse_string(text).blocks
    except Exception as error:  # noqa: BLE001  # whatever the parser stumbles over in a broken file
        raise SourceError(f"{path}: broken BibTeX ({error!r}); export it again, or as RIS") from None
    number = 0
    for block in blocks:
        raw = (block.raw or "").encode("utf-8", "replace")
        if isinstance(block, Entry):
            number += 1
            fields = {key.lower(): str(entry.value) for key, entry in block.fields_dict.items()}
            yield _record(fields, str(path), block.key or str(number), raw)
        elif isinstance(block, ParsingFailedBlock):
            number += 1
            duplicate = getattr(block, "ignore_error_block", None)
            if isinstance(duplicate, Entry):  # a key or a field twice: the entry itself is sound
                fields = {entry.key.lower(): str(entry.value) for entry in reversed(duplicate.fields)}
                yield _record(fields, str(path), duplicate.key or str(number), raw)
            else:
                yield Rejected(str(path), str(number), f"not a BibTeX entry ({block.error})", raw)


def _record(fields: dict[str, str], source: str, record: str, raw: bytes) -> Document | Rejected:
    def first(*wanted: str) -> str:
        return next((latex(fields[name]) for name in wanted if fields.get(name, "").strip()), "")

    eprint = (
        first("eprint")
        if re.search("pubmed|pmid", first("eprinttype", "archiveprefix"), re.IGNORECASE)
        else ""
    )
    return paper(
        source,
        record,
        raw,
        title=first("title"),
        abstract=first("abstract"),
        authors=[latex(name) for name in re.split(r"\s+and\s+", fields.get("author", ""))],
        year=first("year", "date"),
        journal=first("journal", "journaltitle", "booktitle"),
        doi=first("doi") or (first("url") if "doi.org/" in first("url") else ""),
        pmid=first("pmid") or eprint,
        pmcid=first("pmcid", "pmc"),
        keywords=terms(first("keywords", "keyword", "author_keywords")),
        language=first("language", "langid"),
        metadata={
            "volume": first("volume"),
            "issue": first("number", "issue"),
            "pages": first("pages").replace("--", "-"),
            "issn": first("issn"),
            "url": first("url"),
            "notes": first("note"),
        },
    )


def latex(value: str) -> str:
    r"""Return the characters that LaTeX stands for (`{\'e}` is é, `\&` is &), without braces."""
    if "\\" in value or "$" in value:
        from pylatexenc.latex2text import LatexNodes2Text  # type: ignore[import-untyped]

        try:
            value = LatexNodes2Text(math_mode="verbatim", keep_comments=True).latex_to_text(value)
        except Exception:  # noqa: BLE001  # not LaTeX after all: kept as it is
            return value
    return value.replace("{", "").replace("}", "")
