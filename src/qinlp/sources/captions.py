"""Captions with speakers: WebVTT (`<v Name>` or `Name:`) and SubRip.

Formats: https://www.w3.org/TR/webvtt1/ (parsed by webvtt-py) and
https://www.matroska.org/technical/subtitles.html#srt-subtitles (parsed by srt).
"""

from __future__ import annotations

import html
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.sources import labels
from qinlp.sources.text import load_text
from qinlp.sources.turns import Said, transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qinlp.records import Document, Rejected

Cue = tuple[float, str]
"""Seconds from the start, and the raw words with their tags."""
Lines = tuple[float, list[tuple[str, str]]]
"""Seconds from the start, and (voice, line) for every line."""

_VOICE = re.compile(r"<v(?:\.[^\s>]*)*\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[cbiuv]|ruby|rt|lang|font)\b[^>]*>|<\d[\d:.]*>|\{\\[^}]*\}", re.IGNORECASE)


def read_vtt(path: Path) -> Iterator[Document | Rejected]:
    """Yield the transcript in a WebVTT file.

    Raises:
        SourceError: the file is no WebVTT.
    """
    import webvtt
    from webvtt.errors import MalformedCaptionError, MalformedFileError

    text = load_text(path).lstrip()
    try:
        captions = webvtt.from_string(text).captions
    except (MalformedFileError, MalformedCaptionError, ValueError) as error:
        raise SourceError(f"{path}: not WebVTT ({error}); it begins with the line WEBVTT") from None
    yield _document(((float(one.start_in_seconds), one.raw_text) for one in captions), path, text)


def read_srt(path: Path) -> Iterator[Document | Rejected]:
    """Yield the transcript in a SubRip file.

    Raises:
        SourceError: the file holds no caption.
    """
    import srt

    text = load_text(path)
    try:
        captions = list(srt.parse(text, ignore_errors=True))
    except (ValueError, OverflowError) as error:  # a time beyond what a clock can show
        raise SourceError(f"{path}: not SubRip ({error}); correct the times") from None
    if not captions:
        raise SourceError(f"{path}: not SubRip (no line `00:00:01,000 --> 00:00:02,000`); export it again")
    yield _document(((one.start.total_seconds(), one.content) for one in captions), path, text)


def _document(cues: Iterable[Cue], path: Path, raw: str) -> Document | Rejected:
    """Put the cues together; a cue without a speaker goes on with the last one's."""
    found = _once([(at, list(_lines(words))) for at, words in cues])
    speakers = labels.find([line for _, lines in found for voice, line in lines if not voice])
    said: list[Said] = []
    speaker = ""
    for at, lines in found:
        for voice, line in lines:
            label = speakers.at(line) if speakers.lines > 1 and not voice else None
            speaker = voice or (label.name if label else speaker)
            said.append(Said(speaker, label.words if label else line.removeprefix("- "), at))
    return transcript(_flowing(said), str(path), title=path.stem, raw=raw.encode("utf-8", "replace"))


def _once(cues: list[Lines]) -> list[Lines]:
    """Drop the lines that rolling captions show again: where many cues begin with the last one."""
    rolling = sum(len(cue) > 1 and cue[:1] == before[-1:] for (_, before), (_, cue) in pairwise(cues))
    if len(cues) < 4 or rolling * 3 < len(cues):
        return cues
    last, kept = ("", ""), []
    for at, lines in cues:
        kept.append((at, [line for number, line in enumerate(lines) if number or line != last]))
        last = lines[-1] if lines else last
    return kept


def _flowing(said: list[Said]) -> Iterator[Said]:
    """Join what one speaker says in a row with spaces: captions break lines for the eye, not for sense."""
    at = 0
    while at < len(said):
        same = [said[at]]
        while at + len(same) < len(said) and said[at + len(same)].speaker == said[at].speaker:
            same.append(said[at + len(same)])
        yield Said(said[at].speaker, " ".join(one.words.replace("\n", " ") for one in same), said[at].seconds)
        at += len(same)


def _lines(words: str) -> Iterator[tuple[str, str]]:
    """Yield (voice, line) of one cue, which may hold several voices."""
    pieces = _VOICE.split(words)
    for voice, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        for line in html.unescape(_TAG.sub("", piece)).split("\n"):
            if line.strip():
                yield html.unescape(voice).strip(), line.strip()
