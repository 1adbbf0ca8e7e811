"""Passages become vectors and codings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, tee
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qinlp.codebook import Codebook
from qinlp.codebook import find as find_codebook
from qinlp.config import Config
from qinlp.embeddings import Joined, parts
from qinlp.records import Labelled
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, pending

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from qinlp.coding.model import Coder, Model
    from qinlp.embeddings import Encoder

    Floats = NDArray[np.floating[Any]]

INPUTS_A_BATCH = 1024
PASSAGES_A_BATCH = 2048
"""What stands together in a batch moves the last bits of a result, so these hold wherever it is computed."""

T = TypeVar("T")
W = TypeVar("W")

_one_at_a_time = Lock()


class Compute(Protocol):
    """Applies a function to works and gives the results in their order: `map`, here or on a cluster.

    It asks for the next work only when it can begin it soon, so that few are in memory.
    """

    def __call__(self, function: Callable[[W], T], works: Iterable[W], /) -> Iterator[T]:
        """Yield `function(work)` for each of `works`."""


@dataclass(frozen=True, slots=True)
class EncodeWork:
    """Texts for an encoder of a model; all that a process elsewhere needs to know."""

    model: Model
    encoder: str
    """The encoder's fingerprint."""
    hashes: pa.Array
    """What the vectors are kept under."""
    texts: pa.Array


@dataclass(frozen=True, slots=True)
class CodeWork:
    """Vectors for a coder of a model; all that a process elsewhere needs to know."""

    model: Model
    coder: str
    """The coder's name, which holds a hash of all that decides a coding."""
    codebook: Codebook
    passages: Sequence[str]
    vectors: Floats
    """Shape (passages, dimension)."""
    keep_from: float
    """Codings less probable than this are left out, unless they are decided present."""


@dataclass(frozen=True, slots=True)
class Coded:
    """What `code` did."""

    vectors: int = 0
    passages: int = 0
    """Passages coded with at least one codebook."""
    codings: int = 0
    encoder: str = ""
    """How the encoder ran: model, precision, threads; empty where nothing was encoded."""


def code(config: Config, watch: Watch = unwatched, compute: Compute = map) -> Coded:
    """Encode what has no vector yet, and code what the model in use has not coded yet.

    The store is read and written here alone. What takes long, `encode` and `code_batch`, goes through
    `compute`, and gives the same bytes wherever that lets it run.

    Raises:
        CodebookError: a codebook of the configuration is unknown.
        ModelError: the model is unknown or damaged, or another one where `compute` runs.
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
    with Run(store, "code", settings) as run:
        ran = {}
        wanted = [part for encoder in encoders.values() for part in parts(encoder)]
        for encoder in {part.fingerprint: part for part in wanted}.values():
            if new := _encode(store, run, model, encoder, compute, interviewer=interviewer, watch=watch):
                ran[encoder.about] = new
        touched: set[str] = set()
        codings = 0
        for book in books:
            name, doing = coders[book.id], f"coding with {book.id}"
            with store.read() as con:
                todo = pending.uncoded(con, name, book.id, book.hash, interviewer=interviewer)
            if not todo:
                continue
            thresholds = _thresholds(name, model.coder_named(name, book))
            works = (
                CodeWork(model, name, book, ids, vectors, config.coding.keep_from)
                for ids, vectors in _encoded(store, encoders[book.id], todo)
            )
            done = 0
            watch(doing, done, len(todo))
            for work, rows in _each(compute, code_batch, works):
                with store.write() as con:
                    run.begin(con)
                    append.add_codebook(con, run.id, book)
                    append.add_thresholds(con, thresholds)
                    codings += append.add_codings(con, run.id, name, book, work.passages, rows)
                touched.update(work.passages)
                done += len(work.passages)
                watch(doing, done, len(todo))
            watch(doing, len(todo), len(todo))
        vectors, about = sum(ran.values()), "; ".join(ran)
        run.finish({"vectors": vectors, "passages": len(touched), "codings": codings, "encoder": about})
    return Coded(vectors, len(touched), codings, about)


def encode(work: EncodeWork) -> Floats:
    """Return a vector of each text, shape (texts, dimension), float32.

    The encoder computes each of its inner batches on one thread, so that the number of threads does
    not show; a process encodes one work at a time, with as many threads as torch has there.

    Raises:
        ModelError: the model has another encoder here than where the work was planned.
    """
    with _one_at_a_time:
        return work.model.part(work.encoder).encode(work.texts.to_pylist())


def code_batch(work: CodeWork) -> pa.Table:
    """Return the codings of each passage: passage_id, code, probability, decision.

    Computed on one thread: how a product of matrices is shared among threads moves its last bits.

    Raises:
        ModelError: the model has another coder here than where the work was planned.
    """
    import numpy as np
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    from qinlp.coding.model import decide, rolled_up

    with _one_at_a_time, threadpool_limits(1, "blas"):
        coder = work.model.coder_named(work.coder, work.codebook)
        probabilities = rolled_up(work.codebook, coder.codes, coder.probabilities(work.vectors))
        decisions = decide(work.codebook, coder, probabilities)
    row, column = np.nonzero((probabilities >= work.keep_from) | decisions)
    names = pa.array(coder.codes, pa.string())
    return pa.table(
        {
            "passage_id": pa.array(work.passages, pa.string()).take(pa.array(row)),
            "code": names.take(pa.array(column)),
            "probability": pa.array(probabilities[row, column], pa.float32()),
            "decision": pa.array(decisions[row, column]),
        }
    )


def _encode(
    store: Store,
    run: Run,
    model: Model,
    encoder: Encoder,
    compute: Compute,
    *,
    interviewer: bool,
    watch: Watch,
) -> int:
    with store.read() as con:
        todo = pending.unencoded(con, encoder.fingerprint, interviewer=interviewer)
    if not len(todo):
        return 0

    def works() -> Iterator[EncodeWork]:
        for start in range(0, len(todo), INPUTS_A_BATCH):
            hashes = todo.slice(start, INPUTS_A_BATCH)
            with store.read() as con:
                texts = pending.texts(con, hashes)
            yield EncodeWork(model, encoder.fingerprint, hashes, texts)

    done = added = 0
    watch("encoding", done, len(todo))
    for work, vectors in _each(compute, encode, works()):
        with store.write() as con:
            run.begin(con)
            added += append.add_vectors(con, work.encoder, work.hashes, vectors)
        done += len(work.hashes)
        watch("encoding", done, len(todo))
    return added


def _encoded(store: Store, encoder: Encoder, todo: Sequence[str]) -> Iterator[tuple[list[str], Floats]]:
    """Yield the passages of `todo` a batch at a time, with the vectors that the coder takes.

    Those that came in since the encoding have none yet; they are the next run's.
    """
    for start in range(0, len(todo), PASSAGES_A_BATCH):
        with store.read() as con:
            ids, vectors = read_vectors(con, encoder, todo[start : start + PASSAGES_A_BATCH])
        if ids:
            yield ids, vectors


def _each(compute: Compute, function: Callable[[W], T], works: Iterator[W]) -> Iterator[tuple[W, T]]:
    """Yield each work with its result."""
    given, kept = tee(works)
    return zip(kept, compute(function, given), strict=True)


def read_vectors(con: Any, encoder: Encoder, ids: Sequence[str]) -> tuple[list[str], Floats]:
    """Return the passages among `ids` that the encoder has read, and their vectors."""
    found = [pending.vectors(con, part.fingerprint, ids) for part in parts(encoder)]
    if not isinstance(encoder, Joined):
        return found[0]
    common = sorted(set(found[0][0]) & set(found[1][0]))
    places = [{name: i for i, name in enumerate(names)} for names, _ in found]
    kept = [v[[at[name] for name in common]] for at, (_, v) in zip(places, found, strict=True)]
    return common, encoder.join(kept)


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


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
