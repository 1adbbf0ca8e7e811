"""The names of papers, bare and checked: DOI, PMID, PMCID, OpenAlex; and years and languages."""

from __future__ import annotations

import re
from urllib.parse import unquote

_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/[^\s\"<>\ud800-\udfff]+", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_LANGUAGES = {
    "english": "en", "eng": "en", "german": "de", "ger": "de", "deu": "de", "french": "fr", "fre": "fr",
    "fra": "fr", "spanish": "es", "spa": "es", "portuguese": "pt", "por": "pt", "italian": "it", "ita": "it",
    "dutch": "nl", "dut": "nl", "nld": "nl", "chinese": "zh", "chi": "zh", "zho": "zh", "japanese": "ja",
    "jpn": "ja", "korean": "ko", "kor": "ko", "polish": "pl", "pol": "pl", "russian": "ru", "rus": "ru",
    "turkish": "tr", "tur": "tr", "arabic": "ar", "ara": "ar", "danish": "da", "dan": "da", "swedish": "sv",
    "swe": "sv", "norwegian": "no", "nor": "no", "finnish": "fi", "fin": "fi", "persian": "fa", "per": "fa",
}  # fmt: skip


def doi(value: str) -> str:
    """Return the bare DOI in lower case (`10.1000/x.1`) found in `value`, or "" where there is none.

    The shape is the DOI handbook's: `10.`, a registrant of at least four digits, `/`, a suffix.
    Links (doi.org, percent-encoded) and a `doi:` prefix are taken off, and punctuation after it.
    """
    found = _DOI.search(unquote(value) if "%2f" in value.lower() else value)
    if not found:
        return ""
    bare = re.split(r"&\w+=|[?#]", found[0].lower())[0].rstrip(".,;:'”’*")  # noqa: RUF001  # a typographic quote it is
    for opening, closing in ("()", "[]", "{}"):
        while bare.endswith(closing) and bare.count(closing) > bare.count(opening):
            bare = bare[:-1].rstrip(".,;:")
    return bare


def pmid(value: str) -> str:
    """Return the digits of a PubMed id (`PMID: 123`, `.../pubmed/123`, `123`), or ""."""
    found = re.fullmatch(
        r"(?:.*?(?:pmid|pubmed|medline)\D{0,20})?0*([1-9]\d{0,8})(?:\.0)?/?", value.strip(), re.IGNORECASE
    )
    return found[1] if found else ""


def pmcid(value: str) -> str:
    """Return the PubMed Central id (`PMC123`) found in `value`, or ""."""
    found = re.search(r"(?<![A-Za-z])PMC\s?(\d{3,9})(?!\d)", value, re.IGNORECASE)
    return f"PMC{found[1]}" if found else ""


def openalex(value: str) -> str:
    """Return the OpenAlex work id (`W123`) found in `value`, or ""."""
    found = re.search(r"(?<![A-Za-z0-9])W(\d{3,12})(?!\d)", value, re.IGNORECASE)
    return f"W{found[1]}" if found else ""


def year(value: str) -> int | None:
    """Return the year in a date as any source writes it (`2014//`, `2019 Apr 3`), None if there is none."""
    found = _YEAR.search(value)
    return int(found[1]) if found else None


def language(value: str) -> str:
    """Return the two-letter code of a language name or three-letter code; what is unknown, in lower case."""
    first = re.split(r"[;,\s|]", value.strip().lower())[0]
    return _LANGUAGES.get(first, first)
