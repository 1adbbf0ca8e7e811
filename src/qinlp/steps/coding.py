"""Passages become vectors and codings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from qinlp.codebook import Codebook
from qinlp.codebook import find as find_codebook
from qinlp.config import Config
from qinlp.embeddings import Joined, parts
from qinlp.records import Labelled
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, pending

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qinlp.coding.model import Coder, Model
    from qinlp.embeddings import Encoder

    Floats = NDArray[np.floating[Any]]

INPUTS_A_BATCH = 2048
PASSAGES_A_BATCH = 20_000

T = TypeVar("T")


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
    with Run(store, "code", settings) as run:
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


def _encode(store: Store, run: Run, encoder: Encoder, *, interviewer: bool, watch: Watch) -> int:
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


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
