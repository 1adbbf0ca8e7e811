"""OpenAlex: its search, and JSON saved from it (`results`, a list of works, or one work).

Format: https://developers.openalex.org/api-reference/works. Abstracts come as an inverted index, word
to places, and are put in order again.

A search counts days by publication: only paid plans may ask when OpenAlex took a work in. A work that
is taken in long after its publication is then found only if `overlap_days` of the search reaches back
so far; 90 and more are wise. Those with a paid plan set OPENALEX_DATES=created, and days count by
when OpenAlex made the record. Keys (OPENALEX_API_KEY) are free, and without one little is answered.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from qinlp.network import Garbled
from qinlp.records import Document, Rejected
from qinlp.sources import identifiers
from qinlp.sources.europepmc import records, text
from qinlp.sources.papers import Related, paper
from qinlp.sources.searching import Page, environment, json_object, one_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from qinlp.network import Client

A_PAGE = 100
"""Works of one answer, the most that OpenAlex gives."""
_FILTER = re.compile(r"[a-z][a-z_]*(\.[a-z_]+)*:\S")
"""How a filter begins: a field and a colon, no space. `title_and_abstract.search:...`"""


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
            "preprint": _is_preprint(work) or None,
            "related": _related(work),
        },
    )


def count(client: Client, query: str, since: date, until: date) -> int:
    """Return how many works a query finds in these days."""
    return int(_ask(client, query, since, until, per_page="1")["meta"]["count"])


def pages(client: Client, query: str, since: date, until: date) -> Iterator[Page]:
    """Yield the works of these days, until there is no next cursor."""
    cursor = "*"
    while cursor:
        answer = _ask(
            client, query, since, until, per_page=str(A_PAGE), sort="publication_date", cursor=cursor
        )
        if answer["results"] or cursor == "*":
            yield Page(tuple(_read(work) for work in answer["results"]), answer["meta"]["count"])
        cursor = text(answer["meta"].get("next_cursor")) if answer["results"] else ""


def reread(raw: bytes, record: str) -> Document | Rejected:
    """Read one work again from its JSON."""
    return one_record(lambda: document(json.loads(raw), "", record), record, raw)


def _ask(client: Client, query: str, since: date, until: date, **more: str) -> dict[str, Any]:
    """Ask in plain words, or with a filter where the query begins like one."""
    kind = "created" if environment("OPENALEX_DATES") == "created" else "publication"
    dates = f"from_{kind}_date:{since},to_{kind}_date:{until}"
    asked = {"filter": f"{query},{dates}"} if _FILTER.match(query) else {"search": query, "filter": dates}
    key = environment("OPENALEX_API_KEY")
    own = {"api_key": key, "mailto": environment("QINLP_EMAIL")}
    return client.fetch("works", {**asked, **own, **more}, _answer, asking=query)


def _answer(body: bytes) -> dict[str, Any]:
    found = json_object(body)
    if not isinstance(_inside(found, "meta").get("count"), int) or not isinstance(found.get("results"), list):
        raise Garbled(f"no meta.count or results in {body[:80]!r}", body)
    return found


def _read(work: Any) -> Document | Rejected:
    record = identifiers.openalex(text(work.get("id"))) if isinstance(work, dict) else ""
    raw = json.dumps(work, ensure_ascii=False).encode("utf-8", "replace")
    return one_record(lambda: document(work, "", record), record, raw)


def _is_preprint(work: dict[str, Any]) -> bool:
    return work.get("type") == "preprint" or _is_submitted(_inside(work, "primary_location"))


def _is_submitted(location: dict[str, Any]) -> bool:
    """Return whether a place where the work lies is a preprint server or the like."""
    return (
        location.get("version") == "submittedVersion"
        and _inside(location, "source").get("type") == "repository"
    )


def _related(work: dict[str, Any]) -> list[Related]:
    """Return the DOIs of other versions: published ones of a preprint, preprints of a published work."""
    own, preprint = identifiers.doi(text(work.get("doi"))), _is_preprint(work)
    found: dict[str, Related] = {}
    for location in _several(work, "locations"):
        doi = identifiers.doi(text(location.get("landing_page_url")))
        if not doi or doi == own:
            continue
        if preprint and location.get("version") == "publishedVersion":
            found[doi] = {"type": "preprint of", "id": f"doi:{doi}"}
        elif not preprint and _is_submitted(location):
            found[doi] = {"type": "published as", "id": f"doi:{doi}"}
    return list(found.values())


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
