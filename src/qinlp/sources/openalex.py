"""JSON of OpenAlex: the `results` of a search, a list of works, or one work.

Format: https://docs.openalex.org/api-entities/works/work-object. Abstracts come as an inverted
index, word to places, and are put in order again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from qinlp.records import Document, Rejected
from qinlp.sources.europepmc import records, text
from qinlp.sources.papers import paper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def recognises(head: str) -> bool:
    """Tell OpenAlex JSON by its ids or by names that only it has."""
    return bool(
        re.search(r'openalex\.org/|"(?:abstract_inverted_index|authorships|publication_year)"\s*:', head)
    )


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the works in a JSON file.

    Raises:
        SourceError: the file is no JSON, or JSON of something else.
    """
    for number, work in enumerate(records(path, "results"), 1):
        yield document(work, str(path), str(number))


def document(work: Any, source: str, record: str) -> Document | Rejected:
    """Return one work as a document."""
    raw = json.dumps(work, ensure_ascii=False)
    if not isinstance(work, dict):
        return Rejected(source, record, "the work is no JSON object", raw.encode("utf-8", "replace"))
    ids = _inside(work, "ids")
    location, biblio = _inside(work, "primary_location"), _inside(work, "biblio")
    return paper(
        source,
        record,
        raw,
        title=text(work.get("title") or work.get("display_name")),
        abstract=in_order(work.get("abstract_inverted_index")),
        authors=[text(_inside(one, "author").get("display_name")) for one in _several(work, "authorships")],
        year=text(work.get("publication_year")) or text(work.get("publication_date")),
        journal=text(_inside(location, "source").get("display_name")),
        doi=text(work.get("doi"))
        or text(location.get("landing_page_url")) * ("doi.org" in text(location.get("landing_page_url"))),
        pmid=text(ids.get("pmid")),
        pmcid=text(ids.get("pmcid")),
        openalex=text(work.get("id")),
        keywords=[text(one.get("display_name")) for one in _several(work, "keywords")],
        mesh=[text(one.get("descriptor_name")) for one in _several(work, "mesh")],
        language=text(work.get("language")),
        metadata={
            "type": text(work.get("type")),
            "volume": text(biblio.get("volume")),
            "issue": text(biblio.get("issue")),
            "cited_by_count": work.get("cited_by_count"),
            "topics": [
                text(one.get("display_name")) for one in _several(work, "concepts") + _several(work, "topics")
            ],
        },
    )


def in_order(index: Any) -> str:
    """Return the abstract that an inverted index (`{"word": [0, 5]}`) spells, "" where there is none."""
    if not isinstance(index, dict):
        return ""
    placed = [
        (place, str(word))
        for word, places in index.items()
        if isinstance(places, list)
        for place in places
        if isinstance(place, int)
    ]
    return " ".join(word for _, word in sorted(placed))


def _inside(found: Any, key: str) -> dict[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def _several(found: Any, key: str) -> list[dict[str, Any]]:
    value = found.get(key) if isinstance(found, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
