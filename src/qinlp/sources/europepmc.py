"""JSON of Europe PMC's search: `resultList.result`, a list of results, or one result.

Format: https://europepmc.org/RestfulWebService, resultType `lite` or `core`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceError
from qinlp.records import Document, Rejected
from qinlp.sources.papers import paper
from qinlp.sources.text import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def recognises(head: str) -> bool:
    """Tell a Europe PMC answer by names that only it has."""
    return bool(re.search(r'"(?:resultList|authorString|abstractText|firstPublicationDate)"\s*:', head))


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the results in a JSON file.

    Raises:
        SourceError: the file is no JSON, or JSON of something else.
    """
    for number, result in enumerate(records(path, "resultList", "result"), 1):
        yield document(result, str(path), str(number))


def records(path: Path, *keys: str) -> list[Any]:
    """Return the list at `keys` in a JSON file, the file's own list, or its one object as a list.

    Raises:
        SourceError: the file is no JSON, or has nothing there.
    """
    try:
        found: Any = json.loads(load_text(path))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: broken JSON ({error}); download it again") from None
    for key in keys:
        if isinstance(found, dict) and key in found:
            found = found[key]
    if isinstance(found, dict) and "title" in found:
        found = [found]
    if not isinstance(found, list):
        raise SourceError(
            f"{path}: no list of papers at {'.'.join(keys)!r} in this JSON; save the whole answer"
        )
    return found


def document(result: Any, source: str, record: str) -> Document | Rejected:
    """Return one result of the search as a document."""
    raw = json.dumps(result, ensure_ascii=False)
    if not isinstance(result, dict):
        return Rejected(source, record, "the result is no JSON object", raw.encode("utf-8", "replace"))
    info = _object(result.get("journalInfo"))
    people = _list(result, "authorList", "author")
    named = [_person(person) for person in people] or re.split(
        r"\s*,\s+", text(result.get("authorString")).rstrip(".")
    )
    number = text(result.get("id"))
    return paper(
        source,
        record,
        raw,
        title=text(result.get("title")),
        abstract=text(result.get("abstractText")),
        authors=[name for name in named if name],
        year=text(result.get("pubYear")) or text(result.get("firstPublicationDate")),
        journal=text(_object(info.get("journal")).get("title")) or text(result.get("journalTitle")),
        doi=text(result.get("doi")),
        pmid=text(result.get("pmid")) or (number if result.get("source") == "MED" else ""),
        pmcid=text(result.get("pmcid")) or (number if number.startswith("PMC") else ""),
        keywords=[text(word) for word in _list(result, "keywordList", "keyword")],
        mesh=[
            text(one.get("descriptorName"))
            for one in _list(result, "meshHeadingList", "meshHeading")
            if isinstance(one, dict)
        ],
        language=text(result.get("language")),
        metadata={
            "volume": text(info.get("volume") or result.get("journalVolume")),
            "issue": text(info.get("issue") or result.get("issue")),
            "pages": text(result.get("pageInfo")),
            "epmc": f"{text(result.get('source'))}/{number}" if number else "",
        },
    )


def text(value: Any) -> str:
    """Return a JSON value as text, "" for one that is missing or no text or number."""
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(result: Mapping[str, Any], *keys: str) -> list[Any]:
    found: Any = result
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def _person(person: Any) -> str:
    one = _object(person)
    family, given = text(one.get("lastName")), text(one.get("firstName")) or text(one.get("initials"))
    return ", ".join(part for part in (family, given) if part) or text(
        one.get("collectiveName") or one.get("fullName")
    )
