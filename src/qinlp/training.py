"""From labelled passages to a model folder: heads, calibration, card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp import __version__, shipped
from qinlp.codebook import find as find_codebook
from qinlp.coding import card, coldstart, evaluation, heads
from qinlp.coding.model import encoder_named, save
from qinlp.embeddings import reading
from qinlp.errors import ModelError, SourceError

if TYPE_CHECKING:
    from qinlp.codebook import Codebook
    from qinlp.embeddings import Encoder
    from qinlp.records import Labelled


def own_data() -> list[Path]:
    """Return the labelled passages that come with qinlp."""
    return sorted(shipped.folder("data/training").glob("*.jsonl"))


def train(
    labelled: Sequence[Path], *, name: str, to: Path, encoder: str = "base", notes: Sequence[str] = ()
) -> Path:
    """Train heads for every codebook that the labels name, and write `to/name`.

    Args:
        labelled: JSONL files; none means qinlp's own training passages.
        name: the new model's name.
        to: the folder it is made in.
        encoder: see `coding.model.encoder_named`.
        notes: what the card should say about the data and who labelled them.

    Raises:
        SourceError: a file is no labelled JSONL, or there is no label in any.
        CodebookError: a label names an unknown codebook or code.
        ModelError: the encoder is unknown.
    """
    files = list(labelled) or own_data()
    rows = [row for path in files for row in evaluation.read_labelled(path)]
    books = _codebooks(rows, files)
    reader = encoder_named(encoder)
    vectors = reader.encode([reading(r.text, r.context, r.kind) for r in rows])
    trained = []
    likeness = []
    for book in books:
        codes = [code.id for code in book.codes]
        parents = {code.id: code.parent for code in book.codes}
        present, counted = evaluation.matrix(rows, book.id, codes, parents)
        trained.append(
            heads.train(book.id, book.hash, codes, vectors, present, counted, [r.group for r in rows])
        )
        likeness.append(_likeness(book, reader, vectors, present, counted))
    if not any(t.heads.codes for t in trained):
        raise ModelError(
            f"no code has {heads.FEWEST} labelled passages in {', '.join(map(str, files))}; label more, or code "
            "with the codebook's definitions alone, which needs no training"
        )
    cold = coldstart.calibrate(likeness)
    facts: dict[str, Any] = {
        "name": name,
        "qinlp": __version__,
        "made": datetime.now(UTC).date().isoformat(),
        "encoder": encoder,
        "encoder_fingerprint": reader.fingerprint,
        "data": [f"{path.name}: {n} passages" for path, n in _sizes(files)],
        "notes": list(notes),
        "kinds": dict(Counter(r.kind for r in rows)),
        "documents": len({r.group for r in rows}),
        "cold_start": asdict(cold),
        "scores": {t.heads.codebook: card.scores(t, [rows[i] for i in t.rows]) for t in trained},
    }
    save(to / name, [t.heads for t in trained], cold, facts)
    (to / name / "README.md").write_text(card.page(facts), "utf-8")
    return to / name


def _sizes(files: Sequence[Path]) -> list[tuple[Path, int]]:
    return [(path, len(evaluation.read_labelled(path))) for path in files]


def _codebooks(rows: Sequence[Labelled], files: Sequence[Path]) -> list[Codebook]:
    labels = sorted({label for row in rows for label in row.labels | row.disputed})
    if not labels:
        raise SourceError(f"{', '.join(map(str, files))}: no labels in it; give passages with labels")
    books: dict[str, Codebook] = {}
    for label in labels:
        book, _, code = label.partition("/")
        if book not in books:
            books[book] = find_codebook(book)
        books[book].code(code)
    return list(books.values())


def _likeness(book: Codebook, encoder: Encoder, vectors: Any, present: Any, counted: Any) -> tuple[Any, Any, Any]:
    may = [i for i, code in enumerate(book.codes) if code.assignable and present[:, i].any()]
    position = {code.id: i for i, code in enumerate(c for c in book.codes if c.assignable)}
    features = coldstart.Prototypes.of(book, encoder).features(vectors)
    columns = [position[book.codes[i].id] for i in may]
    return features[:, columns], present[:, may], np.asarray(counted[:, may])
