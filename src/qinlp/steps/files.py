"""Files as they lie on a drive: where they are, whether they are at rest, what their bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from qinlp import sources
from qinlp.errors import QinlpError
from qinlp.passages import Segmentation, segment
from qinlp.records import Document, Passage, Rejected

RAW_BYTES = 1_000_000
"""The quarantine keeps so much of an unreadable file."""


@dataclass(frozen=True, slots=True)
class Look:
    """A file from outside: what changes when somebody writes to it. Equal looks: nobody did."""

    size: int
    mtime_ns: int
    inode: int
    at: datetime = field(compare=False)
    """When it was looked at."""

    @property
    def age(self) -> float:
        """Seconds since it was changed; 0 where its drive's clock is ahead of ours."""
        return max(0.0, self.at.timestamp() - self.mtime_ns / 1e9)


def look(path: Path) -> Look:
    """Look at a file.

    Raises:
        OSError: it is gone, or the system does not let us.
    """
    at = datetime.now(UTC)
    found = path.stat()
    return Look(found.st_size, found.st_mtime_ns, found.st_ino, at)


def unmoved(path: Path, before: Look) -> bool:
    """Tell whether a file is there and looks as before."""
    try:
        return look(path) == before
    except OSError:
        return False


def restless(young: Mapping[Path, Look], seconds: float) -> set[Path]:
    """Wait once until each file has been at rest for so many seconds; return those that changed."""
    if not young:
        return set()
    sleep(seconds - min(one.age for one in young.values()))
    return {path for path, before in young.items() if not unmoved(path, before)}


def gone(path: Path) -> bool:
    """Tell whether there is nothing at a path, which is more than not being let to look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Records:
    """The records of a file, each named by `place`; what stops the reader waits until the end is met.

    So the records before a fault in the middle of a file arrive, and a fault of a reader is a fault
    of its file alone.
    """

    def __init__(self, path: Path, place: str) -> None:
        self.path, self.place = path, place
        self.stopped: Exception | None = None
        """What ended the file before its end."""

    def __iter__(self) -> Iterator[Document | Rejected]:
        try:
            for record in sources.read(self.path):
                yield replace(record, source=self.place)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # a reader's fault must cost its file alone
            self.stopped = error

    @property
    def withheld(self) -> bool:
        """Whether the system did not give the bytes: it may next time."""
        error = self.stopped
        return isinstance(error, OSError) or (error is not None and isinstance(error.__cause__, OSError))

    @property
    def refusal(self) -> str:
        """Why the file was not read to its end, in a line; "" where it was."""
        error = self.stopped
        if error is None or isinstance(error, QinlpError):
            return "" if error is None else str(error)
        if isinstance(error, OSError):
            return f"{self.path}: cannot be read ({error.strerror or error}); it is tried again next time"
        return f"{self.path}: the reader failed ({_said(error)}); please report it"

    @property
    def whole(self) -> Rejected:
        """The file as an entry for the quarantine."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(RAW_BYTES)
        except OSError:
            raw = b""
        return Rejected(self.place, "", self.refusal.replace(str(self.path), self.place), raw)


def cut(document: Document, options: Segmentation) -> list[Passage] | Rejected:
    """Cut a document into passages; one that the cutting fails on goes to the quarantine with its text."""
    try:
        return segment(document, options)
    except Exception as error:  # noqa: BLE001  # one document must not stop the others
        reason = f"cutting it into passages failed ({_said(error)}); please report it"
        return Rejected(document.source, document.record, reason, document.text.encode("utf-8", "replace"))


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
