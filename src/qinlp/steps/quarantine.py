"""What could not be read is tried again, or let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from qinlp import sources
from qinlp.config import Config
from qinlp.passages import Segmentation
from qinlp.records import Document, Rejected, Tally
from qinlp.sources.searching import Searched
from qinlp.steps import files
from qinlp.steps.reading import read_file
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, quarantine
from qinlp.store.quarantine import Entry


@dataclass(frozen=True, slots=True)
class Retried(Tally):
    """What `retry` did."""

    read: int = 0
    """Entries in quarantine that wait no longer."""
    arrived: append.Arrived = field(default_factory=append.Arrived)
    waiting: tuple[str, ...] = ()
    """Entries that wait still and why, one line each."""


def retry(config: Config, ids: Sequence[str] = (), watch: Watch = unwatched) -> Retried:
    """Read again what waits in quarantine: all of it, or the entries whose ids begin so.

    For a record of a file the whole file is read again, from where it lies; a record of a search is
    read from the bytes that were kept. What is not refused again waits no longer.

    Raises:
        ConfigError: an id is unknown, or begins several.
    """
    store = Store(config.database_path)
    with store.read() as con:
        found = [quarantine.entry(con, one) for one in ids] if ids else quarantine.entries(con)
    by_source: dict[str, list[Entry]] = {}
    for entry in found:
        if not entry.how:
            by_source.setdefault(entry.source, []).append(entry)
    options = Segmentation(turn_words=config.passages.turn_words)
    total = Retried()
    with Run(store, "retry", {"ids": list(ids)}) as run:
        for number, (source, waiting) in enumerate(by_source.items()):
            watch("retrying", number, len(by_source))
            search = sources.SEARCHES.get(source.partition(":")[0])
            if search is not None:
                total += _search_again(run, search, waiting, options)
            else:
                total += _file_again(run, config, waiting, options)
        watch("retrying", len(by_source), len(by_source))
        run.finish({"read": total.read, "waiting": len(total.waiting)})
    return total


def dismiss(config: Config, ids: Sequence[str], note: str) -> int:
    """Let entries go whose ids begin so, and say why; return how many of them waited.

    Raises:
        ConfigError: an id is unknown, or begins several.
    """
    store = Store(config.database_path)
    with store.read() as con:
        found = [quarantine.entry(con, one) for one in ids]
    names = [entry.id for entry in found if not entry.how]
    if names:
        with Run(store, "dismiss", {"ids": names}) as run:
            with store.write() as con:
                run.begin(con)
                append.resolve(con, run.id, datetime.now(UTC), names, "dismissed", note)
            run.finish({"dismissed": len(names)})
    return len(names)


def _file_again(run: Run, config: Config, waiting: Sequence[Entry], options: Segmentation) -> Retried:
    """Read a file again if one of its entries is refused no longer; else nothing is written."""
    place = waiting[0].source
    path = config.folder / place
    try:
        look, digest = files.look(path), files.sha256(path)
    except FileNotFoundError:
        return _still(waiting, "the file is gone; put it back, or `qinlp quarantine dismiss` the entry")
    except OSError as error:
        return _still(waiting, f"the file cannot be read ({error.strerror or error}); retry later")
    records = files.Records(path, place)
    refused = {append.quarantine_id(r): r.reason for r in records if isinstance(r, Rejected)}
    if records.withheld:
        return _still(waiting, records.refusal)
    if records.stopped is not None:
        refused[append.quarantine_id(records.whole)] = records.whole.reason
    if all(entry.id in refused for entry in waiting):
        return _still(waiting)
    state = append.FileState(place, digest, look.size, look.mtime_ns, look.at)
    done = read_file(run, path, look, state, options, how="read")
    with run.store.read() as con:
        now = quarantine.entries(con, source=place)
    asked, of = {entry.id for entry in waiting}, {"", *(entry.record for entry in waiting)}
    read = sum(entry.id in asked and entry.how == "read" for entry in now)
    again = [entry for entry in now if not entry.how and entry.record in of]
    return Retried(read, done.arrived, done.unsettled) + _still(again)


def _search_again(run: Run, search: Searched, waiting: Sequence[Entry], options: Segmentation) -> Retried:
    """Read records of a search again from the bytes that were kept."""
    total = Retried()
    read: list[tuple[Document, Entry]] = []
    for entry in waiting:
        with run.store.read() as con:
            raw = quarantine.raw(con, entry.id)
        try:
            found = search.reread(raw, entry.record)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # one record must not stop the others
            total += _still([entry], f"the reader failed ({type(error).__name__}); please report it")
            continue
        if isinstance(found, Rejected):
            total += _still([entry], found.reason)
        else:
            read.append((replace(found, source=entry.source, record=entry.record), entry))
    cut = [(document, files.cut(document, options), entry) for document, entry in read]
    ready = [(d, passages, entry) for d, passages, entry in cut if not isinstance(passages, Rejected)]
    for _, passages, entry in cut:
        if isinstance(passages, Rejected):
            total += _still([entry], passages.reason)
    if ready:
        with run.store.write() as con:
            run.begin(con)
            arrived = append.add_documents(con, run.id, [(d, passages) for d, passages, _ in ready])
            ids = [entry.id for _, _, entry in ready]
            total += Retried(append.resolve(con, run.id, datetime.now(UTC), ids, "read"), arrived)
    return total


def _still(waiting: Sequence[Entry], reason: str = "") -> Retried:
    return Retried(waiting=tuple(f"{one.place}: {reason or one.reason}" for one in waiting))
