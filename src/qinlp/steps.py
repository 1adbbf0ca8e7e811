"""The steps of the work: each moves data from one stage into the store. Flows and CLI call these.

No step holds the database while it computes. Each batch is committed in one transaction with
the note that it is done, so a step that was killed at any moment is simply run again.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from qinlp import __version__, sources
from qinlp.codebook import Codebook
from qinlp.codebook import find as find_codebook
from qinlp.config import Config
from qinlp.embeddings import Joined, parts
from qinlp.errors import SourceError, StoreError
from qinlp.passages import Segmentation, segment
from qinlp.records import Document, Labelled, Rejected
from qinlp.store import Store, append, pending

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qinlp.coding.model import Coder, Model
    from qinlp.embeddings import Encoder

    Floats = NDArray[np.floating[Any]]

Watch = Callable[[str, int, int], None]
"""Told how a step is getting on: what it does, how much is done, of how much (0: not known)."""

DOCUMENTS_A_BATCH = 500
INPUTS_A_BATCH = 2048
PASSAGES_A_BATCH = 20_000
RAW_BYTES = 1_000_000
"""The quarantine keeps so much of an unreadable file."""

T = TypeVar("T")


def unwatched(what: str, done: int, of: int) -> None:
    """Watch nothing."""


class _Run:
    """A row of `runs`, written with the first batch: a step that finds no work writes nothing."""

    def __init__(self, store: Store, kind: str, settings: Mapping[str, Any]) -> None:
        self.store, self.kind, self.settings = store, kind, settings
        self.started = datetime.now(UTC)
        self.id = f"{self.started:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(2)}"
        self.wrote = False

    def begin(self, con: Any) -> None:
        append.start_run(con, self.id, self.kind, self.started, __version__, self.settings)
        self.wrote = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and self.wrote:
            with contextlib.suppress(StoreError):
                self._end("failed", {"error": str(error) or type(error).__name__})

    def finish(self, counts: Mapping[str, Any]) -> None:
        if self.wrote:
            self._end("completed", counts)

    def _end(self, status: str, counts: Mapping[str, Any]) -> None:
        with self.store.write() as con:
            append.finish_run(con, self.id, datetime.now(UTC), status, counts)


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
    with _Run(store, "ingest", {"paths": [str(p) for p in paths], "passages": asdict(options)}) as run:
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


def _read_file(run: _Run, path: Path, place: str, digest: str, options: Segmentation) -> Ingested:
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


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


@dataclass(frozen=True, slots=True)
class Coded:
    """What `code` did."""

    vectors: int = 0
    passages: int = 0
    """Passages coded with at least one codebook."""
    codings: int = 0
    encoder: str = ""
    """How the encoder ran: model, precision, threads; empty where nothing was encoded."""


def code(config: Config, watch: Watch = unwatched) -> Coded:
    """Encode what has no vector yet, and code what the model in use has not coded yet.

    Raises:
        CodebookError: a codebook of the configuration is unknown.
        ModelError: the model is unknown or damaged.
    """
    store = Store(config.database_path)
    model = find_model(config)
    books = [find_codebook(name, config.codebook_folders) for name in config.coding.codebooks]
    encoders = {book.id: model.encoder_for(book) for book in books}
    coders = {book.id: model.coder_name(book) for book in books}
    interviewer = config.coding.interviewer
    settings = {
        "model": model.name,
        "coders": coders,
        "codebooks": {book.id: book.hash for book in books},
        "encoders": {name: encoder.fingerprint for name, encoder in encoders.items()},
        "options": asdict(config.coding),
    }
    with _Run(store, "code", settings) as run:
        ran = {}
        wanted = [part for encoder in encoders.values() for part in parts(encoder)]
        for encoder in {part.fingerprint: part for part in wanted}.values():
            if new := _encode(store, run, encoder, interviewer=interviewer, watch=watch):
                ran[encoder.about] = new
        touched: set[str] = set()
        codings = 0
        for book in books:
            name = coders[book.id]
            with store.read() as con:
                todo = pending.uncoded(con, name, book.id, book.hash, interviewer=interviewer)
            coder = model.coder(book) if todo else None
            for start in range(0, len(todo), PASSAGES_A_BATCH):
                watch(f"coding with {book.id}", start, len(todo))
                ids = todo[start : start + PASSAGES_A_BATCH]
                with store.read() as con:
                    ids, batch = _vectors(con, encoders[book.id], ids)
                if not ids:  # all of them came in since the encoding: the next run's
                    continue
                assert coder is not None  # noqa: S101
                rows = _code_batch(book, coder, ids, batch, config.coding.keep_from)
                with store.write() as con:
                    run.begin(con)
                    append.add_codebook(con, run.id, book)
                    append.add_thresholds(con, _thresholds(name, coder))
                    codings += append.add_codings(con, run.id, name, book, ids, rows)
                touched.update(ids)
            if todo:
                watch(f"coding with {book.id}", len(todo), len(todo))
        vectors, about = sum(ran.values()), "; ".join(ran)
        run.finish({"vectors": vectors, "passages": len(touched), "codings": codings, "encoder": about})
    return Coded(vectors, len(touched), codings, about)


def _encode(store: Store, run: _Run, encoder: Encoder, *, interviewer: bool, watch: Watch) -> int:
    with store.read() as con:
        todo = pending.unencoded(con, encoder.fingerprint, interviewer=interviewer)
    done = encoded = 0

    def progress(n: int) -> None:
        nonlocal encoded
        encoded += n
        watch("encoding", encoded, len(todo))

    for start in range(0, len(todo), INPUTS_A_BATCH):
        watch("encoding", start, len(todo))
        part = todo.slice(start, INPUTS_A_BATCH).to_pylist()
        vectors = encoder.encode([row["text"] for row in part], progress)
        with store.write() as con:
            run.begin(con)
            done += append.add_vectors(con, encoder.fingerprint, [row["input_hash"] for row in part], vectors)
    if len(todo):
        watch("encoding", len(todo), len(todo))
    return done


def _vectors(con: Any, encoder: Encoder, ids: Sequence[str]) -> tuple[list[str], Floats]:
    """Return the passages among `ids` that the encoder has read, and their vectors."""
    found = [pending.vectors(con, part.fingerprint, ids) for part in parts(encoder)]
    if not isinstance(encoder, Joined):
        return found[0]
    common = sorted(set(found[0][0]) & set(found[1][0]))
    places = [{name: i for i, name in enumerate(names)} for names, _ in found]
    kept = [v[[at[name] for name in common]] for at, (_, v) in zip(places, found, strict=True)]
    return common, encoder.join(kept)


def _code_batch(book: Codebook, coder: Coder, ids: Sequence[str], vectors: Floats, keep_from: float) -> Any:
    import numpy as np
    import pyarrow as pa

    from qinlp.coding.model import decide, rolled_up

    probabilities = rolled_up(book, coder.codes, coder.probabilities(vectors))
    decisions = decide(book, coder, probabilities)
    row, column = np.nonzero((probabilities >= keep_from) | decisions)
    names = pa.array(coder.codes, pa.string())
    return pa.table(
        {
            "passage_id": pa.array(ids, pa.string()).take(pa.array(row)),
            "code": names.take(pa.array(column)),
            "probability": pa.array(probabilities[row, column], pa.float32()),
            "decision": pa.array(decisions[row, column]),
        }
    )


def _thresholds(name: str, coder: Coder) -> list[tuple[str, str, str, float, float, float, str]]:
    return [
        (name, coder.codebook, code, float(t), float(low), float(high), coder.origin)
        for code, t, low, high in zip(
            coder.codes, coder.threshold, coder.unsure_from, coder.unsure_to, strict=True
        )
    ]


def find_model(config: Config) -> Model:
    """Return the model that the project codes with.

    Raises:
        ModelError: it is unknown; names the nearest.
    """
    from qinlp.coding.model import find

    return find(config.coding.model, config.model_folders)


def predict(model: Model, rows: Sequence[Labelled]) -> Iterator[dict[str, Any]]:
    """Code passages that are in no store, with all codebooks the model has heads for.

    Yields one object a passage, in order: id, probabilities of every code (`codebook/code`), and
    decisions, the codes that may be given to a passage and passed their threshold.
    """
    from qinlp.coding.model import decide, rolled_up

    books = {name: model.codebook(name) for name in model.trained}
    coders = {name: model.coder(book) for name, book in books.items()}
    for batch in _batches(rows, INPUTS_A_BATCH):
        vectors = model.encoder.encode([r.text for r in batch])
        answers: list[dict[str, Any]] = [{"id": r.id, "probabilities": {}, "decisions": []} for r in batch]
        for name, heads in coders.items():
            book = books[name]
            probabilities = rolled_up(book, heads.codes, heads.probabilities(vectors))
            decisions = decide(book, heads, probabilities)
            labels = [book.label(code) for code in heads.codes]
            given = [book.code(code).assignable for code in heads.codes]
            for answer, p, d in zip(answers, probabilities, decisions, strict=True):
                answer["probabilities"].update(
                    (label, round(float(x), 4)) for label, x in zip(labels, p, strict=True)
                )
                answer["decisions"].extend(
                    label for label, yes, may in zip(labels, d, given, strict=True) if yes and may
                )
        yield from answers


def publish(config: Config, to: Path | None = None) -> Path:
    """Replace the read-only snapshot for notebooks and SQL shells; return its path."""
    from qinlp.store.publish import publish as copy

    return copy(Store(config.database_path), to or config.database_path.with_suffix(".snapshot.duckdb"))
