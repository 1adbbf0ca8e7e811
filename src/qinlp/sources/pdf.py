"""PDF with a text layer, read by pypdf: running heads and page numbers dropped, broken words joined."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.sources.docx import of_lines
from qinlp.sources.text import clean, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qinlp.records import Document, Rejected

_NUMBER = re.compile(r"\W*(?:page\s*)?\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?\W*", re.IGNORECASE)


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the transcript in a PDF, or the paper where nobody speaks.

    Raises:
        SourceError: the file is no PDF, is locked, or has no text layer.
    """
    raw = load(path)
    try:
        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it grumbles at, we say in our error
        file = pypdf.PdfReader(io.BytesIO(raw))
        locked = file.is_encrypted and not file.decrypt("")
        pages = [] if locked else [clean(one.extract_text() or "").split("\n") for one in file.pages]
    except Exception as error:  # noqa: BLE001  # pypdf raises whatever a broken file makes it stumble over
        raise SourceError(
            f"{path}: not a PDF that can be read ({error!r}); save it again, or as .txt"
        ) from None
    if locked:
        raise SourceError(f"{path}: locked with a password; save a copy without one")
    lines = _whole_words(_without_running_heads(pages))
    if not any(line.strip() for line in lines):
        raise SourceError(
            f"{path}: no text layer, only pictures; recognise the text first (OCR, e.g. ocrmypdf)"
        )
    yield from of_lines(lines, path)


def _without_running_heads(pages: list[list[str]]) -> list[str]:
    """Drop page numbers, and lines at the top or bottom that come again on half of the pages."""
    pages = [[line.strip() for line in page if line.strip()] for page in pages]

    def alike(line: str) -> str:  # digits aside
        return re.sub(r"\d+", "0", line).lower()

    edges = Counter(key for page in pages for key in {alike(line) for line in page[:2] + page[-2:]})
    often = {key for key, count in edges.items() if count > 1 and count * 2 > len(pages) and len(key) < 120}
    kept = []
    for page in pages:
        for number, line in enumerate(page):
            edge = number < 2 or number >= len(page) - 2
            if not (edge and (alike(line) in often or _NUMBER.fullmatch(line))):
                kept.append(line)
    return kept


def _whole_words(lines: list[str]) -> list[str]:
    """Join a word that a hyphen breaks at the end of a line."""
    joined: list[str] = []
    for line in lines:
        if joined and re.search(r"[a-z]-$", joined[-1]) and line[:1].islower():
            word, _, rest = line.partition(" ")
            joined[-1] = joined[-1][:-1] + word
            line = rest  # noqa: PLW2901  # the rest of the line
        joined.append(line)
    return joined
