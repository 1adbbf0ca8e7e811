"""PubMed: its search, and XML saved from it, one record at a time.

Format: https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/250101/. Entities are not resolved and nothing
is fetched. lxml's recovering parser goes on after a fault, so that a broken record of a file costs only
itself.

A search (E-utilities, https://www.ncbi.nlm.nih.gov/books/NBK25499/) counts days by Create Date [crdt],
when PubMed took the record in. Entry Date [edat] is set back to the publication of a paper that comes
more than a year late, and such papers would never be found
(https://www.nlm.nih.gov/pubs/techbull/nd08/nd08_pm_new_date_field.html). A search leaves its result on
the history server, and records are fetched from there; the PMIDs are known too, so that it is known which
one did not come, and they are asked for by name where the history has gone or an answer is broken.
"""

from __future__ import annotations

import io
import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceDown, SourceError
from qinlp.network import Garbled, Refused
from qinlp.records import Document, Rejected
from qinlp.sources import identifiers
from qinlp.sources.papers import Related, paper
from qinlp.sources.searching import Page, environment, json_object, one_record
from qinlp.sources.text import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from lxml.etree import _Element

    from qinlp.network import Client

_log = logging.getLogger(__name__)

MOST = 9_999
"""Records of one search that PubMed gives."""
A_PAGE = 200
"""Records of one answer."""
_OUTAGE = re.compile(r"backend|unavailable|timed? ?out|try again|server error", re.IGNORECASE)
_SERVER = re.compile(
    r"\W*(bioRxiv|medRxiv|arXiv|Res(earch)? Sq(uare)?|SSRN|ChemRxiv|PsyArXiv|Preprints|OSF|Authorea)\b",
    re.IGNORECASE,
)
"""How PubMed cites a paper on a preprint server: its name comes first."""

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
            "types": (types := several(".//PublicationTypeList/PublicationType")),
            "preprint": (preprint := "Preprint" in types) or None,
            "related": _related(element, preprint=preprint),
        },
    )


def _related(element: _Element, *, preprint: bool) -> list[Related]:
    """Return the other half of a preprint and its published paper, where the record names it.

    UpdateIn and UpdateOf link preprints, and also versions of a review; only the first are meant.
    """
    found: list[Related] = []
    for one in element.iterfind(".//CommentsCorrectionsList/CommentsCorrections"):
        cited = _words(source) if (source := one.find("RefSource")) is not None else ""
        pmid = _words(number) if (number := one.find("PMID")) is not None else ""
        doi = identifiers.doi(cited)
        other = f"pmid:{pmid}" if pmid else f"doi:{doi}" if doi else ""
        if not other:
            continue
        if preprint and one.get("RefType") == "UpdateIn":
            found.append({"type": "preprint of", "id": other})
        elif not preprint and one.get("RefType") == "UpdateOf" and _SERVER.match(cited):
            found.append({"type": "published as", "id": other})
    return found


def count(client: Client, query: str, since: date, until: date) -> int:
    """Return how many records a query finds that were created in these days."""
    return _search(client, query, since, until, 0)[0]


def pages(client: Client, query: str, since: date, until: date) -> Iterator[Page]:
    """Yield the records that were created in these days.

    Raises:
        SourceError: there are more than PubMed gives of one search.
    """
    told, pmids, history = _search(client, query, since, until, MOST)
    if told > MOST:
        raise SourceError(
            f"{client.host}: {query!r} finds {told:,} records from {since} to {until}, and PubMed gives the "
            f"first {MOST:,}; narrow the query, or part it in two searches"
        )
    for start in range(0, max(1, len(pmids)), A_PAGE):
        some = pmids[start : start + A_PAGE]
        stored = {**history, "retstart": str(start), "retmax": str(len(some))}
        yield Page(tuple(_fetch(client, query, some, stored)) if some else (), told)


def reread(raw: bytes, record: str) -> Document | Rejected:
    """Read one record again from its XML."""

    def read_one() -> Document | Rejected:
        from lxml import etree

        return _record(etree.fromstring(raw, _parser()), "", record)

    return one_record(read_one, record, raw)


def _ask(**more: str) -> dict[str, str]:
    return {
        "db": "pubmed",
        "tool": "qinlp",
        "email": environment("NCBI_EMAIL", "QINLP_EMAIL"),
        "api_key": environment("NCBI_API_KEY"),
        **more,
    }


def _search(
    client: Client, query: str, since: date, until: date, most: int
) -> tuple[int, list[str], dict[str, str]]:
    """Return how many records there are, the PMIDs of the first `most`, and where the history keeps them."""
    days = " : ".join(f'"{day:%Y/%m/%d}"[crdt]' for day in (since, until))
    asked = _ask(term=f"({query}) AND ({days})", retmode="json", retmax=str(most))
    if most:
        asked["usehistory"] = "y"
    return client.fetch("esearch.fcgi", asked, partial(_found, most), post=True, asking=query)


def _found(most: int, body: bytes) -> tuple[int, list[str], dict[str, str]]:
    found = json_object(body).get("esearchresult")
    if not isinstance(found, dict):
        raise Garbled(f"no esearchresult in {body[:80]!r}", body)
    if words := str(found.get("ERROR") or ""):
        raise Garbled(words) if _OUTAGE.search(words) else Refused(words)
    told, pmids = str(found.get("count")), found.get("idlist")
    if not told.isdecimal() or not isinstance(pmids, list) or len(pmids) < min(int(told), most):
        raise Garbled(f"no count or too few PMIDs in {body[:80]!r}", body)
    unknown = found.get("errorlist")
    if not most and isinstance(unknown, dict) and any(unknown.values()):
        _log.warning("PubMed does not know a part of the query and leaves it out: %s", unknown)
    history = {"WebEnv": str(found.get("webenv", "")), "query_key": str(found.get("querykey", ""))}
    return int(told), [str(pmid) for pmid in pmids], history


def _fetch(
    client: Client, query: str, pmids: Sequence[str], stored: dict[str, str]
) -> list[Document | Rejected]:
    """Return these records, which the history server keeps at `stored`.

    Where it does not, or the answer stays garbled, they are asked for by name: all, then their halves,
    and theirs, down to the record that it is about, which is rejected.
    """
    try:
        return _ask_for(client, query, pmids, stored)
    except SourceError as error:
        if _is_down(error):
            raise
        _log.warning("PubMed's history gives no usable answer, its records are asked for by name: %s", error)
    good: list[Document | Rejected] = []
    bad: list[Rejected] = []
    parts = [pmids]
    while parts:
        part = parts.pop()
        try:
            good += _ask_for(client, query, part, {"id": ",".join(part)}, tries=3)
        except SourceError as error:
            cause = error.__cause__
            if _is_down(error):
                raise
            if middle := len(part) // 2:
                parts += [part[middle:], part[:middle]]
                continue
            raw = cause.raw if isinstance(cause, Garbled) else b""
            bad.append(Rejected("", part[0], f"PubMed gives no usable record: {cause or error}", raw))
            if len(bad) > 3 and not good:  # not a record is broken, but the service
                raise
    place = {pmid: number for number, pmid in enumerate(pmids)}
    return sorted([*good, *bad], key=lambda one: place[one.record])


def _is_down(error: SourceError) -> bool:
    return isinstance(error, SourceDown) and not isinstance(error.__cause__, Garbled)


def _ask_for(
    client: Client, query: str, pmids: Sequence[str], which: dict[str, str], tries: int | None = None
) -> list[Document | Rejected]:
    asked = _ask(**which, retmode="xml")
    return client.fetch("efetch.fcgi", asked, partial(_records, pmids), post=True, asking=query, tries=tries)


def _records(pmids: Sequence[str], body: bytes) -> list[Document | Rejected]:
    """Return the records of an answer, which must hold each of these and be whole."""
    from lxml import etree

    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        raise Garbled(f"broken XML ({error})", body) from None
    if root.tag != "PubmedArticleSet":
        raise Garbled(f"no PubmedArticleSet but {body[:80]!r}", body)
    found = {
        " ".join(pmid.split()): element
        for element in root.iterchildren("PubmedArticle", "PubmedBookArticle")
        if (pmid := element.findtext("MedlineCitation/PMID") or element.findtext("BookDocument/PMID"))
    }
    if missing := [pmid for pmid in pmids if pmid not in found]:
        raise Garbled(f"{len(pmids) - len(missing)} of {len(pmids)} records, not {missing[0]}", body)
    return [
        one_record(partial(_record, found[pmid], "", pmid), pmid, etree.tostring(found[pmid]))
        for pmid in pmids
    ]


def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


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
