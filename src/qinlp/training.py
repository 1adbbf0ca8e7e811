"""From labelled passages to a model folder: heads, calibration, card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp import __version__, shipped
from qinlp.codebook import find as find_codebook
from qinlp.coding import card, coldstart, evaluation, heads
from qinlp.coding.model import Model, decide, encoder_named, rolled_up, save, write_card
from qinlp.coding.tuning import Recipe, average
from qinlp.coding.tuning import tune as tune_encoder
from qinlp.embeddings import SentenceTransformerEncoder
from qinlp.errors import ModelError, SourceError
from qinlp.steps import Watch, unwatched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qinlp.codebook import Codebook
    from qinlp.embeddings import Encoder
    from qinlp.records import Labelled


def own_data() -> list[Path]:
    """Return the labelled passages that come with qinlp."""
    return sorted(shipped.folder("data/training").glob("*.jsonl"))


def train(
    labelled: Sequence[Path],
    *,
    name: str,
    to: Path,
    encoder: str = "base",
    tune: bool = False,
    notes: Sequence[str] = (),
    codebooks: Sequence[Path] = (),
    watch: Watch = unwatched,
) -> Path:
    """Train heads for every codebook that the labels name, and write `to/name`.

    Args:
        labelled: JSONL files; none means qinlp's own training passages.
        name: the new model's name.
        to: the folder it is made in.
        encoder: see `coding.model.encoder_named`.
        tune: whether the encoder is tuned on the passages too (see `coding.tuning`).
        notes: what the card should say about the data and who labelled them.
        codebooks: folders of codebooks besides the shipped ones; what is used of them is copied
            into the model, which then stands alone.
        watch: told how it is getting on.

    Raises:
        SourceError: a file is no labelled JSONL, or there is no label in any.
        CodebookError: a label names an unknown codebook or code.
        ModelError: the encoder is unknown, or no code has enough passages.
    """
    files = list(labelled) or own_data()
    read = {path: evaluation.read_labelled(path) for path in files}
    rows = [row for part in read.values() for row in part]
    if not any(row.labels | row.disputed for row in rows):
        raise SourceError(f"{', '.join(map(str, files))}: no labels in it; give JSONL with labels")
    if not any(row.labels for row in rows):
        raise SourceError(f"{', '.join(map(str, files))}: no passage has a label; give some that have")
    reader = encoder_named(encoder)
    folded = None
    if tune:
        cells = [_cells(book, rows) for book in _codebooks(rows, codebooks)]
        present, counted = (np.concatenate([cell[i] for cell in cells], axis=1) for i in (0, 1))
        used = (present & counted).any(0)
        texts = [r.text for r in rows]
        folded = _tune(
            _folder_of(reader, encoder), texts, present[:, used], counted[:, used],
            heads.folds([r.group for r in rows], FOLDS), to / name / "encoder", watch,
        )  # fmt: skip
        reader = SentenceTransformerEncoder(str(to / name / "encoder"))
    facts = {
        "encoder": "encoder" if tune else encoder,
        "tuned_from": encoder if tune else "",
        "recipe": asdict(Recipe()) if tune else {},
        "data": [f"{path.name}: {len(part)} passages" for path, part in read.items()],
        "notes": list(notes),
    }
    return fit(rows, reader, to / name, facts, folded, codebooks)


def fit(
    rows: Sequence[Labelled],
    reader: Encoder,
    folder: Path,
    facts: Mapping[str, Any],
    folded: Sequence[tuple[Any, NDArray[np.intp]]] | None = None,
    codebooks: Sequence[Path] = (),
) -> Path:
    """Fit heads to an encoder's vectors of labelled passages and write the model folder.

    `folded` are the vectors of encoders tuned without each fold (see `heads.train`), where the
    encoder was tuned on these passages; `facts` go on the card.

    Raises:
        ModelError: no code has enough passages.
    """
    books = _codebooks(rows, codebooks)
    groups = [r.group for r in rows]
    cells = {book.id: _cells(book, rows) for book in books}
    vectors = reader.encode([r.text for r in rows])
    trained = [
        heads.train(
            book.id, book.hash, [c.id for c in book.codes], vectors, *cells[book.id], groups,
            fold_vectors=folded,
        )
        for book in books
    ]  # fmt: skip
    if not any(t.heads.codes for t in trained):
        raise ModelError(
            f"no code has {heads.FEWEST} labelled passages; label more, or code with the codebook's "
            "definitions alone, which needs no training"
        )
    cold = coldstart.calibrate([_likeness(book, reader, vectors, *cells[book.id]) for book in books])
    whole: dict[str, Any] = {
        "name": folder.name,
        "qinlp": __version__,
        "made": datetime.now(UTC).date().isoformat(),
        "encoder_fingerprint": reader.fingerprint,
        **facts,
        "kinds": dict(Counter(r.kind for r in rows)),
        "documents": len(set(groups)),
        "cold_start": asdict(cold),
        "scores": [
            evaluation.summary(*_out_of_fold(t, book, rows)) for t, book in zip(trained, books, strict=True)
        ],
    }
    save(folder, [t.heads for t in trained], cold, whole, card.page(whole), books)
    return folder


FOLDS = 4
"""The encoder is tuned so many times, each time without a part of the documents."""


def _tune(
    base: Path, texts: Sequence[str], present: Any, counted: Any,
    tests: Sequence[NDArray[np.intp]], out: Path, watch: Watch,
) -> list[tuple[Any, NDArray[np.intp]]]:  # fmt: skip
    """Tune an encoder without each fold, write their mean, return each one's vectors and its fold."""
    found = []
    with TemporaryDirectory() as scratch:
        tuned = [Path(scratch) / f"fold{number}" for number in range(1, len(tests) + 1)]
        for folder, test in zip(tuned, tests, strict=True):
            rest = np.setdiff1d(np.arange(len(texts)), test)
            tune_encoder(
                base, [texts[i] for i in rest], present[rest], counted[rest], folder,
                report=partial(watch, f"tuning without {folder.name}"),
            )  # fmt: skip
            found.append((SentenceTransformerEncoder(str(folder)).encode(texts), test))
        average(tuned, out)
    return found


def _folder_of(encoder: Encoder, name: str) -> Path:
    folder = Path(getattr(encoder, "folder", ""))
    if not folder.is_dir():
        raise ModelError(
            f"{name}: only an encoder in a folder can be tuned; download it first, give its folder"
        )
    return folder


def _cells(book: Codebook, rows: Sequence[Labelled]) -> tuple[Any, Any]:
    return evaluation.matrix(
        rows, book.id, [code.id for code in book.codes], {code.id: code.parent for code in book.codes}
    )


def _out_of_fold(
    t: heads.Trained, book: Codebook, rows: Sequence[Labelled]
) -> tuple[evaluation.Judged, list[Labelled]]:
    scored = [rows[i] for i in t.rows]
    return evaluation.judge(book, t.heads.codes, t.probabilities, t.decisions, scored), scored


def evaluate(model: Model, rows: Sequence[Labelled]) -> dict[str, evaluation.Judged]:
    """Return what a model says of labelled passages, by codebook, for the codebooks it has heads for."""
    vectors = model.encoder.encode([r.text for r in rows])
    found: dict[str, evaluation.Judged] = {}
    for name in model.trained:
        book = model.codebook(name)
        coder = model.coder(book)
        probabilities = rolled_up(book, coder.codes, coder.probabilities(vectors))
        decisions = decide(book, coder, probabilities)
        judged = evaluation.judge(book, coder.codes, probabilities, decisions, rows)
        if judged.codes:
            found[name] = judged
    return found


def note(model: Model, title: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Add an evaluation to a model's card."""
    facts = {**model.card, "evaluations": {**model.card.get("evaluations", {}), title: list(found)}}
    write_card(model.folder, facts, card.page(facts))


def _codebooks(rows: Sequence[Labelled], folders: Sequence[Path]) -> list[Codebook]:
    labels = sorted({label for row in rows for label in row.labels | row.disputed})
    books: dict[str, Codebook] = {}
    for label in labels:
        book, _, code = label.partition("/")
        if book not in books:
            books[book] = find_codebook(book, folders)
        books[book].code(code)
    return list(books.values())


def _likeness(
    book: Codebook, encoder: Encoder, vectors: Any, present: Any, counted: Any
) -> tuple[Any, Any, Any]:
    may = [i for i, code in enumerate(book.codes) if code.assignable and present[:, i].any()]
    position = {code.id: i for i, code in enumerate(c for c in book.codes if c.assignable)}
    features = coldstart.Prototypes.of(book, encoder).features(vectors)
    columns = [position[book.codes[i].id] for i in may]
    return features[:, columns], present[:, may], np.asarray(counted[:, may])
