# ruff: noqa: RUF001  # typographic dashes and wide colons are what it looks for
"""Who speaks: the labels at the start of lines, in all the shapes that transcripts give them.

A label is told from a word before a colon by its shape and by the file as a whole: names recur,
look like names, or say a role. `**Name**:` beats `Name:` where a file uses it throughout.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from qinlp.sources.abstracts import is_heading
from qinlp.sources.text import vocabulary
from qinlp.sources.turns import is_role_word, seconds

_TIME = r"[\[(]?\s*(?:\d{1,2}:\d{1,2}:\d{1,2}|\d{1,2}:\d{2})(?:[.,]\d{1,3})?\s*[\])]?"
_NAME = r"[^\W_](?:[^:\n\t\[\]{}<>*|=?!;]|\[[^\]\d]*\]){0,58}?"
_SHAPES = {
    "bold": re.compile(
        rf"\s*(?P<t1>{_TIME})?\s*(?P<mark>\*\*|__)\s*\[?(?P<name>{_NAME})\]?\s*(?P<t2>{_TIME})?\s*(?P<in>[:：]?)\s*(?P=mark)"
        rf"\s*(?P<t3>{_TIME})?\s*(?P<out>[:：]?)\s*(?P<words>.*)"
    ),
    "colon": re.compile(
        rf"\s*(?:>+|[-–•]\s|\d{{1,4}}[.)]?(?:\t+|\s{{2,}}))?\s*(?P<t1>{_TIME})?\s*[-–]?\s*\[?(?P<name>{_NAME})\]?\s*(?P<t2>{_TIME})?\s*[:：](?=\s|$|[^\W\d])"
        rf"\s*(?P<t3>{_TIME})?\s*(?P<words>.*)"
    ),
    "own line": re.compile(
        rf"\s*(?:(?P<t1>{_TIME})\s+\[?(?P<n1>{_NAME})\]?|\[?(?P<n2>{_NAME})\]?\s+(?P<t2>{_TIME}))\s*(?P<words>)"
    ),
    "dash": re.compile(rf"\s*(?P<name>{_NAME})\s+[-–—]\s+(?P<words>\S.*)"),
    "tab": re.compile(rf"(?P<name>{_NAME})\t+\s*(?P<words>\S.*)"),
}
_CODE = re.compile(r"[A-Z]{1,4}[ -]?\d{0,3}[A-Za-z]?")
_SMALL = vocabulary("""
    de da di van von der den del la le of the and or to for from at in el al bin ibn & y
""")
_NO_NAME = vocabulary("""
    and but so then he she it they we you this that these those is was are were said says say states
    note one two three first second third finally however because if when what which why how example
    question nb setting also topic now therefore furthermore again here there yes no ok okay well
    warning figure table box source sources doi pmid pmcid issn isbn url http https www email e-mail tel
    keywords keyword citation cite published publisher journal volume issue pages page authors author
    title type date year copyright licence license received accepted available affiliations affiliation
    correspondence mesh subjects editor epub abstract doctype status version rights references funding
    conflict conflicts ethics registration location project interview transcript file duration site wave
    driver round subject re cc bcc address phone fax tags topics website language languages quote code
    theme time recording recorded transcribed notes notice update purpose step part chapter section
    appendix annex
""")


@dataclass(frozen=True, slots=True)
class Label:
    """A speaker's label at the start of a line, and the words after it."""

    name: str
    words: str
    seconds: float | None
    shape: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The speakers of one file: names and the shapes their labels have."""

    shapes: frozenset[str]
    names: frozenset[str]
    lines: int
    """How many lines begin with a label."""
    convincing: bool
    """Whether the labels show a transcript: two lines at least, by name twice or by role."""

    def at(self, line: str) -> Label | None:
        """Return the label at the start of `line`, None where there is none."""
        return next(
            (one for one in _candidates(line) if one.shape in self.shapes and one.name in self.names), None
        )


def find(lines: list[str], named: frozenset[str] = frozenset()) -> Labels:
    """Find the speakers in the lines of a file, a caption file's cues or a document's paragraphs.

    `named` are speakers that the front matter names, in lower case: these need not recur.
    """
    candidates = [one for line in lines for one in _candidates(line)]
    by_look: set[str] = set()
    shapes = Counter(one.shape for one in candidates if _like_a_name(one.name))
    if shapes["bold"] > 2 and shapes["bold"] * 2 >= shapes["colon"]:
        candidates = [one for one in candidates if one.shape == "bold"]
        by_look = {one.name for one in candidates if _proper(one.name) and len(one.name.split()) < 5}
    elif shapes["own line"] > 2 and shapes["own line"] > shapes["colon"]:
        candidates = [one for one in candidates if one.shape == "own line"]
    elif shapes["colon"] > 1:
        candidates = [one for one in candidates if one.shape != "tab"]
    counts = Counter(one.name for one in candidates)
    strong = {
        name
        for name in counts
        if name.lower() in named
        or (_like_a_name(name) and (name in by_look or is_role_word(name) or _strong(name, counts[name])))
    }
    weak = {
        name
        for name in counts
        if name not in strong and _like_a_name(name) and _proper(name) and len(name) < 30
    }
    surely, maybe = (sum(counts[name] for name in some) for some in (strong, weak))
    spoken = sum(bool(line.strip()) for line in lines)
    line_by_line = strong and surely + maybe > max(2, 0.6 * spoken)
    names = strong | weak if line_by_line or (len(strong) > 1 and surely > 2) else strong
    kept = [one for one in candidates if one.name in names]
    convincing = len(kept) > 1 and (
        any(is_role_word(name) or name.lower() in named or counts[name] > 1 for name in names)
    )
    return Labels(frozenset(one.shape for one in kept), frozenset(names), len(kept), convincing)


def _candidates(line: str) -> list[Label]:
    """Return the labels that a line may begin with; only its beginning is looked at."""
    line = re.sub(r"\t+", "\t", re.sub(r" {2,}", "  ", line.strip()))
    start, rest = line[:160], line[160:]
    found = []
    for shape, pattern in _SHAPES.items():
        match = pattern.fullmatch(start) if start else None
        if match is None or (shape == "own line" and rest):
            continue
        groups = match.groupdict()
        time = next((groups[key] for key in ("t1", "t2", "t3") if groups.get(key)), None)
        name = " ".join((groups.get("name") or groups.get("n1") or groups.get("n2") or "").split())
        name = name.strip(" .,-–")
        colon = shape != "bold" or groups["in"] or groups["out"]
        if not colon and groups["words"] and len(name.split()) > 4:
            continue
        if name and (shape != "dash" or is_role_word(name)):
            found.append(Label(name, match["words"] + rest, seconds(time) if time else None, shape))
    return found


def _like_a_name(name: str) -> bool:
    words = name.split()
    lower = [word.strip("().,'’") for word in name.lower().split()]
    return (
        0 < len(words) <= 8
        and any(c.isalpha() for c in name)
        and not (is_heading(name) and not is_role_word(name))
        and not (
            lower[0] in _NO_NAME or (len(words) > 1 and _NO_NAME & set(lower) - {"one", "two", "three", "no"})
        )
        and not re.search(r"(?<!\b[A-Z])(?<!\b[DMSJ]r)(?<!\bMs)(?<!\bMrs)(?<!\bProf)(?<!\bSt)\.\s", name)
    )


def _strong(name: str, count: int) -> bool:
    words = name.split()
    if _CODE.fullmatch(name):
        return count > 1 or bool(re.search(r"\d", name)) or len(name) == 1
    return (_proper(name) and (count > 1 or 1 < len(words) < 6)) or (count > 2 and len(words) < 4)


def _proper(name: str) -> bool:
    words = [word for word in re.split(r"[\s-]+", name) if word.lower() not in _SMALL]
    return bool(words) and all(not word[0].islower() for word in words if word)
