"""Files and folders become documents and passages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from qinlp import __version__, sources
from qinlp.config import Config
from qinlp.errors import SourceError
from qinlp.passages import Segmentation, segment
from qinlp.records import Document, Rejected
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, pending

DOCUMENTS_A_BATCH = 500
RAW_BYTES = 1_000_000
"""The quarantine keeps so much of an unreadable file."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What `ingest` did."""

    files: int = 0
    unchanged: int = 0
    """Files that were read to their end before and have not changed."""
    records: int = 0
    arrived: append.Arrived = field(default_factory=append.Arrived)
    quarantined: int = 0
    """Records and files that could not be read, new in the quarantine."""
    refused: tuple[str, ...] = ()
    """Whole files that could not be read, one line each."""

    def __add__(self, other: Ingested) -> Ingested:
        """Return both together."""
        return Ingested(
            self.files + other.files, self.unchanged + other.unchanged, self.records + other.records,
            self.arrived + other.arrived, self.quarantined + other.quarantined, self.refused + other.refused,
        )  # fmt: skip


def ingest(config: Config, paths: Sequence[Path], watch: Watch = unwatched) -> Ingested:
    """Read files and folders into documents and passages.

    A file that was read before and has not changed is left alone. A record that cannot be read
    goes to the quarantine, as does a whole file; the rest goes on.

    Raises:
        SourceError: a path does not exist, or a file given by name is of an unknown kind.
    """
    store = Store(config.database_path)
    options = Segmentation(turn_words=config.passages.turn_words)
    files = sources.files_in(paths)
    known, quarantined = _known(store)
    total = Ingested()
    with Run(store, "ingest", {"paths": [str(p) for p in paths], "passages": asdict(options)}) as run:
        for number, path in enumerate(files):
            watch("reading", number, len(files))
            place, digest = _place(path, config.folder), _sha256(path)
            if (place, digest) in known:
                total += Ingested(unchanged=1)
                continue
            try:
                total += _read_file(run, path, place, digest, options)
            except SourceError as error:
                reason = str(error)
                whole = Rejected(place, "", reason.replace(str(path), place), _head(path))
                new = 0
                if append.quarantine_id(whole) not in quarantined:
                    with store.write() as con:
                        run.begin(con)
                        new = append.add_rejected(con, run.id, datetime.now(UTC), [whole])
                total += Ingested(quarantined=new, refused=(reason,))
        watch("reading", len(files), len(files))
        counts = {key: n for key, n in asdict(total).items() if isinstance(n, int)}
        run.finish({**counts, **asdict(total.arrived)})
    return total


def _read_file(run: Run, path: Path, place: str, digest: str, options: Segmentation) -> Ingested:
    """Append a file's records in batches; with the last one goes the note that the file is read."""
    total = Ingested(files=1)
    met: set[tuple[str, str]] = set()
    bad = 0
    records = sources.read(path)
    batch = list(islice(records, DOCUMENTS_A_BATCH))
    while True:
        following = list(islice(records, DOCUMENTS_A_BATCH))
        documents = [replace(d, source=place) for d in batch if isinstance(d, Document)]
        cut = [(d, segment(d, options)) for d in documents]
        rejected = [replace(r, source=place) for r in batch if isinstance(r, Rejected)]
        with run.store.write() as con:
            run.begin(con)
            arrived = append.add_documents(con, run.id, cut, met)
            new = append.add_rejected(con, run.id, datetime.now(UTC), rejected)
            bad += len(rejected)
            total += Ingested(records=len(documents), arrived=arrived, quarantined=new)
            if not following:
                append.file_read(con, run.id, place, digest, __version__, total.records, bad)
        if not following:
            return total
        batch = following


def _known(store: Store) -> tuple[set[tuple[str, str]], set[str]]:
    if not store.path.exists():
        return set(), set()
    with store.read() as con:
        return pending.known_files(con, __version__), pending.quarantined(con)


def _place(path: Path, folder: Path) -> str:
    """Name a file the same from wherever it is ingested: relative to the project, or absolute."""
    whole, home = path.resolve(), folder.resolve()
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else whole.as_posix()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(RAW_BYTES)
    except OSError:
        return b""
