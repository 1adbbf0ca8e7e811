"""Transcripts in plain text and Markdown, and the lines that any other file is turned into.

No format is laid down anywhere for these; what is understood: labels as `labels` knows them, a
block of front matter (YAML between `---`, or `Site: ...` lines) on top, Markdown headings, rules,
stage directions in brackets or italics.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qinlp.sources import labels
from qinlp.sources.text import load_text, squeezed
from qinlp.sources.turns import ANSWERING, ASKING, Said, named, role_named, transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qinlp.records import Document, Rejected

_KEYS = re.compile(
    r"""(?P<key>title|site|wave|driver|date|interviewers?|interviewee|participants?|respondent|moderator
    |facilitator|location|setting|role|profession|organi[sz]ation|project|study|round|phase|duration
    |length|language|interview(?:\ id|\ no\.?|\ number)?|id|case|code|group|recorded|transcri(?:bed\ by|ber)
    |file|place|time|gender|sex|age|ward|hospital|country|region)\s*:\s*(?P<value>\S.{0,200})""",
    re.IGNORECASE | re.VERBOSE,
)
_SPEAKING = frozenset({"interviewer", "interviewee", "participant", "respondent", "moderator", "facilitator"})
_UNDERLINE = re.compile(r"\s*([=~^\-_*#+])\1{2,}\s*|\s*(?:[*\-_] ){2,}[*\-_]\s*")
_ASIDE = re.compile(r"\s*(\*[^*]+\*|_[^_]+_|\([^()]*\)|\*\([^()]*\)\*|\[[^\[\]]*\]|\*\*\[[^\]]*\]\*\*)[.\s]*")
_END = re.compile(
    r"\s*[*_\[(]*\s*(?:end|start|beginning) of (?:the )?(?:interview|transcript|recording|tape|session).*",
    re.IGNORECASE,
)
_PAGE = re.compile(r"^\W*(?:abstract\W*$|pmid\W|doi\s*:|keywords\W)", re.IGNORECASE | re.MULTILINE)
"""Lines that a page about a paper has and a transcript has not."""
_TIMED = re.compile(r"^(\d+:\d+:\d+)(?:[.,]\d+)? --> \S+\n(.{1,60})\n", re.MULTILINE)
"""Times, a name, words, on lines of their own: Teams' older download."""
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*|\*|__|_)(?=\S)([^*_\n]+?)(?<=\S)\1(?![\w*])")


def recognises(head: str) -> bool:
    """Tell a transcript by speakers' labels on several lines, or by front matter that names an interview."""
    metadata, lines, _ = _front_matter(head)
    if (_SPEAKING | {"participants", "interviewers"}) & {key.lower() for key in metadata}:
        return True
    found = labels.find(lines)
    asked = any(role_named(name) == "interviewer" for name in found.names)
    return found.convincing and (asked or not _PAGE.search(head))


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the one transcript that the file holds.

    Raises:
        SourceError: the file is no text.
    """
    yield from_text(load_text(path), str(path))


def from_text(text: str, source: str) -> Document | Rejected:
    """Return the transcript in `text`: front matter, headings and asides apart from what was said."""
    metadata, lines, first_heading = _front_matter(text.replace("\f", "\n"))
    speakers = labels.find(lines, named(metadata, *ASKING, *ANSWERING))
    said: list[Said] = []
    speaker, began, spoken = "", None, list[str]()

    def close() -> None:
        if spoken:
            said.append(Said(speaker, "\n".join(spoken), began))
            spoken.clear()

    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        label = speakers.at(line)
        if label:
            close()
            speaker, began = label.name, label.seconds
            spoken.append(_unmarked(label.words))
        elif heading := _heading(line, following, lines[number - 1] if number else ""):
            first_heading = first_heading or heading
            close()
        elif (
            line.strip()
            and not _UNDERLINE.fullmatch(line)
            and not _ASIDE.fullmatch(line)
            and not _END.fullmatch(line)
        ):
            if not said and not spoken and speakers.names and not speaker:
                first_heading = first_heading or (squeezed(_unmarked(line)) if len(line) < 120 else "")
                key = _KEYS.fullmatch(_unmarked(line).strip(" *"))
                if key:
                    metadata[key["key"].lower()] = squeezed(key["value"])
                else:
                    metadata.setdefault("preamble", []).append(squeezed(_unmarked(line)))
            else:
                spoken.append(_unmarked(line))
    close()
    title = str(metadata.pop("title", "") or first_heading or Path(source).stem)
    return transcript(said, source, title=title, metadata=metadata, raw=text.encode("utf-8", "replace"))


def _heading(line: str, following: str, before: str) -> str:
    """Return the words of a Markdown heading (`# words`, or words underlined on the next line), else ""."""
    if found := re.fullmatch(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*", line):
        return squeezed(_unmarked(found[1]))
    underlined = re.fullmatch(r"\s*([=\-^~])\1{2,}\s*", following) and not before.strip() and len(line) < 150
    return squeezed(_unmarked(line)) if underlined and line.strip() and not _UNDERLINE.fullmatch(line) else ""


def _unmarked(line: str) -> str:
    """Take Markdown's emphasis, quotation and list marks off a line."""
    return _EMPHASIS.sub(r"\2", re.sub(r"^\s*(?:>\s?)+", "", line))


def _front_matter(text: str) -> tuple[dict[str, Any], list[str], str]:
    """Return what stands above the talk: metadata, then the lines of the talk, and a heading above both."""
    text = _TIMED.sub(r"[\1] \2:\n", text.lstrip("\n"))
    if found := re.match(r"---[ \t]*\n(.{1,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", text, re.DOTALL):
        metadata = _yaml(found[1])
        if metadata:
            return metadata, text[found.end() :].split("\n"), ""
    lines = text.split("\n")
    metadata, heading, at = {}, "", 0
    while at < min(len(lines), 40):
        line = lines[at]
        found_key = _KEYS.fullmatch(_unmarked(line).strip(" *"))
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if found_key and not (found_key["key"].lower() in _SPEAKING and _spoken(found_key["value"])):
            metadata[found_key["key"].lower()] = squeezed(found_key["value"].strip(" *"))
        elif words := _heading(line, following, lines[at - 1] if at else ""):
            heading = heading or words
        elif line.strip() and not _UNDERLINE.fullmatch(line):
            break
        at += 1
    talk = lines[at:]
    named = len(metadata) > 1 and at and not lines[at - 1].strip() and not _recurs(metadata, talk)
    return (metadata, talk, heading) if set(metadata) - _SPEAKING or named else ({}, lines, "")


def _spoken(value: str) -> bool:
    return len(value.split()) > 8 or bool(re.search(r"[.?!…]$", value.strip()))


def _recurs(metadata: dict[str, Any], lines: list[str]) -> bool:
    """Tell whether a key is also a speaker's label further down, so that the line on top is a turn."""
    return any(
        re.match(rf"\W*{re.escape(key)}\W*:", line, re.IGNORECASE) for key in metadata for line in lines
    )


def _yaml(block: str) -> dict[str, Any]:
    """Read flat YAML, everything as text: a site called `No` or a wave `01` stays what it is."""
    import yaml

    try:
        found = yaml.load(block, Loader=yaml.BaseLoader)  # noqa: S506  # BaseLoader makes strings only
    except (yaml.YAMLError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, str):
            flat[squeezed(str(key)).lower()] = squeezed(value)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            flat[squeezed(str(key)).lower()] = [squeezed(one) for one in value]
    return flat
