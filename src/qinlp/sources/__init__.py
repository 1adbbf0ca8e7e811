"""Where documents come from: one module per kind of source, and the one dict that lists them.

A new kind of file is a module with `read` (and `recognises`, where its suffix is shared) and one
line in `READERS`. A new search is a module with `count`, `pages` and `reread` and one line in `SEARCHES`.
Reading never stops at a bad record: that is yielded as `Rejected`. A file that cannot be read as a
whole raises `SourceError`.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
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
from qinlp.sources.searching import Searched, environment
from qinlp.sources.text import head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qinlp.records import Document, Rejected

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

SEARCHES: dict[str, Searched] = {
    search.name: search
    for search in (
        Searched(
            "europepmc",
            "Europe PMC: PubMed, PubMed Central and preprints",
            "https://www.ebi.ac.uk/europepmc/webservices/rest",
            25_000,  # Europe PMC sets no bound; a window of that size is read in 50 answers
            lambda: 5.0,
            europepmc.count,
            europepmc.pages,
            europepmc.reread,
        ),
        Searched(
            "pubmed",
            "PubMed, through NCBI's E-utilities",
            "https://eutils.ncbi.nlm.nih.gov/entrez/eutils",
            pubmed.MOST,
            lambda: 10.0 if environment("NCBI_API_KEY") else 3.0,
            pubmed.count,
            pubmed.pages,
            pubmed.reread,
        ),
        Searched(
            "openalex",
            "OpenAlex: works of every field",
            "https://api.openalex.org",
            25_000,  # OpenAlex sets no bound; a window of that size is read in 250 answers
            lambda: 10.0,
            openalex.count,
            openalex.pages,
            openalex.reread,
        ),
    )
}
"""Every database that can be searched, by name."""

_NO_SOURCE = {".toml", ".duckdb", ".wal", ".qdpx"}
_NO_SOURCE_STEMS = {"readme", "license", "changelog", "cases", "participants"}
_UNFINISHED = {".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".swp"}
"""What browsers, editors and copying programs call a file until it is whole."""
_HIDDEN = re.compile(r"\.|~\$")
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def reader_for(path: Path) -> Reader:
    """Return the reader of a file: by its suffix, and by its beginning where several share that.

    Raises:
        SourceError: no reader has the suffix, or none of several recognises the file.
    """
    suffix = path.suffix.lower()
    candidates = [reader for reader in READERS.values() if suffix in reader.suffixes]
    if not candidates:
        raise SourceError(_unknown(path))
    if len(candidates) == 1:
        return candidates[0]
    beginning = head(path)
    for reader in candidates:
        if reader.recognises(beginning):
            return reader
    expected = " nor ".join(reader.about for reader in candidates)
    raise SourceError(f"{path}: neither {expected}; export it again, or as RIS")


def _unknown(path: Path) -> str:
    known = sorted({one for reader in READERS.values() for one in reader.suffixes})
    shown = f"suffix {path.suffix!r} is unknown" if path.suffix else "the file has no suffix"
    return f"{path}: {shown}; {nearest(path.suffix.lower(), known)} (or save it as .txt or .csv)"


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


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that stand at some paths."""

    files: tuple[Path, ...]
    """Those given by name, and those in given folders, sorted; none twice."""
    wrong: tuple[str, ...] = ()
    """Paths given that do not exist or are of no known kind, one line each."""
    closed: tuple[str, ...] = ()
    """Folders and files within that the system does not let us look at, one line each."""


def place(path: Path, folder: Path) -> str:
    """Name a file the same from wherever it is ingested: relative to the project, or absolute."""
    whole, home = path.resolve(), folder.resolve()
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else whole.as_posix()


def files_in(paths: Iterable[Path]) -> Listing:
    """List the files to read.

    In a folder, hidden files, what programs leave while they write (`x.part`, `~$x.docx`) and what is
    no source (a README, `cases.csv`, `qinlp.toml`, databases, QDA projects) are left out; a file of
    unknown suffix is logged as a warning. A link to a folder is followed, and no folder entered twice.
    """
    found: dict[Path, Path] = {}
    wrong: list[str] = []
    closed: list[str] = []
    for given in map(Path, paths):
        try:
            folder = stat.S_ISDIR(given.stat().st_mode)
        except OSError as error:
            gone = error.errno in _NOTHING_THERE
            wrong.append(f"{given}: no such file or folder; check the spelling" if gone else _shut(error))
            continue
        if folder:
            for path in _walk(given, closed):
                found.setdefault(path.resolve(), path)
        elif _known(given):
            found.setdefault(given.resolve(), given)
        else:
            wrong.append(_unknown(given))
    return Listing(tuple(found.values()), tuple(wrong), tuple(closed))


def _walk(folder: Path, closed: list[str]) -> list[Path]:
    found = []
    entered = set()
    for at, folders, names in os.walk(
        folder, onerror=lambda error: closed.append(_shut(error)), followlinks=True
    ):
        own = os.path.realpath(at)
        folders[:] = [] if own in entered else [name for name in folders if not _HIDDEN.match(name)]
        for name in () if own in entered else names:
            path = Path(at, name)
            try:
                if _is_source(path) and stat.S_ISREG(path.stat().st_mode):
                    found.append(path)
            except OSError as error:
                if error.errno not in _NOTHING_THERE:
                    closed.append(_shut(error))
        entered.add(own)
    return sorted(found)


def _shut(error: OSError) -> str:
    return f"{error.filename}: cannot be opened ({error.strerror}); check its permissions and the connection"


def _known(path: Path) -> bool:
    return any(path.suffix.lower() in reader.suffixes for reader in READERS.values())


def _is_source(path: Path) -> bool:
    suffix = path.suffix.lower()
    if _HIDDEN.match(path.name) or suffix in _NO_SOURCE | _UNFINISHED or suffix.endswith("~"):
        return False
    if path.stem.lower() in _NO_SOURCE_STEMS:
        return False
    if not _known(path):
        _log.warning("%s: passed over, suffix %r is unknown", path, path.suffix)
        return False
    return True
