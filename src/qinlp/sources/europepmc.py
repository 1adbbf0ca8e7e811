"""Europe PMC: its search, and JSON saved from it (`resultList.result`, a list of results, or one result).

Format: https://europepmc.org/RestfulWebService, resultType `lite` or `core`.

A search counts days by FIRST_IDATE, when Europe PMC first indexed a record. That day never changes,
so what was read of a day stays read. UPDATE_DATE would bring revised records too, but nearly every
record is touched again and again (citations, links), and those that are read would move to later days.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceError
from qinlp.network import Garbled, Refused
from qinlp.records import Document, Rejected
from qinlp.sources.papers import Related, paper
from qinlp.sources.searching import Page, environment, json_object, one_record
from qinlp.sources.text import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from qinlp.network import Client

A_PAGE = 500
"""Results of one answer; Europe PMC gives up to 1000."""
LONG = 1500
"""Characters of a query that no longer goes into an address."""


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
            "epmc": name(result),
            "types": [text(kind) for kind in _list(result, "pubTypeList", "pubType")],
            "preprint": result.get("source") == "PPR" or None,
            "related": _related(result),
        },
    )


def count(client: Client, query: str, since: date, until: date) -> int:
    """Return how many records a query finds that were first indexed in these days."""
    return int(_ask(client, query, since, until, resultType="idlist", pageSize="1")["hitCount"])


def pages(client: Client, query: str, since: date, until: date) -> Iterator[Page]:
    """Yield the records that were first indexed in these days, until the cursor stands still."""
    cursor = "*"
    while True:
        answer = _ask(client, query, since, until, resultType="core", pageSize=str(A_PAGE), cursorMark=cursor)
        found = answer["resultList"]["result"]
        if found or cursor == "*":
            yield Page(tuple(_read(result) for result in found), answer["hitCount"])
        following = text(answer.get("nextCursorMark"))
        if not found or following in ("", cursor):
            return
        cursor = following


def reread(raw: bytes, record: str) -> Document | Rejected:
    """Read one result again from its JSON."""
    return one_record(lambda: document(json.loads(raw), "", record), record, raw)


def _ask(client: Client, query: str, since: date, until: date, **more: str) -> dict[str, Any]:
    long = len(query) > LONG
    return client.fetch(
        "searchPOST" if long else "search",
        {
            "query": f"({query}) AND (FIRST_IDATE:[{since} TO {until}])",
            "format": "json",
            "email": environment("QINLP_EMAIL"),
            **more,
        },
        _answer,
        post=long,
        asking=query,
    )


def _answer(body: bytes) -> dict[str, Any]:
    """Return an answer that has what the documentation promises; a refusal comes with status 200, too."""
    found = json_object(body)
    if "errMsg" in found or "errCode" in found:
        words = f"{text(found.get('errCode'))} {text(found.get('errMsg'))}".strip()
        raise Garbled(words) if words.startswith("5") else Refused(words)
    if not isinstance(found.get("hitCount"), int):
        raise Garbled(f"no hitCount in {body[:80]!r}", body)
    found["resultList"] = {"result": _list(found, "resultList", "result")}
    return found


def _read(result: Any) -> Document | Rejected:
    record = name(result) if isinstance(result, dict) else ""
    raw = json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")
    return one_record(lambda: document(result, "", record), record, raw)


def name(result: Mapping[str, Any]) -> str:
    """Return what Europe PMC calls a result: its source and number there, such as `PPR/PPR123`."""
    number = text(result.get("id"))
    return f"{text(result.get('source'))}/{number}" if number else ""


def _related(result: Mapping[str, Any]) -> list[Related]:
    """Return the other half of a preprint and its published paper, where the result names it."""
    kinds = {"preprint of": "preprint of", "preprint in": "published as"}
    found: list[Related] = []
    for one in _list(result, "commentCorrectionList", "commentCorrection"):
        kind = kinds.get(text(_object(one).get("type")).lower())
        number, source = text(_object(one).get("id")), text(_object(one).get("source"))
        if kind and number:
            found.append(
                {"type": kind, "id": f"pmid:{number}" if source == "MED" else f"epmc:{source}/{number}"}
            )
    return found


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
