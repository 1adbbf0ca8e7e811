"""Document -> Passages: the spans that are encoded, coded, shown and judged.

Sentences are found by rules, in a blank spaCy pipeline: no model to download, to version or to
wait for, the same result everywhere, and a wrong boundary is one table row in the tests away from
being a right one. Statistical segmenters split "(p = .02). The" and unpunctuated speech worse
than they split newspapers.

The tokenizer keeps whitespace-separated chunks whole, apart from a stop that lacks its space
("care.Conclusions: We"); one component then asks at each stop whether it ends a sentence. Stops
differ in what they need to see next:

* after "?", "!" and an ordinary word's stop, anything but a closing quote or bracket with a
  lower-case word behind it (speech is often typed without capitals);
* after an ellipsis, a capital;
* after units, "etc.", "a.m.": a capital ("30 min. Patients");
* after "U.S.", "et al.", "Inc.", a single capital: a word that often opens a sentence
  ("the U.S. The aim", but "U.S. Department", "J. K. Smith");
* after titles, "e.g.", "vs.", "Fig.": nothing ends there; after "No.": nothing with a digit.

A line break ends a sentence, unless it is plainly a wrapped line; so does a bullet. The number of
a list item stays with the item, a citation ("improved.12", "care. [3]") with what it supports.

A passage of an abstract is one sentence, never across two sections; a label or fragment of less
than `min_words` words goes with the sentence after it. A passage of a transcript is some sentences
of one turn; a turn of less than `min_words` words ("Mm.", "Yes.") is none.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from qinlp.errors import ConfigError
from qinlp.records import Document, Passage, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spacy.language import Language
    from spacy.tokens import Doc

CONTEXT_WORDS = 60


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How documents are cut into passages."""

    turn_words: int = 60
    """A transcript's passage is whole sentences up to this many words; one sentence up to twice that."""
    min_words: int = 3
    """A turn shorter than this is no passage; a shorter sentence is joined to its neighbour."""

    def __post_init__(self) -> None:
        """Refuse options that no text could be cut by."""
        if self.turn_words < 10:
            raise ConfigError(f"turn_words is {self.turn_words}: give at least 10")
        if self.min_words < 0:
            raise ConfigError(f"min_words is {self.min_words}: give 0 or more")


def segment(document: Document, options: Segmentation = Segmentation()) -> list[Passage]:
    """Cut `document` into passages: in order, apart from each other, `text[start:end]` of the document."""
    cut = _abstract if document.kind == "abstract" else _transcript
    document_id, text_hash = document.keys[0], document.text_hash
    return [
        Passage(
            document_id=document_id,
            text_hash=text_hash,
            start=piece.start,
            end=piece.end,
            text=document.text[piece.start : piece.end],
            ordinal=ordinal,
            section=piece.section,
            speaker=piece.speaker,
            role=piece.role,
            context=piece.context,
        )
        for ordinal, piece in enumerate(cut(document, options))
    ]


def sentences(text: str, *, longest: int = 120) -> list[tuple[int, int]]:
    """Return the spans of the sentences of `text`, trimmed.

    A sentence of more than `longest` words, such as speech typed without stops, is cut into pieces
    of at most half of that: at a semicolon or dash, else a comma, else before a conjunction.
    """
    # A lone surrogate has no UTF-8, which spaCy hashes; the stand-in has the same length.
    clean = re.sub("[\ud800-\udfff]", "\ufffd", text)
    with _in_use:
        nlp = _pipeline()
        bounds = [(sentence.start_char, sentence.end_char) for sentence in nlp(clean).sents]
        if len(nlp.vocab) > 300_000:
            # spaCy keeps every word it ever met; its memory zones forget them, but at each text.
            _pipeline.cache_clear()
    spans = (_trimmed(text, start, end) for start, end in bounds)
    return [piece for start, end in spans if start < end for piece in _pieces(text, start, end, longest)]


class _Piece(NamedTuple):
    start: int
    end: int
    context: str
    section: str = ""
    speaker: str = ""
    role: Role | None = None


def _abstract(document: Document, options: Segmentation) -> Iterator[_Piece]:
    text, previous = document.text, ""
    bounds = {0, len(text)} | {at for section in document.sections for at in (section.start, section.end)}
    edges = sorted(at for at in bounds if 0 <= at <= len(text))
    for left, right in pairwise(edges):
        name = next((s.name for s in document.sections if s.start <= left and right <= s.end), "")
        for start, end in _packed(text, left, right, options.min_words, 0):
            parts = {"TITLE": document.title, "PREV": previous}
            context = " | ".join(f"{label}: {part}" for label, part in parts.items() if part)
            yield _Piece(start, end, context, section=name)
            previous = " ".join(text[start:end].split())


def _transcript(document: Document, options: Segmentation) -> Iterator[_Piece]:
    text, floor = document.text, 0
    before = question = ""
    if not document.turns:
        for start, end in _packed(text, 0, len(text), options.min_words, options.turn_words):
            yield _Piece(start, end, before)
            before = _tail(text[start:end])
    for turn in sorted(document.turns, key=lambda turn: turn.start):
        left, right = max(turn.start, floor), min(turn.end, len(text))
        floor = max(floor, right)
        if left >= right or _words(text[left:right]) < options.min_words:
            continue
        context = before if turn.role == "interviewer" else question or before
        for start, end in _packed(text, left, right, options.min_words, options.turn_words):
            yield _Piece(start, end, context, speaker=turn.speaker, role=turn.role)
        before = _tail(text[left:right])
        if turn.role == "interviewer":
            question = before


def _packed(text: str, left: int, right: int, fewest: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the sentences within the bounds, joined while they hold at most `most` words.

    What holds fewer than `fewest` goes with its successor, at the end with its predecessor.
    """
    packed: list[tuple[int, int, int]] = []
    for start, end in sentences(text[left:right], longest=2 * most or 120):
        count = _words(text[left + start : left + end])
        if packed and (packed[-1][2] + count <= most or packed[-1][2] < fewest):
            packed[-1] = (packed[-1][0], left + end, packed[-1][2] + count)
        else:
            packed.append((left + start, left + end, count))
    if len(packed) > 1 and packed[-1][2] < fewest:
        start, _, _ = packed[-2]
        packed[-2:] = [(start, packed[-1][1], packed[-2][2] + packed[-1][2])]
    return ((start, end) for start, end, count in packed if count)


def _words(text: str) -> int:
    return sum(any(map(str.isalnum, word)) for word in text.split())


def _tail(text: str) -> str:
    return " ".join(text.split()[-CONTEXT_WORDS:])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    body = text[start:end]
    return start + len(body) - len(body.lstrip()), start + len(body.rstrip())


def _lexicon(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CONJUNCTIONS = _lexicon(
    """
    and but so because or then which when where while although though if that
    """
)


def _pieces(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    words = [match.span() for match in re.compile(r"\S+").finditer(text, start, end)]
    most = longest // 2
    while len(words) > (longest if words[0][0] == start else most):
        latest = min(most, len(words) - most // 4)
        at = min(range(latest, most // 2, -1), key=lambda k: _looseness(text, words[k - 1], words[k]))
        yield words[0][0], words[at - 1][1]
        words = words[at:]
    yield words[0][0], end


def _looseness(text: str, before: tuple[int, int], after: tuple[int, int]) -> int:
    """Rank a cut between two words, the best at 0."""
    if text[before[1] - 1] in ";:\u2013\u2014\u2026-":
        return 0
    if text[before[1] - 1] == ",":
        return 1
    return 2 if text[slice(*after)].casefold() in _CONJUNCTIONS else 3


# The pipeline.

_in_use = Lock()  # the vocabulary and the tokenizer's cache are shared, and grow with each text

_LOWER, _UPPER = "a-z\u00df-\u00f6\u00f8-\u00ff", "A-Z\u00c0-\u00d6\u00d8-\u00de"
_CLOSERS = "\"'\u201d\u2019\u00bb)\\]}*\u2020\u300d\u300f\uff09"
_OPENERS = "\"'\u201c\u2018\u00ab([{*\u2013\u2014-\u00bf\u00a1"
_BULLETS = "\u2022\u25aa\u25ab\u25cf\u25e6\u25a0\u25a1\u2023\u27a2\uf0b7"
_MISSING_SPACE = re.compile(
    rf"(?:(?<=[{_UPPER}{_LOWER}][{_LOWER}][.?!])|(?<=[)\]%\"\u201d\d][.?!])|(?<=[.?!][)\]\"\u201d]))"
    rf"(?=[(\"\u201c]?[{_UPPER}](?:[{_LOWER}'\u2019]|[{_UPPER}](?:[{_UPPER}{_LOWER}]|$)|$))"
    rf"|(?<=[{_UPPER}]{{2}}[.?!])(?=[{_UPPER}][{_LOWER}])"
    r"|(?<=[\u3002\uff01\uff1f])(?![\u300d\u300f\uff09\u201d])"
)
_ADDRESS = re.compile(r".*(?:://|www\.|@).*")
_STOP = re.compile(
    rf"(?P<core>.*?)(?P<stop>[.?!\u2026\u3002\uff01\uff1f\u061f\u0964]+)(?P<close>[{_CLOSERS}]*)", re.DOTALL
)
_CITED = re.compile(
    rf"(?P<core>.*[{_LOWER}]{{3}}[{_CLOSERS}]*)\."
    r"(?:\[?\d{1,3}(?:[,\u2013-]\d{1,3})*\]?|[\u00b9\u00b2\u00b3\u2070-\u2079,\u207b]+)",
    re.DOTALL,
)
_CITATION = re.compile(r"\[\d{1,3}(?:[,\u2013-]\d{1,3})*\]")
_ITEM = re.compile(r"[(\[]?(?:\d{1,2}|[A-Za-z]|[ivx]{1,4})")
_BROKEN_NUMBER = re.compile(r"(?:.*[=<>\u2264\u2265])?0?", re.DOTALL)
_YEAR_OF_ISSUE = re.compile(r"\d{4}\W*[;:]")
_UNIT = re.compile(r".*[-\u2013/](?=[A-Za-z])|\d[\d.,]*(?=[A-Za-z])", re.DOTALL)
_SYMBOLS = ".,;:=+/|\\&%^_@\u00b1\u00d7"
_MIXED = re.compile(r"[a-z]{1,3}-?[A-Z\d]")

_NEVER = _lexicon(
    """
    dr drs prof mr mrs ms mx st mt messrs hon rev sgt capt lt col gen vs v e.g i.e eg ie cf viz ca
    approx fig figs eq eqs ref refs pp vol nr
    """
)
_BEFORE_NAMES = _lexicon(
    """
    al inc ltd co corp jr sr dept univ ed eds est incl excl resp tel ext jan feb apr aug sept sep oct
    nov dec ave blvd bros assoc spp sp subsp var sen gov pt sect chap govt intl natl max avg gmbh
    """
)
_BEFORE_LOWER = _lexicon(
    """
    etc a.m p.m min mins hr hrs sec secs wk wks mo mos yr yrs mg kg ml cm mm km lb lbs oz
    """
)
_STARTERS = _lexicon(
    """
    A About After All Also Although Among An And Another Any Are As At Based Because Before Between Both
    But By Compared Conclusion Conclusions Currently Data Despite Did Do Does During Each Even Eight
    Every Few Finally Findings First Five For Four From Furthermore Given Had Has Have He Her Here His
    How However I If In Interviews Is It Its Key Many Methods Moreover More Most My Nearly Nine No Not
    Now Of On Once One Only Or Our Over Overall Patients Participants Participation Results Secondary
    Seven Several She Since Six So Some Studies Such Ten That The Their Then There Therefore These They
    This Those Three Through Thus To Together Two Under Until Using We Well Were What When Where Whereas
    Whether Which While Who Why With Within Without Yet You Your Background Objective Objectives Aim
    Aims Setting Design Evidence Purpose Discussion Limitations Yeah Yes Okay
    """
)
_LETTERED = _lexicon(
    """
    vitamin vitamins hepatitis group groups type class grade stage arm phase part plan appendix table
    figure influenza section level option category model version hospital site cohort case
    """
)


@lru_cache(maxsize=1)
def _pipeline() -> Language:
    import spacy
    from spacy.language import Language
    from spacy.tokenizer import Tokenizer  # type: ignore[import-not-found]

    Language.component("qinlp_sentence_starts", func=_mark)
    nlp = spacy.blank("en")
    nlp.tokenizer = Tokenizer(nlp.vocab, infix_finditer=_MISSING_SPACE.finditer, token_match=_ADDRESS.match)
    nlp.add_pipe("qinlp_sentence_starts")
    nlp.max_length = sys.maxsize
    return nlp


def _mark(doc: Doc) -> Doc:
    """Set the sentence starts of `doc`."""
    import numpy as np

    before, word, gap = "", "", ""
    opens, line = True, 0
    marks = np.full(len(doc), -1, dtype=np.int64)
    for token in doc:
        text = token.text
        starts = False
        if text.isspace():
            gap += text
        else:
            breaks = len(f"{gap}.".splitlines()) - 1
            if not word:
                starts = True
            elif breaks:
                starts = breaks > 1 or not _wrapped(word, text, token.idx - line)
            elif text[0] in _BULLETS:
                starts = True
            elif _CITATION.fullmatch(text) and word.endswith("."):
                word = word[:-1] + text + "."
                continue
            else:
                starts = _ends(before, word, text, opens=opens)
            if breaks:
                line = token.idx
            before, word, gap, opens = word, text, "", starts
        if starts:
            marks[token.i] = 1
    return doc.from_array(["SENT_START"], marks.astype(np.uint64))  # type: ignore[arg-type]


def _wrapped(word: str, after: str, width: int) -> bool:
    """Tell whether a single line break is but the margin of a running sentence."""
    return width >= 50 and word[-1] not in ".?!:;" and after[0].islower()


def _ends(before: str, word: str, after: str, *, opens: bool) -> bool:
    """Tell whether a sentence ends with `word`; `opens`: whether it is also the sentence's first."""
    word = word[-80:]  # enough to judge by, and a rule of 10,000 dots takes no time
    bare = after.lstrip(_OPENERS) or after
    capital = bare[0].isupper() or _MIXED.match(bare) is not None
    if cited := _CITED.fullmatch(word):
        return capital and cited["core"].lstrip(_OPENERS).lower() not in _NEVER
    match = _STOP.fullmatch(word)
    if match is None:
        return False
    core, stop, close = match["core"].lstrip(_OPENERS), match["stop"], match["close"]
    if bare[0] in _SYMBOLS:
        return False
    if "\u2026" in stop or ".." in stop:
        return capital and re.match(r"I\b", bare) is None
    if stop != ".":
        # "MOVE! is", "HelpMeDoIt! prompted", and a "?" that once was a Greek letter.
        named = not core or (core.isalpha() and core[1:] != core[1:].lower())
        return capital or not bare[0].islower() or not (close or named)
    return _full_stop(before, core, bare, capital=capital, closed=bool(close), opens=opens)


def _full_stop(before: str, core: str, bare: str, *, capital: bool, closed: bool, opens: bool) -> bool:
    # "MS", "ED", "CF" in capitals are conditions and places.
    low = core if core.isupper() and len(core) > 1 and core.isalpha() else _UNIT.sub("", core).lower()
    opener = re.split(r"\W", bare, maxsplit=1)[0]
    opener = opener.capitalize() if opener.isupper() else opener
    starter = opener in _STARTERS or (capital and bare[-1] == ":")
    if low in _NEVER and not closed:
        return False
    if low in {"no", "nos", "NO"}:
        return not any(map(str.isdigit, bare))
    first = before[-1:] == ":" and low in {"1", "a", "i"}
    if (opens or first or before[-1:] in (";", ",")) and _ITEM.fullmatch(core) and not closed:
        return False
    if low in _BEFORE_LOWER:
        return capital
    if low in _BEFORE_NAMES or re.fullmatch(r"(?:[a-z]\.)+[a-z]", low) or low in {"ph.d", "m.sc", "b.sc"}:
        return starter or (closed and capital)
    if len(core) == 1 and core.isalpha():
        if before[-1:].isdigit():
            return capital
        return starter or closed or (capital and before.lower() in _LETTERED)
    if bare[0].isdigit() and (_BROKEN_NUMBER.fullmatch(core) or _YEAR_OF_ISSUE.match(bare)):
        return False
    if not capital and bare[0].islower() and re.fullmatch(r"\d{1,2}", core):
        return False
    return capital or not bare[0].islower() or not closed
