"""PubMed XML, one record at a time.

Format: https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/250101/. Entities are not resolved and nothing
is fetched. lxml's recovering parser goes on after a fault, so that a broken record costs only itself.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceError
from qinlp.sources.papers import paper
from qinlp.sources.text import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lxml.etree import _Element

    from qinlp.records import Document, Rejected

_SURROGATE = re.compile(
    rb"&#(?:[xX]0*[dD][89a-fA-F][0-9a-fA-F]{2}|0*(?:55(?:29[6-9]|[3-9]\d\d)|56\d{3}|57(?:[0-2]\d\d|3[0-3]\d|34[0-3])));"
)
"""References to half a character, which lxml recovers and then cannot give as text."""
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")


def recognises(head: str) -> bool:
    """Tell PubMed XML by the name of its root or first record."""
    return bool(
        re.search(
            r"<(?:PubmedArticleSet|PubmedArticle|PubmedBookArticle|MedlineCitationSet|MedlineCitation)\b",
            head,
        )
    )


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the records of a PubMed XML file.

    Raises:
        SourceError: the file is no XML, or XML of something else.
    """
    number = 0
    for element in elements(path, ("PubmedArticle", "PubmedBookArticle")):
        number += 1
        yield _record(element, str(path), str(number))
    if not number:
        raise SourceError(f"{path}: no PubmedArticle in this XML; save it from PubMed as XML, or export RIS")


def elements(path: Path, tags: tuple[str, ...]) -> Iterator[_Element]:
    """Yield the elements of these names from an XML file and free them afterwards; faults are passed over.

    Raises:
        SourceError: the file is no XML.
    """
    from lxml import etree

    raw = _SURROGATE.sub(b"&#xFFFD;", load(path))
    try:
        parsed = etree.iterparse(
            io.BytesIO(raw), tag=tags, recover=True, resolve_entities=False, no_network=True, load_dtd=False,
            huge_tree=False,
        )  # fmt: skip
        for _, element in parsed:
            yield element
            element.clear()
            while element.getprevious() is not None and element.getparent() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise SourceError(f"{path}: broken XML ({error}); export it again, or as RIS") from None


def _record(element: _Element, source: str, record: str) -> Document | Rejected:
    from lxml import etree

    def one(path: str) -> str:
        found = element.find(path)
        return _words(found) if found is not None else ""

    def several(path: str) -> list[str]:
        return [words for found in element.iterfind(path) if (words := _words(found))]

    raw = etree.tostring(element, encoding="utf-8", with_tail=False)
    article = ".//Article" if element.find(".//Article") is not None else ".//Book"
    own = "./PubmedData/ArticleIdList/ArticleId"
    identifiers = {found.get("IdType", ""): _words(found) for found in element.iterfind(own)}
    book = {
        found.get("IdType", ""): _words(found)
        for found in element.iterfind("./BookDocument/ArticleIdList/ArticleId")
    }
    identifiers |= book
    doi = next(
        (_words(e) for e in element.iterfind(f"{article}/ELocationID") if e.get("EIdType") == "doi"), ""
    )
    parts = [
        (found.get("Label") or "", _words(found)) for found in element.iterfind(".//Abstract/AbstractText")
    ]
    abstract: Any = parts if any(label for label, _ in parts) else "\n\n".join(words for _, words in parts)
    year = (
        one(f"{article}//PubDate/Year")
        or one(f"{article}//PubDate/MedlineDate")
        or one(f"{article}/ArticleDate/Year")
    )
    return paper(
        source,
        record,
        raw,
        title=one(f"{article}/ArticleTitle")
        or one(".//ArticleTitle")
        or one(".//BookTitle")
        or one(".//VernacularTitle"),
        abstract=abstract,
        authors=[_author(person) for person in element.iterfind(".//AuthorList/Author")],
        year=year,
        journal=one(".//Journal/Title") or one(".//MedlineJournalInfo/MedlineTA"),
        doi=identifiers.get("doi", "") or doi,
        pmid=one("./MedlineCitation/PMID") or one(".//PMID"),
        pmcid=identifiers.get("pmc", ""),
        keywords=several(".//KeywordList/Keyword"),
        mesh=[
            heading
            for found in element.iterfind(".//MeshHeadingList/MeshHeading")
            for heading in _mesh(found)
        ],
        language=one(".//Language"),
        metadata={
            "volume": one(".//JournalIssue/Volume"),
            "issue": one(".//JournalIssue/Issue"),
            "pages": one(".//Pagination/MedlinePgn"),
            "issn": several(".//Journal/ISSN"),
            "types": several(".//PublicationTypeList/PublicationType"),
        },
    )


def _words(element: _Element) -> str:
    return " ".join("".join(str(piece) for piece in element.itertext()).split())


def _author(person: _Element) -> str:
    def one(tag: str) -> str:
        return " ".join((person.findtext(tag) or "").split())

    given = one("ForeName") or one("Initials")
    return one("CollectiveName") or ", ".join(part for part in (one("LastName"), given) if part)


def _mesh(heading: _Element) -> list[str]:
    name = " ".join((heading.findtext("DescriptorName") or "").split())
    qualifiers = [_words(found) for found in heading.iterfind("QualifierName")]
    return [f"{name}/{qualifier}" for qualifier in qualifiers] or [name]
