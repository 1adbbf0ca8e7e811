# ruff: noqa: RUF001  # wide and typographic punctuation ends sentences too
"""What was said by whom, from any kind of file, to one transcript Document."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qinlp.records import Document, Rejected, Role, Turn
from qinlp.sources.text import clean, squeezed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_INTERVIEWER = re.compile(
    r"interviewers?|entrevistador[ae]?s?|int[ée]rviewe(?:ur|use)|enqu[êe]t(?:eur|rice)|interviewerin|intervistatore"
    r"|moderator(?:in)?|moderadora?|facilitator|researcher|interviewing|chairing|host|co-?facilitator|questioner|question"
    r"|int(?:erv)?|mod|fac|[iq]|er|iv(?:er|r)?",
    re.IGNORECASE,
)
"""The words and letters that label the person who asks; a number may follow."""
_PARTICIPANT = re.compile(
    r"interviewees?|participants?|respondents?|informants?|patients?|carers?|caregivers?|speakers?|witness|answer|ee|unknown"
    r"|nurses?|doctors?|physicians?|clinicians?|managers?|parents?|female|male|man|woman|group|all|resp|part",
    re.IGNORECASE,
)
_TIMES = re.compile(r"(?:(?P<hours>\d{1,3}):)?(?P<minutes>\d{1,3}):(?P<seconds>\d{1,2}(?:[.,]\d{1,6})?)")
_STAMP = re.compile(r"\s*[\[(]\s*(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?\s*[\])]\s*")


@dataclass(frozen=True, slots=True)
class Said:
    """One stretch of speech as the file has it: paragraphs parted by newlines, "" for an unknown speaker."""

    speaker: str
    words: str
    seconds: float | None = None
    role: Role | None = None


def seconds(time: str) -> float | None:
    """Return the seconds of `1:02:03.5`, `02:03` or `123.5`, None where `time` is no time."""
    if found := _TIMES.search(time):
        hours, minutes = int(found["hours"] or 0), int(found["minutes"])
        return hours * 3600.0 + minutes * 60 + float(found["seconds"].replace(",", "."))
    number = re.fullmatch(r"\s*(\d{1,9}(?:\.\d+)?)\s*s?\s*", time)
    return float(number[1]) if number else None


def is_role_word(label: str) -> bool:
    """Tell whether a label names a part in an interview (`Interviewer 1`, `P03`, `Q`), not a person."""
    words = _words(label)
    ends = {words[0], words[-1]} if 0 < len(words) < 9 else set()
    return any(_INTERVIEWER.fullmatch(word) or _PARTICIPANT.fullmatch(word) for word in ends)


ASKING = ("interviewer", "interviewers", "moderator", "facilitator", "researcher")
ANSWERING = ("participants", "participant", "interviewee", "respondent")
"""Keys of the front matter that name speakers."""


def role_named(label: str) -> Role | None:
    """Return the role that a speaker's label says, None where it says none.

    `Interviewer 2`, `I`, `Q`, `Moderator (AB)` and the like ask. `Counsel` or a name says nothing:
    who asks is then told by the front matter, or everyone counts as a participant.
    """
    words = _words(label)
    if any(_PARTICIPANT.fullmatch(word) for word in words):
        return "participant"
    single = [word for word in words if len(word) > 1] or words[:1]
    if any(_INTERVIEWER.fullmatch(word) for word in single):
        return "interviewer"
    return None


def _words(label: str) -> list[str]:
    """Return the words of a label without numbers: `INTERVIEWER1`, `P-03` and `[I]` are one word each."""
    return [word for word in re.split(r"[\W\d_]+", label) if word]


def transcript(
    said: Iterable[Said],
    source: str,
    record: str = "",
    *,
    title: str = "",
    metadata: Mapping[str, Any] | None = None,
    raw: bytes = b"",
) -> Document | Rejected:
    """Return the document, or Rejected where nobody says anything.

    Text is `Speaker: words`, a blank line between turns; what one speaker says in a row is one turn.
    A speaker is an interviewer if the row says so, if `metadata` names them as `interviewer` (or
    `moderator`, `facilitator`), if `metadata` names the `participants` and they are not among them,
    or if the label says so.
    """
    metadata = dict(metadata or {})
    merged: list[Said] = []
    for raw_one in said:
        one = replace(raw_one, speaker=squeezed(raw_one.speaker).strip(" :."), words=_tidy(raw_one.words))
        if not one.words:
            continue
        last = merged[-1] if merged else None
        if last and last.speaker == one.speaker and last.role == one.role:
            merged[-1] = replace(last, words=joined([last.words, one.words]))
        else:
            merged.append(one)
    if not merged:
        return Rejected(source, record, "the transcript holds no words", raw)
    asking = named(metadata, *ASKING)
    answering = named(metadata, *ANSWERING) & {one.speaker.lower() for one in merged}
    turns, pieces, at = [], [], 0
    for one in merged:
        label = f"{one.speaker}: " if one.speaker else ""
        name = one.speaker.lower()
        role = one.role or ("interviewer" if name in asking else "participant" if name in answering else None)
        role = role or role_named(one.speaker) or ("interviewer" if answering and name else "participant")
        start = at + len(label)
        turns.append(Turn(one.speaker, role, start, start + len(one.words), one.seconds))
        pieces.append(label + one.words)
        at = start + len(one.words) + 2
    return Document(
        text="\n\n".join(pieces),
        kind="transcript",
        title=squeezed(title),
        turns=tuple(turns),
        language=str(metadata.pop("language", "")),
        metadata=metadata,
        source=source,
        record=record,
    )


def joined(paragraphs: Iterable[str]) -> str:
    """Join paragraphs by newlines, but a line broken within a sentence by a space."""
    text = ""
    for paragraph in paragraphs:
        if not text or not paragraph:
            text = text or paragraph
        elif re.match(r"(?:\d{1,2}[.)]|[-•*])\s", paragraph) or re.search(
            r"[.?!:…。？！][\"'”’)\]]*$", text[-9:]
        ):
            text += "\n" + paragraph
        else:
            text += " " + paragraph
    return text


def _tidy(words: str) -> str:
    """Squeeze every line and take out time stamps; `[inaudible]` and the like stay."""
    lines = (squeezed(_STAMP.sub(" ", line)) for line in clean(words).split("\n"))
    return joined(line for line in lines if line)


def named(metadata: Mapping[str, Any], *keys: str) -> frozenset[str]:
    """Return the speakers that front matter names under the keys, in lower case."""
    values = [value for key, value in metadata.items() if key.lower() in keys]
    several = [
        one
        for value in values
        for one in (value if isinstance(value, list) else re.split(r"[;,]", str(value)))
    ]
    return frozenset(squeezed(str(one)).lower() for one in several) - {""}
