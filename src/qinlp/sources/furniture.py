# ruff: noqa: RUF001  # typographic dashes are what it looks for
"""The words of the sites that papers are pasted from: names of fields, headings, buttons, citations."""

from __future__ import annotations

import re

from qinlp.sources.text import vocabulary

_FIELDS = {
    "title": vocabulary("title, article title, document title"),
    "authors": vocabulary("""
        author, authors, author(s), by, creator, creators, contributors, author list, all authors
    """),
    "abstract": vocabulary("""
        abstract, summary, description, english abstract, abstract (english), article abstract,
        main abstract
    """),
    "foreign": vocabulary("""
        resumen, résumé, resume, zusammenfassung, resumo, riassunto, samenvatting, streszczenie, 摘要,
        sammendrag, sammanfattning, abstrakt, özet, 要旨, 초록, аннотация
    """),
    "keywords": vocabulary("""
        keywords, keyword, key words, author keywords, subjects, subject, subject terms, index terms,
        keywords (en)
    """),
    "mesh": vocabulary("mesh terms, mesh headings, mesh, medical subject headings, mesh term"),
    "journal": vocabulary("""
        journal, journal / book title, journal title, published in, source, publication,
        publication title, periodical, in journal, citation, is part of, source title
    """),
    "year": vocabulary("""
        date issued, date, publication date, published, published online, issue date, year,
        first published, publication year, date published, published date, date of publication,
        version of record, epub
    """),
    "doi": vocabulary("""
        doi, article doi, digital object identifier, url, link, identifier, identifiers, doi link, uri,
        permalink
    """),
    "pmid": vocabulary("pmid, pubmed id"),
    "pmcid": vocabulary("pmcid, pmc id, pmc"),
    "language": vocabulary("language"),
    "volume": vocabulary("volume, vol"),
    "issue": vocabulary("issue, number"),
    "pages": vocabulary("pages, page range, start page"),
    "issn": vocabulary("issn, eissn, issn-l"),
    "publisher": vocabulary("publisher"),
}
KINDS = {name: kind for kind, several in _FIELDS.items() for name in several}
"""The names that sites give a paper's fields, each with our own name."""
FURNITURE = vocabulary("""
    similar articles, cited by, references, publication types, grants and funding,
    linkout - more resources, full text sources, other literature sources, related information, medical,
    miscellaneous, research materials, substances, figures, tables, figures and tables, affiliations,
    affiliation, author information, authors information, conflict of interest statement,
    conflict of interest, conflicts of interest, competing interests, comment in,
    declaration of competing interest, declaration of interest, related articles, recommended articles,
    recommendations, related papers, related content, related publications, citing articles,
    cited by (0), cite this article, how to cite, supplementary material, supplementary information,
    supplementary data, supporting information, acknowledgements, acknowledgments, funding information,
    more from, people also read, section snippets, article info, about this article,
    rights and permissions, author contributions, data availability, data availability statement,
    permissions, copyright statement, license url, sponsor, grant number, publication status,
    date acceptance, file(s), type, bibtex, similar articles being viewed by others,
    explore related subjects, see also, contents, table of contents, footnotes, notes, associated data,
    erratum in, introduction, 1. introduction, 1 introduction, i. introduction, main text, full text,
    methods and materials, tldr, papers citing this, on this page, page navigation, navigate,
    full text links, change history, article metrics, altmetric, additional information,
    ethics declarations, graphical abstract, highlights, journal description, about the journal,
    journal information, collections, location, corresponding author, background citations,
    methods citations, results citations, paper information, topics, figures from this paper,
    cited by other articles, references & citations, similar papers, data, free full text, reviews,
    subject areas, plain language summary, department, school, faculty, appears in collections,
    files in this item, item type, license, access rights, extent, keywords plus
""")
"""Headings of what is not the paper: all under them is left out until a field's name."""
CHROME = re.compile(
    r"""
    (?:click|view|download|sign\ in|log\ ?in|subscribe|register|get\ access|buy|share|we\ use\ cookies
    |this\ site|skip\ to|access\ (?:through|provided)|show\ (?:more|less)|(?:read|see)\ more
    |see\ (?:all|abstract)|save|export|add\ to|create\ alert|follow|request|recommended|advertisement
    |all\ rights\ reserved|©|copyright|cookies|javascript|(?:open|free)\ access|full[ -]text
    |free\ pmc\ article|original\ (?:research|article|paper)|(?:research|review)\ article|article$|review$
    |research$|journal\ article$|published\ version$|pdf|expand|collapse|home|search|menu|browse|about
    |help|contact|back\ to|go\ to|(?:next|previous)\ article|corpus\ id|peer\ reviewed|check\ for\ updates
    |crossmark|\d[\d,]*\ (?:citations?|reads?|views?|accesses|altmetric|references)|figures?\ \d|cited?
    |metrics|citations?|tools|actions|formats|outline|rights|statistics|views|please\ use|author\ links
    |get\ rights|license|read\ full|discover|display\ options|this\ article|you\ (?:do\ not|don't)\ have
    |publication\ types?|research\ funded|article\ in|available\ online|e-?mail)\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a line of a site's own begins: buttons, menus, notices."""
MORE = re.compile(
    r"""\s*(?P<dots>…|\.\.\.)?\s*[\[(]?
    (?:click\ (?:here\ )?to\ (?:show|view|see|read).*|show\ (?:full\ )?(?:abstract|more)
    |(?:read|see|view)\ (?:more|(?:the\ )?full\ abstract)|expand\ abstract)[\])]?\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What a line that is cut short calls for at its end."""
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ISSUE = r"(?:\s*\((?P<issue>[^)]*)\))?"
_PAGES = r"(?P<pages>[\w–-]+)"
CITATIONS = (
    re.compile(  # J Name. 2024 Apr 25;24(1):528. doi: ...
        rf"(?P<journal>[A-Z][^;]{{2,120}}?)[.,:]\s*\(?{_YEAR}\b[^;:]{{0,30}}[;:]\s*(?P<volume>\w+)"
        rf"{_ISSUE}(?:\s*[:,]\s*{_PAGES})?.*"
    ),
    re.compile(  # J Name volume 15, Article number: 50 (2020)
        rf"(?:published in )?(?P<journal>[A-Z].{{2,120}}?),?\s+vol(?:ume|\.)\s*(?P<volume>\d+)"
        rf".{{0,80}}?\(?{_YEAR}\b.*",
        re.IGNORECASE,
    ),
    re.compile(  # Published in J Name 12 March 2020
        rf"published in\s+(?P<journal>[A-Z].{{2,120}}?)\s+(?:\d{{1,2}}\s)?(?:[A-Z][a-z]+\s)?{_YEAR}\b.*",
        re.IGNORECASE,
    ),
    re.compile(  # March 2020 · J Name 12(3):45-60   (authors, or nothing, before a bullet)
        rf"(?:.*[·•|]\s*)?(?:\w+\s)?{_YEAR}\s*[·•|]\s*(?P<journal>[A-Z].{{2,100}}?)\s*(?P<volume>\d+)?"
        rf"{_ISSUE}(?::\s*{_PAGES})?"
    ),
    re.compile(  # J Name, 12 Mar 2020, 15(3):50-60   |   J Name, 2020, 15(3), 50
        rf"(?:.*[·•|]\s*)?(?P<journal>[A-Z][^,;]{{2,100}}?),\s*(?:\d{{1,2}}\s)?(?:\w+\s)?{_YEAR}[,;]\s*"
        rf"(?:vol\.?\s*)?(?P<volume>\d+)\s*{_ISSUE}(?:\s*[:,]\s*(?:pp?\.?\s*)?{_PAGES})?.*",
        re.IGNORECASE,
    ),
)
"""How a line that cites a paper's place is written: by indexes, publishers, search engines, networks."""
