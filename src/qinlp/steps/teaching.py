"""Judgements become something to learn from; what came of the learning is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qinlp.codebook import find as find_codebook
from qinlp.config import Config
from qinlp.records import Labelled, content_hash
from qinlp.steps.coding import vectors_of
from qinlp.steps.promoting import promotion
from qinlp.steps.run import Run
from qinlp.store import Store, promotions
from qinlp.store import labelled as kept

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qinlp.coding.model import Model
    from qinlp.embeddings import Encoder

    Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from."""

    rows: tuple[Labelled, ...] = ()
    reviews: int = 0
    """Reviews that stand, those of several coders each."""
    judgements: str = ""
    """Names what was judged, and upon which model it is learned."""
    tried: bool = False
    """Whether the last training had just this."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a training from judgements."""

    why: str
    """What was done or not done and why, in one line."""
    model: str = ""
    """The new model, now in use; empty where the one in use stays."""
    passages: int = 0
    documents: int = 0
    comparison: Mapping[str, Mapping[str, float]] | None = None
    """By codebook; see `coding.card`."""


def labelled(config: Config) -> list[Labelled]:
    """Return every passage that people coded whole with a codebook of the project, with what they said.

    A cell that coders contradict each other in, with nobody to have decided, is disputed. The group is
    the document, documents of one paper together.

    Raises:
        CodebookError: a codebook of the configuration is unknown.
    """
    return list(lesson(config).rows)


def lesson(config: Config, base: str = "") -> Lesson:
    """Return what people judged, and whether learning that upon the model `base` was tried last.

    Raises:
        CodebookError: a codebook of the configuration is unknown.
    """
    if not config.database_path.exists():
        return Lesson()
    books = [find_codebook(name, config.codebook_folders) for name in config.coding.codebooks]
    with Store(config.database_path).read() as con:
        rows = kept.labelled(con, {book.id: [code.id for code in book.codes] for book in books})
        reviews = kept.reviews(con)
        _, tried = kept.attempts(con)
    said = [
        content_hash(
            row.id,
            row.group,
            *sorted(row.codebooks or ()),
            "",
            *sorted(row.labels),
            "",
            *sorted(row.disputed),
        )
        for row in rows
    ]
    name = content_hash(base, *(book.hash for book in books), *said)
    return Lesson(tuple(rows), reviews, name, name == tried)


def due(config: Config) -> bool:
    """Tell whether `review.retrain_after` passages were reviewed since training was tried last."""
    if not config.review.retrain_after or not config.database_path.exists():
        return False
    with Store(config.database_path).read() as con:
        return kept.reviews(con) - kept.attempts(con)[0] >= config.review.retrain_after


def vectors(config: Config, encoder: Encoder, rows: Sequence[Labelled]) -> Floats:
    """Return an encoder's vectors of passages of the store, shape (rows, dimension).

    Those that the store holds are taken from there; only others are computed.
    """
    import numpy as np

    with Store(config.database_path).read() as con:
        ids, found = vectors_of(con, encoder, [row.id for row in rows])
    place = {name: i for i, name in enumerate(ids)}
    missing = [i for i, row in enumerate(rows) if row.id not in place]
    new = encoder.encode([rows[i].text for i in missing]) if missing else found[:0]
    whole = np.empty((len(rows), (new if missing else found).shape[1]), np.float32)
    there = [i for i, row in enumerate(rows) if row.id in place]
    if there:
        whole[there] = found[[place[rows[i].id] for i in there]]
    if missing:
        whole[missing] = new
    return whole


def note_attempt(config: Config, taught: Lesson, learned: Learned, model: Model | None = None) -> None:
    """Keep that a training was tried and what came of it; take `model` into use, where there is one.

    Both in one transaction: a training that is killed before it changes nothing, and is made again.
    """
    store = Store(config.database_path)
    settings = {"model": config.coding.model, "judgements": taught.judgements, "reviews": taught.reviews}
    with Run(store, "train", settings) as run:
        with store.write() as con:
            run.begin(con)
            if model is not None:
                one = promotion(con, config, model, "better", comparison=learned.comparison)
                promotions.add(con, run.id, one)
        run.finish(
            {
                "promoted": learned.model, "why": learned.why, "passages": learned.passages,
                "documents": learned.documents, "comparison": learned.comparison or {},
            }
        )  # fmt: skip
