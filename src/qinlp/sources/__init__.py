"""Where documents come from: one module per kind of source, and the one dict that lists them.

A new kind of file is a module with `read` (and `recognises`, where its suffix is shared) and one
line in `READERS`. Reading never stops at a bad record: that is yielded as `Rejected`. A file that
cannot be read as a whole raises `SourceError`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qinlp.errors import SourceError, nearest
from qinlp.sources import (
    bibtex,
    captions,
    docx,
    endnote,
    europepmc,
    nbib,
    openalex,
    page,
    pdf,
    pubmed,
    ris,
    table,
    transcript,
)
from qinlp.sources.text import head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qinlp.records import Document, Rejected
    from qinlp.sources.searching import Searched

_log = logging.getLogger(__name__)


def _always(_head: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of file."""

    name: str
    suffixes: tuple[str, ...]
    about: str
    """What it reads, in a line, for people."""
    read: Callable[[Path], Iterator[Document | Rejected]]
    """Yield the records of a file; raise SourceError where it cannot be read as a whole."""
    recognises: Callable[[str], bool] = _always
    """Tell from the beginning of a file whether it is of this kind, among those that share its suffix."""


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (  # of those that share a suffix, the first that recognises the file reads it
        Reader(
            "ris",
            (".ris", ".txt"),
            "RIS: Zotero, EndNote, Scopus, Embase, Rayyan ...",
            ris.read,
            ris.recognises,
        ),
        Reader("nbib", (".nbib", ".medline", ".txt"), "PubMed's NBIB (MEDLINE)", nbib.read, nbib.recognises),
        Reader("pubmed", (".xml",), "PubMed XML", pubmed.read, pubmed.recognises),
        Reader("endnote", (".xml",), "EndNote XML", endnote.read, endnote.recognises),
        Reader("bibtex", (".bib", ".bibtex"), "BibTeX", bibtex.read),
        Reader(
            "europepmc", (".json",), "a result of Europe PMC's search", europepmc.read, europepmc.recognises
        ),
        Reader("openalex", (".json",), "works of OpenAlex", openalex.read, openalex.recognises),
        Reader(
            "table", (".csv", ".tsv", ".xlsx"), "tables of papers, or of interviews turn by turn", table.read
        ),
        Reader("vtt", (".vtt",), "WebVTT captions: Zoom, Teams, Stream ...", captions.read_vtt),
        Reader("srt", (".srt",), "SubRip captions", captions.read_srt),
        Reader("docx", (".docx",), "Word: a transcript, or pasted abstracts", docx.read),
        Reader("pdf", (".pdf",), "PDF with a text layer: a transcript, or a paper's abstract", pdf.read),
        Reader(
            "transcript",
            (".txt", ".md", ".markdown"),
            "text with speakers' names",
            transcript.read,
            transcript.recognises,
        ),
        Reader("page", (".txt", ".md", ".markdown"), "a pasted page or abstract", page.read),
    )
}
"""Every kind of file, by name."""

SEARCHES: dict[str, Searched] = {}
"""Every source that can be searched, by name."""

_NO_SOURCE = {".toml", ".duckdb", ".wal", ".qdpx"}
_NO_SOURCE_STEMS = {"readme", "license", "changelog", "cases", "participants"}


def reader_for(path: Path) -> Reader:
    """Return the reader of a file: by its suffix, and by its beginning where several share that.

    Raises:
        SourceError: no reader has the suffix, or none of several recognises the file.
    """
    suffix = path.suffix.lower()
    candidates = [reader for reader in READERS.values() if suffix in reader.suffixes]
    if not candidates:
        known = sorted({one for reader in READERS.values() for one in reader.suffixes})
        shown = f"suffix {path.suffix!r} is unknown" if suffix else "the file has no suffix"
        raise SourceError(f"{path}: {shown}; {nearest(suffix, known)} (or save it as .txt or .csv)")
    if len(candidates) == 1:
        return candidates[0]
    beginning = head(path)
    for reader in candidates:
        if reader.recognises(beginning):
            return reader
    expected = " nor ".join(reader.about for reader in candidates)
    raise SourceError(f"{path}: neither {expected}; export it again, or as RIS")


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the documents of a file, and the records that could not be read.

    Raises:
        SourceError: the file is missing, empty, broken as a whole, or of no known kind.
    """
    path = Path(path)
    if not path.is_file():
        kind = (
            "a folder; list its files with files_in" if path.is_dir() else "no such file; check the spelling"
        )
        raise SourceError(f"{path}: {kind}")
    return reader_for(path).read(path)


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files to read: those given, and those in given folders, sorted, none twice.

    In a folder, hidden files and what is no source (a README, `cases.csv`, `qinlp.toml`, databases,
    QDA projects) are left out; a file of unknown suffix is logged as a warning.

    Raises:
        SourceError: a path does not exist, or a file given by name has an unknown suffix.
    """
    found: dict[Path, Path] = {}
    for given in map(Path, paths):
        if given.is_dir():
            for path in sorted(given.rglob("*")):
                if path.is_file() and _is_source(path, given):
                    found.setdefault(path.resolve(), path)
        elif given.exists():
            if not _known(given):
                reader_for(given)  # raises, with the remedy
            found.setdefault(given.resolve(), given)
        else:
            raise SourceError(f"{given}: no such file or folder; check the spelling")
    return list(found.values())


def _known(path: Path) -> bool:
    return any(path.suffix.lower() in reader.suffixes for reader in READERS.values())


def _is_source(path: Path, root: Path) -> bool:
    hidden = any(part.startswith((".", "~$")) for part in path.relative_to(root).parts)
    if hidden or path.suffix.lower() in _NO_SOURCE or path.stem.lower() in _NO_SOURCE_STEMS:
        return False
    if not _known(path):
        _log.warning("%s: passed over, suffix %r is unknown", path, path.suffix)
        return False
    return True
