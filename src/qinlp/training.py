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

from qinlp import __version__, pictures, shipped
from qinlp.codebook import find as find_codebook
from qinlp.coding import card, coldstart, evaluation, heads
from qinlp.coding.calibration import BEST_F1, Goal
from qinlp.coding.model import Model, decide, encoder_named, general, rolled_up, save, settle, write_card
from qinlp.coding.tuning import Recipe, average
from qinlp.coding.tuning import tune as tune_encoder
from qinlp.embeddings import Joined, SentenceTransformerEncoder
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
    epochs: int = Recipe().epochs,
    goal: Goal = BEST_F1,
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
        epochs: so many times every passage is read in tuning.
        goal: what thresholds are chosen for.
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
    recipe = Recipe(epochs=epochs)
    folded = None
    if tune:
        cells = [cells_of(book, rows) for book in codebooks_of(rows, codebooks)]
        present, counted = (np.concatenate([cell[i] for cell in cells], axis=1) for i in (0, 1))
        used = (present & counted).any(0)
        texts = [r.text for r in rows]
        folded = _tune(
            _folder_of(reader, encoder), texts, present[:, used], counted[:, used],
            heads.folds([r.group for r in rows], FOLDS), to / name / "encoder", recipe, watch,
        )  # fmt: skip
        reader = SentenceTransformerEncoder(str(to / name / "encoder"))
    facts = {
        "encoder": "encoder" if tune else encoder,
        "tuned_from": encoder if tune else "",
        "recipe": asdict(recipe) if tune else {},
        "data": [f"{path.name}: {len(part)} passages" for path, part in read.items()],
        "notes": list(notes),
    }
    return fit(rows, reader, to / name, facts, folded, codebooks, goal)


def fit(
    rows: Sequence[Labelled],
    reader: Encoder,
    folder: Path,
    facts: Mapping[str, Any],
    folded: Sequence[tuple[Any, NDArray[np.intp]]] | None = None,
    codebooks: Sequence[Path] = (),
    goal: Goal = BEST_F1,
) -> Path:
    """Fit heads to an encoder's vectors of labelled passages and write the model folder.

    `folded` are the vectors of encoders tuned without each fold (see `heads.train`), where the
    encoder was tuned on these passages; `facts` go on the card.

    Raises:
        ModelError: no code has enough passages.
    """
    books = codebooks_of(rows, codebooks)
    groups = [r.group for r in rows]
    cells = {book.id: cells_of(book, rows) for book in books}
    written = np.array([r.written for r in rows])
    vectors, fingerprint = reader.encode([r.text for r in rows]), reader.fingerprint
    parts = folded or [(vectors, test) for test in heads.folds(groups, FOLDS)]
    if not written.all():
        parts = [(of_fold, test[~written[test]]) for of_fold, test in parts]
    trained = [
        heads.train(
            book.id, book.hash, [c.id for c in book.codes], vectors, *cells[book.id], groups,
            parents={c.id: c.parent for c in book.codes}, goal=goal, fold_vectors=parts,
        )
        for book in books
    ]  # fmt: skip
    if not any(t.heads.codes for t in trained):
        raise ModelError(
            f"no code has {heads.FEWEST} labelled passages; label more, or code with the codebook's "
            "definitions alone, which needs no training"
        )
    reader = general(reader, facts.get("tuned_from"))
    if isinstance(reader, Joined):
        vectors = reader.join([reader.untuned.encode([r.text for r in rows]), vectors])
    cold = coldstart.calibrate([_likeness(book, reader, vectors, *cells[book.id]) for book in books])
    unseen = [_out_of_fold(t, book, rows) for t, book in zip(trained, books, strict=True)]
    whole: dict[str, Any] = {
        "name": folder.name,
        "qinlp": __version__,
        "made": datetime.now(UTC).date().isoformat(),
        "encoder_fingerprint": fingerprint,
        **facts,
        "kinds": dict(Counter(r.kind for r in rows)),
        "documents": len(set(groups)),
        "cold_start": asdict(cold),
        "scores": [evaluation.summary(j, scored) for j, scored in unseen],
        "unsure": [_unsure(t) for t in trained],
    }
    save(folder, [t.heads for t in trained], cold, whole, card.page(whole), books)
    write_evidence(folder, unseen)
    return folder


DRAWN = 12
"""So many of the commonest codes have their reliability drawn on the card."""
FOLDS = 4
"""The encoder is tuned so many times, each time without a part of the documents."""


EVIDENCE = "unseen.parquet"
"""In a model's folder: what was said of passages whose documents had not been seen."""


def write_evidence(folder: Path, unseen: Sequence[tuple[evaluation.Judged, list[Labelled]]]) -> None:
    """Write what the scores on the card were counted from, and draw how far stated is seen."""
    import pyarrow as pa
    from pyarrow import parquet

    parts, drawn = [], {}
    for judged, rows in unseen:
        ids = pa.array([row.id for row in rows])
        for i, code in enumerate(judged.codes):
            label = f"{judged.codebook}/{code}"
            parts.append(
                pa.table(
                    {
                        "id": ids,
                        "code": pa.array([label] * len(rows)).dictionary_encode(),
                        "probability": pa.array(judged.probabilities[:, i].round(4).astype(np.float32)),
                        "decision": pa.array(judged.decisions[:, i]),
                    }
                )
            )
            counted = judged.counted[:, i]
            drawn[label] = judged.probabilities[counted, i], judged.present[counted, i]
    parquet.write_table(pa.concat_tables(parts).unify_dictionaries(), folder / EVIDENCE, compression="zstd")
    largest = sorted(drawn, key=lambda label: -int(drawn[label][1].sum()))[:DRAWN]
    pictures.save(
        pictures.reliability({label: drawn[label] for label in largest}), folder / "reliability.svg"
    )


def _tune(
    base: Path, texts: Sequence[str], present: Any, counted: Any,
    tests: Sequence[NDArray[np.intp]], out: Path, recipe: Recipe, watch: Watch,
) -> list[tuple[Any, NDArray[np.intp]]]:  # fmt: skip
    """Tune an encoder without each fold, write their mean, return each one's vectors and its fold."""
    found = []
    with TemporaryDirectory() as scratch:
        tuned = [Path(scratch) / f"fold{number}" for number in range(1, len(tests) + 1)]
        for folder, test in zip(tuned, tests, strict=True):
            rest = np.setdiff1d(np.arange(len(texts)), test)
            tune_encoder(
                base, [texts[i] for i in rest], present[rest], counted[rest], folder, recipe,
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


def cells_of(book: Codebook, rows: Sequence[Labelled]) -> tuple[Any, Any]:
    """Return (present, counted) of all codes of a codebook, each of shape (rows, codes)."""
    return evaluation.matrix(
        rows, book.id, [code.id for code in book.codes], {code.id: code.parent for code in book.codes}
    )


def _out_of_fold(
    t: heads.Trained, book: Codebook, rows: Sequence[Labelled]
) -> tuple[evaluation.Judged, list[Labelled]]:
    """Return what the heads of the other folds say, as `predict` would, and of which passages."""
    scored = [rows[i] for i in t.rows]
    probabilities = rolled_up(book, t.heads.codes, t.probabilities)
    decisions = settle(book, t.heads.codes, probabilities, t.decisions)
    coded = np.array([row.coded_with(book.id) for row in scored])
    scored = [row for row in scored if row.coded_with(book.id)]
    return evaluation.judge(book, t.heads.codes, probabilities[coded], decisions[coded], scored), scored


def _unsure(t: heads.Trained) -> dict[str, dict[str, float]]:
    """Return, by code, the share of passages that goes to review and the errors to expect of the rest."""
    h, p = t.heads, t.probabilities
    return {
        f"{h.codebook}/{code}": {
            "review": round(float(((p[:, i] >= h.unsure_from[i]) & (p[:, i] <= h.unsure_to[i])).mean()), 3),
            "wrong": round(float(h.wrong[i]), 3),
            "missed": round(float(h.missed[i]), 3),
        }
        for i, code in enumerate(h.codes)
    }


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


def codebooks_of(rows: Sequence[Labelled], folders: Sequence[Path]) -> list[Codebook]:
    """Return the codebooks that the labels name.

    Raises:
        CodebookError: a label names an unknown codebook or code.
    """
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
