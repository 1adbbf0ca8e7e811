"""One record of a paper, however a source names its fields, to a Document or a Rejected."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, TypedDict

from qinlp.records import Document, Rejected
from qinlp.sources import identifiers
from qinlp.sources.abstracts import Part, assembled, parts_of, plain
from qinlp.sources.text import clean, squeezed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEYWORDS = re.compile(
    r"(?:(?<=[.\n])[ \t]?|^)Key ?words?\s*:\s*(?P<terms>[^\n]{3,400}?)\s*\Z", re.IGNORECASE
)
"""Keywords at the end of the abstract, where some exports leave them."""
_INITIALS = re.compile(r"(?P<family>[^\W\d].*?[^\W\d])\.?,? (?P<initials>(?:[A-Z]\.?[ -]?){1,4})")


class Related(TypedDict):
    """The other half of a preprint and its published paper, an item of `Document.metadata["related"]`."""

    type: str
    """`preprint of`: this is the preprint of `id`. `published as`: `id` is a preprint, published as this."""
    id: str
    """`pmid:...`, `doi:...`, or `epmc:PPR/...` where Europe PMC's own number is all that is known."""


def paper(
    source: str,
    record: str,
    raw: bytes | str = b"",
    *,
    title: str = "",
    abstract: str | Iterable[Part] = "",
    authors: Iterable[str] = (),
    year: str = "",
    journal: str = "",
    doi: str = "",
    pmid: str = "",
    pmcid: str = "",
    openalex: str = "",
    keywords: Iterable[str] = (),
    mesh: Iterable[str] = (),
    language: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Document | Rejected:
    """Return the record as a Document, or Rejected where it has neither title nor abstract.

    An identifier or a year that is not one is no reason to lose a paper: it is kept as the source
    has it in `metadata`, under its own name. `raw` is the record's text, for the quarantine.
    `metadata` may say `preprint: True`, and list `related` records (`Related`).
    """
    if isinstance(abstract, str):
        if found_terms := _KEYWORDS.search(abstract):
            abstract = abstract[: found_terms.start()]
            keywords = [*keywords, *terms(found_terms["terms"].strip().rstrip("."))]
        abstract = parts_of(abstract)
    parts = list(abstract)
    text, sections = assembled(parts)
    title = squeezed(plain(title))
    if not title and not text:
        raw = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
        return Rejected(source, record, "the record has neither title nor abstract", raw)
    extra = {key: _storable(value) for key, value in (metadata or {}).items() if value not in ("", [], None)}
    found: dict[str, Any] = {
        "doi": identifiers.doi(doi),
        "pmid": identifiers.pmid(pmid),
        "pmcid": identifiers.pmcid(pmcid),
        "openalex": identifiers.openalex(openalex),
        "year": identifiers.year(year),
    }
    given = {"doi": doi, "pmid": pmid, "pmcid": pmcid, "openalex": openalex, "year": year}
    extra |= {name: squeezed(given[name]) for name in given if given[name].strip() and not found[name]}
    return Document(
        text=text,
        kind="abstract",
        title=title,
        authors=tuple(dict.fromkeys(author for name in authors if (author := _author(name)))),
        journal=squeezed(plain(journal)),
        keywords=_unique(keywords),
        mesh=_unique(mesh),
        language=identifiers.language(language),
        sections=sections,
        metadata=extra,
        source=source,
        record=record,
        **found,
    )


def names(value: str) -> list[str]:
    """Split a field of several authors: `['A, B', ...]`, `A, B; C, D`, `A B., C D.` or `A, B and C, D`."""
    if (listed := _listed(value)) is not None:
        return listed
    value = squeezed(value)
    if len(several := [name for name in re.split(r"\s*[;|]\s*", value) if name]) > 1:
        return several
    people = [name for name in re.split(r"\s*,\s*(?:and\s|&\s)?|\s+and\s+|\s+&\s+", value) if name]
    if len(people) > 1 and all(" " in name for name in people):
        return people
    if len(several := re.split(r"\s+and\s+(?=.+,)", value)) > 1:
        return several
    commas = [part for part in re.split(r"\s*,\s*(?:and |& )?", value) if part]
    if len(commas) > 2 and len(commas) % 2 == 0 and all(len(part) < 8 for part in commas[1::2]):
        return [f"{family}, {given}" for family, given in zip(commas[::2], commas[1::2], strict=True)]
    return re.split(r"\s+and\s+|\s*&\s*", value) if value else []


def terms(value: str) -> list[str]:
    """Split a field of several keywords at lines, semicolons or bars, else at commas outside brackets."""
    if (listed := _listed(value)) is not None:
        return listed
    separator = next((mark for mark in (r"\n", ";", r"\|") if re.search(mark, value)), r",(?![^()]*\))")
    return [term.strip() for term in re.split(separator, value)]


def _listed(value: str) -> list[str] | None:
    """Read a Python-like list, which data frames leave behind in a CSV file."""
    value = value.strip()
    if not (value.startswith("[") and value.endswith("]") and len(value) < 100_000):
        return None
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return [str(one) for one in found] if isinstance(found, list) else None


def _author(name: str) -> str:
    """Return `Family, Given`; `Liu R.` and `Wizrah M` are a family name and initials."""
    name = squeezed(plain(name)).strip(" ,;*")
    found = _INITIALS.fullmatch(name)
    return f"{found['family']}, {found['initials'].strip()}" if found and "," not in name else name


def _storable(value: Any) -> Any:
    """Return a value of the metadata without what no encoding can carry, such as JSON's lone surrogates."""
    if isinstance(value, str):
        return clean(value)
    return [_storable(one) for one in value] if isinstance(value, list) else value


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(squeezed(plain(value).replace("*", "")).strip(" ;,") for value in values)
    kept.pop("", None)
    return tuple(kept)
