"""EndNote's XML export (`<xml><records><record>`), as EndNote, Citavi and others write it.

Format: https://www.endnote.com/style_download/RISX-DTD (no public DTD has stayed; the element
names are those of exports). Text stands in nested `<style>` elements.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.sources.papers import paper
from qinlp.sources.pubmed import elements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lxml.etree import _Element

    from qinlp.records import Document, Rejected


def recognises(head: str) -> bool:
    """Tell EndNote XML by its records."""
    return bool(re.search(r"<records>|<record\b", head))


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the records of an EndNote XML file.

    Raises:
        SourceError: the file is no XML, or XML of something else.
    """
    number = 0
    for element in elements(path, ("record",)):
        number += 1
        yield _record(element, str(path), str(number))
    if not number:
        raise SourceError(f"{path}: no <record> in this XML; export it from EndNote as XML, or as RIS")


def _record(element: _Element, source: str, record: str) -> Document | Rejected:
    from lxml import etree

    def one(*paths: str) -> str:
        return next(
            (words for path in paths for found in element.iterfind(path) if (words := _words(found))), ""
        )

    def several(path: str) -> list[str]:
        return [words for found in element.iterfind(path) if (words := _words(found))]

    urls = several("./urls//url")
    accession = one("./accession-num")
    provider = one("./remote-database-provider") + one("./remote-database-name")
    from_pubmed = re.search("nlm|pubmed|medline", provider, re.IGNORECASE) and accession.isdigit()
    return paper(
        source,
        record,
        etree.tostring(element, encoding="utf-8", with_tail=False),
        title=one("./titles/title"),
        abstract="\n".join(several("./abstract")),
        authors=several("./contributors/authors/author"),
        year=one("./dates/year", "./dates/pub-dates/date"),
        journal=one(
            "./periodical/full-title",
            "./titles/secondary-title",
            "./periodical/abbr-1",
            "./alt-periodical/full-title",
        ),
        doi=one("./electronic-resource-num") or next((url for url in urls if "doi.org/10." in url), ""),
        pmid=accession if from_pubmed else "",
        pmcid=one("./custom2"),
        keywords=several("./keywords/keyword"),
        language=one("./language"),
        metadata={
            "volume": one("./volume"),
            "issue": one("./number"),
            "pages": one("./pages"),
            "issn": one("./isbn"),
            "accession": "" if from_pubmed else accession,
            "url": next(iter(urls), ""),
        },
    )


def _words(element: _Element) -> str:
    return "".join(str(piece) for piece in element.itertext()).strip()
