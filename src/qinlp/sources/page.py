# ruff: noqa: RUF001  # typographic quotes, dashes and wide colons are what it looks for
"""Pages pasted into a text file: title, identifiers and one abstract out of a site's furniture.

A page is read line by line. A line is a field's name (`Author(s)`, `DOI: ...`), a citation, a list
of names, furniture, or prose; a field's name says what the lines under it are. What stands under
`Similar articles`, `References` or the name of something else is not this paper. Lines repeated,
cut short or in another script than the page are dropped. No site is known by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qinlp.records import folded
from qinlp.sources.abstracts import Part, is_heading, parts_of
from qinlp.sources.furniture import CHROME, CITATIONS, FURNITURE, KINDS, MORE
from qinlp.sources.papers import names, paper, terms
from qinlp.sources.text import load_text, squeezed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qinlp.records import Document, Rejected

_VOLUME = re.compile(r"volume\s+\d+.*?(?P<year>(?:19|20)\d\d).*", re.IGNORECASE)
_ID = re.compile(
    r"\b(?P<kind>PMID|PMCID|DOI)\s*[:：]\s*(?P<value>\S+)|(?P<url>https?://(?:dx\.)?doi\.org/\S+)",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\n[ \t]*(?:={5,}|-{5,})[ \t]*(?=\n|\Z)|\f")
_RULE = re.compile(r"\s*([=\-_*~^#])\1{2,}\s*")
_PERSON = re.compile(
    r"(?:(?:Dr|Prof|Professor|Mr|Mrs|Ms)\.?\s)?[^\W\d_a-z][\w'’.-]*"
    r"(?:\s(?:(?:van|von|der|den|de|da|di|del|la|le|bin|al|el|dos|ten)|[^\W\d_a-z][\w'’.-]*)){1,4}"
)
_END = re.compile(r"[.!?。…][\"'”’)\]]*$")


@dataclass
class _Page:
    """What the lines of one page turned out to be."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    title: str = ""
    abstract: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    def put(self, kind: str, value: str) -> None:
        if value:
            self.fields.setdefault(kind, []).append(value)

    def first(self, kind: str) -> str:
        return next(iter(self.fields.get(kind, ())), "")


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the papers of a file of pasted text: one, or several parted by lines of `=====` or `-----`.

    Raises:
        SourceError: the file is no text.
    """
    yield from of_text(load_text(path), str(path))


def of_text(text: str, source: str) -> Iterator[Document | Rejected]:
    """Yield the papers of pasted text: one, or one between each two rules."""
    pieces = list(_pieces(text))
    for number, piece in enumerate(pieces, 1):
        yield from_text(piece, source, str(number) if len(pieces) > 1 else "")


def from_text(text: str, source: str, record: str = "") -> Document | Rejected:
    """Return the one paper that a pasted page is about."""
    data, rest = _embedded(text)
    lines = _without_foreign([squeezed(line) for line in rest.split("\n") if not _RULE.fullmatch(line)])
    page = _Page()
    _walk(lines, page, headed=bool(data) or any(_kind(line)[0] == "abstract" for line in lines))
    parts = _once(page.abstract) or _once(page.prose if not data else []) or _once(page.foreign)
    if not parts and isinstance(data.get("abstract"), str):
        parts = parts_of(data["abstract"])
    journal = data.get("journal") or page.first("journal")
    metadata = {kind: page.first(kind) for kind in ("volume", "issue", "pages", "issn", "publisher")}
    end = next(iter(page.fields.get("end page", ())), "")
    metadata["pages"] = "-".join(part for part in (metadata["pages"], end) if part)
    return paper(
        source,
        record,
        text.strip(),
        title=str(data.get("title") or page.first("title") or page.title),
        abstract=parts,
        authors=_authors(data, page),
        year=str(data.get("publicationDate") or data.get("year") or page.first("year")),
        journal=str(journal.get("name", "") if isinstance(journal, dict) else journal),
        doi=str(data.get("doi") or "") or page.first("doi"),
        pmid=str(data.get("pmid") or "") or page.first("pmid"),
        pmcid=str(data.get("PMCID") or data.get("pmcid") or "") or page.first("pmcid"),
        keywords=[term for value in page.fields.get("keywords", ()) for term in _terms(value)],
        mesh=[re.sub(r"\s*\*", "", re.sub(r"\s*/\s*", "/", value)) for value in page.fields.get("mesh", ())],
        language=page.first("language"),
        metadata=metadata,
    )


def _pieces(text: str) -> Iterator[str]:
    """Split a file of several pages; a rule right under an unfinished line underlines it."""
    at = 0
    for rule in _SEPARATOR.finditer(text):
        before = text[at : rule.start()]
        if before.strip() and (rule[0] == "\f" or before.endswith("\n") or _END.search(before)):
            yield before
            at = rule.end()
    if text[at:].strip(" \n\t=-\f"):
        yield text[at:]


def _embedded(text: str) -> tuple[dict[str, Any], str]:
    """Take JSON objects out of the page; return the one that describes the paper, and the page without."""
    data: dict[str, Any] = {}
    at = 0
    while (start := text.find('{"', at)) >= 0:
        try:
            found, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        text = text[:start] + "\n" + text[end:]
        at = start
        if not data and {"title", "abstract", "doi"} & found.keys():
            data = found
    return data, text


def _without_foreign(lines: list[str]) -> list[str]:
    """Drop lines in another script than the page; a label among them becomes the end of what is above it."""
    shares = [
        (sum(c.isalpha() for c in line), sum(c.isalpha() and c > "\u024f" for c in line)) for line in lines
    ]
    letters, beyond = sum(all_ for all_, _ in shares), sum(other for _, other in shares)
    if beyond > 0.3 * letters:
        return lines
    return [
        "references" if all_ and other > 0.5 * all_ and line.strip(" :：").lower() not in KINDS else line
        for line, (all_, other) in zip(lines, shares, strict=True)
    ]


def _kind(line: str) -> tuple[str, str]:
    """Return the field that a line names ("furniture" for one that is not kept) and the value beside it."""
    bare = line.lstrip("-•*·–# ").strip()
    name = bare.rstrip(" :：").lower()
    if name in KINDS:
        return KINDS[name], ""
    if name in FURNITURE or re.fullmatch(
        r"(?:similar articles|cited by|references|citations) ?\(?\d*\)?", name
    ):
        return "furniture", ""
    before, colon, value = bare.partition(":") if ":" in bare else bare.partition("：")
    name = before.strip().lower()
    if colon and name in KINDS and not value.startswith("//"):
        return KINDS[name], value.strip()
    if colon and name in FURNITURE and not is_heading(name):
        return "furniture", value.strip()
    if name == "end page":
        return "end page", value.strip()
    return "", bare


def _walk(lines: list[str], page: _Page, *, headed: bool) -> None:
    """Sort the lines of a page into its fields."""
    state, own = "front", True
    for number, line in enumerate(lines):
        kind, value = _kind(line)
        if state in ("abstract", "foreign") and kind == "furniture" and is_heading(line.strip(" :")):
            started = page.abstract if state == "abstract" else page.foreign
            kind, value = ("", line) if len(" ".join(started).split()) < 15 else (kind, value)
        if kind == "furniture" and state == "front" and not page.title and not page.abstract:
            continue  # a menu above the paper
        if kind == "furniture":
            own = own and not re.match(
                r"similar|cited|references|related|recommended|citing|people", line, re.IGNORECASE
            )
            state = kind
        elif kind in ("doi", "pmid", "pmcid") and own and _ID.search(line):
            _citation(line, page)
            state = "front"
        elif kind and own:
            state = kind
            if value and kind not in ("abstract", "foreign"):
                page.put(kind, value)
                state = "authors" if kind == "authors" else "front"
            elif value:
                (page.abstract if kind == "abstract" else page.foreign).append(value)
        elif kind == "abstract":  # a page that shows other papers first
            state, own = "abstract", True
        elif line:
            state = _line(line, lines[number + 1 : number + 4], page, state, own=own, headed=headed)
        elif state == "front":
            page.prose.append("")


def _line(line: str, following: list[str], page: _Page, state: str, *, own: bool, headed: bool) -> str:
    """Put one line where it belongs under `state`; return the state after it."""
    if state == "furniture":
        return state
    if state in ("abstract", "foreign"):
        started = page.abstract if state == "abstract" else page.foreign
        if _ends_abstract(line, started):
            return "furniture"
        if not _is_chrome(line):
            started.append(line)
        return state
    if state not in ("front", "furniture"):
        if _is_chrome(line) or _ID.search(line):
            _citation(line, page)
            return "front"
        page.put(state, line.lstrip("-•*· "))
        return state if state in ("keywords", "mesh", "authors") else "front"
    if own and _citation(line, page):
        return state
    if _is_chrome(line):
        return state
    if (
        not page.title
        and folded(line) != folded(page.first("journal"))
        and not any(page.prose)
        and _is_title(line, following, headed=headed)
    ):
        page.title = line
    elif folded(line) in (folded(page.title), folded(page.first("journal"))):
        pass
    elif page.title and not page.fields.get("authors") and (people := _people(line)):
        page.fields["authors"] = people
    else:
        page.prose.append(line)
    return state


def _is_chrome(line: str) -> bool:
    return (
        bool(CHROME.match(line))
        and len(line.split()) < 16
        and not (_END.search(line) and len(line.split()) > 11)
    )


def _ends_abstract(line: str, started: list[str]) -> bool:
    """Tell a label of the page from a line of the abstract: short, no sentence, after a full stop."""
    short = len(line.split()) < 6 and line[0].isupper() and not re.search(r"[.!?,;:：]$", line)
    return bool(short and started and _END.search(started[-1]) and not is_heading(line))


def _citation(line: str, page: _Page) -> bool:
    """Take identifiers and a journal citation out of a line; tell whether that is what the line is."""
    found = False
    for match in _ID.finditer(line):
        kind = (match["kind"] or "doi").lower()
        page.put(kind, match["value"] or match["url"])
        found = True
    if found and len(_ID.sub("", line).split()) < 3:
        return True
    if len(line.split()) < 45 and not _END.search(line.split(". ", maxsplit=1)[0]):
        for pattern in CITATIONS:
            if citation := pattern.fullmatch(line):
                for name, value in citation.groupdict().items():
                    page.put(name, (value or "").strip(" ."))
                return True
    if volume := _VOLUME.match(line):  # under the journal's name, which looked like a title
        page.put("year", volume["year"])
        if page.title and len(page.title.split()) < 9:
            page.put("journal", page.title)
            page.title = ""
        return True
    return found and len(line.split()) < 45


def _is_title(line: str, following: list[str], *, headed: bool) -> bool:
    words = line.split()
    if not 1 < len(words) < 46 or len(re.findall(r"[.!?]\s+[A-Z]", line)) > 0 or line.endswith((",", ";")):
        return False
    if headed:
        return True
    below = [one for one in following if one]
    if not below or len(words) > 35:
        return not below and not _END.search(line)
    wrapped = following[0][:1].islower()
    return not wrapped and (
        not line.endswith(".") or following[0] == "" or len(below[0].split()) > 2 * len(words)
    )


def _people(line: str) -> list[str]:
    """Return the names in a line that holds nothing but two or more names, else []."""
    bare = re.sub(
        r"[\d*†‡§¶#✉]+|(?<=\s)[a-z](?=\s*(?:[,;]|$|\s[a-z]\b))|(?<=\s)(?:PhD|MD|RN|MSc|MPH|BSc|FRCP)\b",
        " ",
        line,
    )
    several = [squeezed(part).strip(" .") for part in re.split(r"\s*[,;·•|]\s*|\s+and\s+|\s+&\s+", bare)]
    several = [part for part in several if len(part) > 1]
    if len(several) > 1 and len(line) < 1500 and all(_PERSON.fullmatch(part) for part in several):
        return several
    return []


def _authors(data: dict[str, Any], page: _Page) -> list[str]:
    given = data.get("authors") or data.get("author")
    if isinstance(given, str):
        return names(given)
    if isinstance(given, list):
        return [str(one.get("name") or "") if isinstance(one, dict) else str(one) for one in given]
    found = []
    for value in page.fields.get("authors", ()):
        bare = re.sub(r"[\d*†‡§¶✉]+", " ", value)
        found += [value] if re.fullmatch(r"[^,;]+, (?:\S+\.?|[^\W\d]+(?: [A-Z]\.?)*)", value) else names(bare)
    return found


def _terms(value: str) -> list[str]:
    return [term.strip(" .") for term in (terms(value) if re.search("[;,|·•]", value) else [value])]


def _once(lines: list[str]) -> list[Part]:
    """Return the parts of an abstract's lines: each sentence once, furniture and leads cut short left out."""
    lines = [line for line in lines if line]
    whole = [folded(line) for line in lines]
    kept, seen = list[str](), set[str]()
    for number, line in enumerate(lines):
        key, bare = whole[number], MORE.sub(lambda found: found["dots"] or "", line)
        cut = folded(bare) if bare != line or bare.endswith(("…", "...")) else ""
        if cut and any(other.startswith(cut) for place, other in enumerate(whole) if place != number):
            continue
        if key in seen and len(key.split()) > 3:
            continue
        seen.add(key)
        if bare.strip(" …."):
            kept.append(bare)
    text, last = "", ""
    for line in kept:  # a line broken within a sentence goes on, a heading stays alone
        alone = is_heading(line) or is_heading(last) or _END.search(last[-9:])
        text += (("\n" if alone else " ") if last else "") + line
        last = line
    parts, said = [], list[str]()
    for name, words in parts_of(text):
        sentences = re.split(r"(?<=[.!?])\s+", squeezed(words))
        fresh = []
        for sentence in sentences:
            key = folded(sentence)
            if len(key.split()) > 5 and any(key in earlier for earlier in said[-300:]):
                continue
            said.append(key)
            fresh.append(sentence)
        if fresh:
            parts.append((name, " ".join(fresh)))
    if sum(len(words.split()) for _, words in parts) < 8 and not any(name for name, _ in parts):
        return []
    return parts
