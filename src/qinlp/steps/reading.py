"""Files and folders become documents and passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from qinlp import __version__, sources
from qinlp.config import Config
from qinlp.errors import SourceError
from qinlp.passages import Segmentation
from qinlp.records import Document, Rejected, Tally
from qinlp.steps import files
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, pending

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DOCUMENTS_A_BATCH = 500


@dataclass(frozen=True, slots=True)
class Ingested(Tally):
    """What `ingest` did."""

    files: int = 0
    """Files read to their end."""
    unchanged: int = 0
    """Files that were read to their end before and have not changed."""
    moved: int = 0
    """Files that were read before at a place where they are no more; nothing in them is new."""
    records: int = 0
    arrived: append.Arrived = field(default_factory=append.Arrived)
    quarantined: int = 0
    """Records and files that could not be read, new in the quarantine."""
    refused: tuple[str, ...] = ()
    """Paths, folders and whole files that could not be read, one line each."""
    unsettled: tuple[str, ...] = ()
    """Files left for the next time, because they were being written or went away, one line each."""


def ingest(
    config: Config, paths: Sequence[Path], watch: Watch = unwatched, *, settle: float | None = None
) -> Ingested:
    """Read files and folders into documents and passages.

    A file that was read before and has not changed is left alone; one in a state that the store
    knows is not even opened. A record that cannot be read goes to the quarantine, as does a whole
    file; the rest goes on. A file that changes while it is read is read again next time.

    `settle` is given for paths that are watched, rather than named by hand: a file that changed less
    than so many seconds ago is waited for (once, all such files together) and left for the next time
    if it goes on changing; and a path that does not exist is told and does not stop the others.

    Raises:
        SourceError: a path does not exist, or a file given by name is of an unknown kind; of watched
            paths, all.
    """
    found = sources.files_in(paths)
    if found.wrong and (settle is None or len(found.wrong) == len(paths)):
        raise SourceError(found.wrong[0])
    store = Store(config.database_path)
    options = Segmentation(turn_words=config.passages.turn_words)
    known = known_files(store)
    total = Ingested(refused=(*found.wrong, *found.closed))
    looks, left = _at_rest(config, found.files, known, settle or 0)
    total += left
    touched: list[append.FileState] = []
    with Run(store, "ingest", {"paths": [str(p) for p in paths], "passages": asdict(options)}) as run:
        for number, (path, look) in enumerate(looks.items()):
            watch("reading", number, len(looks))
            total += _read(run, config, path, look, known, options, touched)
        watch("reading", len(looks), len(looks))
        if run.wrote and touched:
            with store.write() as con:
                for state in touched:
                    append.file_seen(con, run.id, state, __version__)
        counts = {f.name: getattr(total, f.name) for f in fields(total) if f.name != "arrived"}
        counts = {name: n if isinstance(n, int) else len(n) for name, n in counts.items()}
        run.finish({**counts, **asdict(total.arrived)})
    return total


def _at_rest(
    config: Config, paths: Sequence[Path], known: pending.KnownFiles, settle: float
) -> tuple[Mapping[Path, files.Look], Ingested]:
    """Return the files to look into, as they look from outside, and what is told of the others."""
    looks: dict[Path, files.Look] = {}
    left = Ingested()
    for path in paths:
        try:
            looks[path] = files.look(path)
        except OSError as error:
            left += _without(path, error)
    young = {
        path: one
        for path, one in looks.items()
        if one.age < settle
        and (sources.place(path, config.folder), one.size, one.mtime_ns) not in known.digests
    }
    restless = files.restless(young, settle)
    return {path: one for path, one in looks.items() if path not in restless}, left + Ingested(
        unsettled=tuple(_restless(path) for path in restless)
    )


def _read(
    run: Run,
    config: Config,
    path: Path,
    look: files.Look,
    known: pending.KnownFiles,
    options: Segmentation,
    touched: list[append.FileState],
) -> Ingested:
    """Read one file if it is new; note in `touched` a known one whose look alone is new."""
    place = sources.place(path, config.folder)
    digest = known.digests.get((place, look.size, look.mtime_ns))
    unseen = digest is None
    try:
        digest = digest or files.sha256(path)
    except OSError as error:
        return _without(path, error)
    state = append.FileState(place, digest, look.size, look.mtime_ns, look.at)
    if (place, digest) in known.read:
        if unseen:
            touched.append(state)
        return Ingested(unchanged=1)
    if (place, digest) in known.refused:
        reason = known.refused[place, digest]
        return Ingested(refused=(reason.replace(place, str(path), 1),)) if reason else Ingested(unchanged=1)
    old = [one for one in known.places.get(digest, ()) if one != place and files.gone(config.folder / one)]
    done = read_file(run, path, look, state, options, moved_from=old)
    new = done.arrived.documents or done.arrived.versions
    return Ingested(moved=1) if old and done.files and not new else done


def read_file(
    run: Run,
    path: Path,
    look: files.Look,
    state: append.FileState,
    options: Segmentation,
    *,
    moved_from: Sequence[str] = (),
    how: str = "superseded",
) -> Ingested:
    """Append a file's records in batches; with the last one goes the note that the file is read.

    With that note too, what waited of the file in quarantine and was not met again is resolved:
    `how` says by what. What waited of it at a place where it is no more waits at the new one.
    """
    total = Ingested()
    met: set[tuple[str, str]] = set()
    refused: dict[str, str] = {}
    records = files.Records(path, state.path)
    each = iter(records)
    batch = list(islice(each, DOCUMENTS_A_BATCH))
    while True:
        following = list(islice(each, DOCUMENTS_A_BATCH))
        documents = [(d, files.cut(d, options)) for d in batch if isinstance(d, Document)]
        rejected = [r for r in batch if isinstance(r, Rejected)]
        rejected += [passages for _, passages in documents if isinstance(passages, Rejected)]
        refused |= {append.quarantine_id(r): r.record for r in rejected}
        cut = [(d, passages) for d, passages in documents if not isinstance(passages, Rejected)]
        ended = not following
        changed = ended and not files.unmoved(path, look)
        noted = ended and not changed and not records.withheld
        if batch or noted:
            with run.store.write() as con:
                run.begin(con)
                arrived = append.add_documents(con, run.id, cut, met)
                new = append.add_rejected(con, run.id, datetime.now(UTC), rejected)
                total += Ingested(records=len(cut), arrived=arrived, quarantined=new)
                if noted and records.stopped is not None:
                    total += Ingested(quarantined=_refuse(con, run, records.whole, state))
                elif noted:
                    append.file_read(con, run.id, state, __version__, total.records, len(refused))
                    _resolve(con, run, state.path, refused, how)
                    for old in moved_from:
                        _resolve(con, run, old, {}, "superseded")
        if ended:
            break
        batch = following
    if changed:
        return total + Ingested(unsettled=(_restless(path),))
    if records.stopped is not None:
        return total + Ingested(refused=(records.refusal,))
    return total + Ingested(files=1)


def _refuse(con: DuckDBPyConnection, run: Run, whole: Rejected, state: append.FileState) -> int:
    """Put a whole file into the quarantine, in place of what was said of it as a whole before."""
    name, now = append.quarantine_id(whole), datetime.now(UTC)
    before = [old for old, record in pending.waiting_of(con, state.path) if not record and old != name]
    append.resolve(con, run.id, now, before, "superseded")
    append.file_seen(con, run.id, state, __version__, name)
    return append.add_rejected(con, run.id, now, [whole])


def _resolve(con: DuckDBPyConnection, run: Run, place: str, refused: Mapping[str, str], how: str) -> None:
    """Resolve what waited of a file and was not met again; a record refused anew is superseded anyhow."""
    now, anew = datetime.now(UTC), set(refused.values())
    waited = [one for one in pending.waiting_of(con, place) if one[0] not in refused]
    for said, ids in (
        ("superseded", [name for name, record in waited if record in anew]),
        (how, [name for name, record in waited if record not in anew]),
    ):
        append.resolve(con, run.id, now, ids, said)


def known_files(store: Store) -> pending.KnownFiles:
    """Return what the store knows of files; nothing where there is no store yet."""
    if not store.path.exists():
        return pending.KnownFiles()
    with store.read() as con:
        return pending.known_files(con, __version__)


def _without(path: Path, error: OSError) -> Ingested:
    """Return what is told of a file that went away, or that the system does not let us read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Ingested(unsettled=(f"{path}: gone before it was read",))
    return Ingested(
        refused=(f"{path}: cannot be read ({error.strerror or error}); it is tried again next time",)
    )


def _restless(path: Path) -> str:
    return f"{path}: still being written or just gone; it is read next time"
