"""The model learns from what people judged: heads refitted, compared, and taken into use only when better.

Learning goes on from the base model, the one in use before any learned, and always from all judgements that
stand; the encoder stays. The passages that the base was trained on are not needed: what they taught is in
its heads, and a new head listens to the old one (`coding.heads.refit`). A codebook that the base knows only
by its words gets heads of its own for the codes that people gave often enough.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp import __version__, report, steps
from qinlp.codebook import find as find_codebook
from qinlp.coding import card, evaluation, heads
from qinlp.coding.calibration import Goal
from qinlp.coding.heads import Heads
from qinlp.coding.model import decide, find, rolled_up, save
from qinlp.errors import ModelError
from qinlp.steps import Learned, Watch, unwatched
from qinlp.training import cells_of, write_evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qinlp.codebook import Codebook
    from qinlp.coding.evaluation import Judged
    from qinlp.coding.model import Coder, Model
    from qinlp.config import Config
    from qinlp.embeddings import Encoder
    from qinlp.records import Labelled

    Floats = NDArray[np.floating[Any]]
    Places = NDArray[np.intp]

FEWEST_PASSAGES = 50
"""A codebook is learned from no fewer passages ..."""
FEWEST_DOCUMENTS = 10
"""... of no fewer documents."""
FOLDS = 5
LEARNED = "learned.parquet"


@dataclass(frozen=True)
class Taught:
    """One codebook as the base knows it, and the passages that people coded with it."""

    book: Codebook
    base: Model
    rows: Sequence[Labelled]
    vectors: Mapping[str, Floats] = field(repr=False)
    """Shape (rows, dimension), by the fingerprint of the encoder."""

    @property
    def groups(self) -> list[str]:
        """The document of each row."""
        return [row.group for row in self.rows]

    def learn(self, at: Places) -> tuple[Coder, frozenset[str]]:
        """Return the coder that has learned from the passages `at`, and the codes that it learned.

        That is the base's own coder where they are too few.
        """
        old = self.base.coder_named(self.base.coder_name(self.book), self.book)
        rows = [self.rows[i] for i in at]
        groups = [row.group for row in rows]
        if len(set(groups)) < FOLDS:
            return old, frozenset()
        present, counted = cells_of(self.book, rows)
        vectors = self.vectors[self.base.encoder.fingerprint][at]
        codes = [code.id for code in self.book.codes]
        parents = {code.id: code.parent for code in self.book.codes}
        goal = Goal.of(old.origin)
        if isinstance(old, Heads):
            return heads.refit(old, codes, vectors, present, counted, groups, parents=parents, goal=goal)
        if not ((present & counted).sum(0) >= heads.FEWEST).any():
            return old, frozenset()
        new = heads.train(
            self.book.id, self.book.hash, codes, vectors, present, counted, groups, parents=parents, goal=goal
        )
        return new.heads, frozenset(new.heads.codes)

    def said(self, coder: Coder, at: Places) -> tuple[Floats, NDArray[np.bool_]]:
        """Return what a coder says of the passages `at`, shape (passages, codes of the codebook) each.

        A code that it does not know is never there.
        """
        read_by = self.base.encoder if isinstance(coder, Heads) else self.base.encoder_for(self.book)
        column = {code.id: i for i, code in enumerate(self.book.codes)}
        known = [code in column for code in coder.codes]
        given = rolled_up(self.book, coder.codes, coder.probabilities(self.vectors[read_by.fingerprint][at]))
        decided = decide(self.book, coder, given)
        places = [column[code] for code in coder.codes if code in column]
        probabilities = np.zeros((len(at), len(column)))
        decisions = np.zeros((len(at), len(column)), bool)
        probabilities[:, places], decisions[:, places] = given[:, known], decided[:, known]
        return probabilities, decisions


@dataclass(frozen=True)
class Examined:
    """What a codebook's new coder says, and how it compares with the one in use."""

    taught: Taught
    coder: Heads
    """It has learned from all passages."""
    learned: frozenset[str]
    judged: Judged
    """What coders said that had not seen the document."""
    compared: Mapping[str, float]

    @property
    def better(self) -> bool:
        """Whether the whole interval of the difference is above nothing."""
        return self.compared["low"] > 0

    @property
    def worse(self) -> bool:
        """Whether the whole interval of the difference is below nothing."""
        return self.compared["high"] < 0

    def __str__(self) -> str:
        c = self.compared
        return (
            f"{self.taught.book.id} macro-F1 {c['now']:.2f}, before {c['before']:.2f} "
            f"({c['difference']:+.2f}, 95% {c['low']:+.2f} to {c['high']:+.2f})"
        )


def learn(config: Config, watch: Watch = unwatched) -> Learned:
    """Learn from what people judged, and take the new model into use if it is better.

    It is better where the interval of the difference in macro-F1 is above nothing for one codebook at
    least, and below nothing for none. What was tried is kept, so that the same judgements are not tried
    again. The same judgements on the same day give the same model.

    Raises:
        CodebookError: a codebook of the configuration is unknown.
        ModelError: the model in use, or the one it learned upon, is missing or damaged.
    """
    from threadpoolctl import threadpool_limits

    steps.carry(config, watch)
    with threadpool_limits(1, "blas"):
        return _learn(config, watch)


def _learn(config: Config, watch: Watch) -> Learned:
    used = steps.find_model(config)
    base = find(used.card["base"], [used.folder.parent]) if "base" in used.card else used
    lesson = steps.lesson(config, base.name)
    if lesson.tried:
        return Learned("nothing was judged since the last training from judgements")
    examined, why = [], []
    for name in config.coding.codebooks:
        book = find_codebook(name, config.codebook_folders)
        rows = [row for row in lesson.rows if row.coded_with(book.id)]
        documents = len({row.group for row in rows})
        if len(rows) < FEWEST_PASSAGES or documents < FEWEST_DOCUMENTS:
            why.append(
                f"{name} {len(rows)} of {FEWEST_PASSAGES} passages, "
                f"{documents} of {FEWEST_DOCUMENTS} documents"
            )
            continue
        watch(f"learning {name}", 0, FOLDS)
        readers = {one.fingerprint: one for one in (base.encoder, base.encoder_for(book))}
        taught = Taught(book, base, rows, _read(config, readers, rows))
        if found := examine(taught, _learned(used, book.id), watch):
            examined.append(found)
        else:
            why.append(f"{name} has no code that {heads.FEWEST} passages hold")
    if not examined:
        return Learned(
            f"too little is judged: {'; '.join(why)}; review more, whole passages of more documents"
        )
    better = any(one.better for one in examined) and not any(one.worse for one in examined)
    shown = "; ".join(map(str, examined))
    documents = len({group for one in examined for group in one.taught.groups})
    passages = len({row.id for one in examined for row in one.taught.rows})
    comparison = {one.taught.book.id: dict(one.compared) for one in examined}
    if not better:
        worse = [one.taught.book.id for one in examined if one.worse]
        reason = f"worse with {', '.join(worse)}" if worse else "not surely better"
        learned = Learned(f"{used.name} stays, {reason}: {shown}", "", passages, documents, comparison)
        steps.note_attempt(config, lesson, learned)
        return learned
    folder = _write(config, base, used, examined, lesson.judgements)
    learned = Learned(
        f"{folder.name} is in use instead of {used.name}: {shown}",
        folder.name,
        passages,
        documents,
        comparison,
    )
    steps.note_attempt(config, lesson, learned, find(folder.name, [folder.parent]))
    return learned


def examine(taught: Taught, seen: frozenset[str], watch: Watch = unwatched) -> Examined | None:
    """Compare learning from all passages with the coder in use, on documents that neither has seen.

    Documents are dealt into folds. Each fold is coded by heads that learned from the rest. If the
    model in use itself learned from judged passages (`seen`), it would be flattered by them: it is
    stood in for by heads that learned, in the same way, from those of `seen` that are not in the fold,
    with the labels as they stand now. Otherwise it is used as it is.

    Returns:
        None where no code is given often enough.
    """
    coder, learned = taught.learn(np.arange(len(taught.rows)))
    if not learned or not isinstance(coder, Heads):
        return None
    shape = len(taught.rows), len(taught.book.codes)
    now = np.zeros(shape), np.zeros(shape, bool)
    before = np.zeros(shape), np.zeros(shape, bool)
    known = np.flatnonzero([row.id in seen for row in taught.rows])
    tests = heads.folds(taught.groups, FOLDS)
    for done, test in enumerate(tests, 1):
        rest = np.setdiff1d(np.arange(len(taught.rows)), test)
        for answers, at in ((now, rest), (before, np.setdiff1d(known, test))):
            answers[0][test], answers[1][test] = taught.said(taught.learn(at)[0], test)
        watch(f"learning {taught.book.id}", done, FOLDS)
    codes = [code.id for code in taught.book.codes]
    one, other = (evaluation.judge(taught.book, codes, *said, taught.rows) for said in (now, before))
    if not one.assignable.any():
        return None
    of = one.assignable
    scores = [
        evaluation.macro_f1(j.decisions[:, of], j.present[:, of], j.counted[:, of]) for j in (other, one)
    ]
    new = {code for code, may in zip(one.codes, of, strict=True) if may} & learned
    compared = evaluation.compare(one, other, taught.rows) | {
        "before": round(scores[0], 4), "now": round(scores[1], 4), "codes": int(of.sum()),
        "passages": len(taught.rows), "learned": len(new),
    }  # fmt: skip
    return Examined(taught, coder, learned, one, compared)


def _read(config: Config, readers: Mapping[str, Encoder], rows: Sequence[Labelled]) -> dict[str, Floats]:
    return {fingerprint: steps.vectors(config, reader, rows) for fingerprint, reader in readers.items()}


def _learned(model: Model, codebook: str) -> frozenset[str]:
    """Return the passages that a model learned from with a codebook."""
    if "base" not in model.card:
        return frozenset()
    from pyarrow import parquet

    path = model.folder / LEARNED
    try:
        found = parquet.read_table(path, filters=[("codebook", "=", codebook)])
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be read ({error}); take the model before with `qinlp model rollback`"
        ) from None
    return frozenset(found["passage_id"].to_pylist())


def _write(config: Config, base: Model, used: Model, examined: Sequence[Examined], judgements: str) -> Path:
    """Write the new model's folder, whole or not at all, and return it.

    One that is there was written by a training that was cut off before it took the model into use.
    """
    import pyarrow as pa
    from pyarrow import parquet

    models, now = config.model_folders[0], datetime.now(UTC)
    project = "-".join(re.findall(r"[a-z0-9]+", report.title(config).lower())) or "project"
    folder = models / f"{project}-{now:%Y-%m-%d}-{judgements[:8]}"
    if (folder / "card.json").exists():
        return folder
    models.mkdir(exist_ok=True)
    new = {one.taught.book.id: one for one in examined}
    whole = _card(folder.name, base, used, new, now)
    books = [
        new[name].taught.book if name in new else base.codebook(name) for name in base.trained.keys() | new
    ]
    with TemporaryDirectory(prefix=".", dir=models) as scratch:
        draft = Path(scratch) / folder.name
        save(draft, [one.coder for one in examined], base.likeness, whole, card.page(whole), books)
        for name, path in base.trained.items():
            if name not in new:
                shutil.copy(path, draft / "heads")
        write_evidence(draft, [(one.judged, list(one.taught.rows)) for one in examined])
        seen = [(row.id, one.taught.book.id) for one in examined for row in one.taught.rows]
        ids, names = zip(*seen, strict=True)
        parquet.write_table(pa.table({"passage_id": ids, "codebook": names}), draft / LEARNED)
        draft.rename(folder)
    return folder


def _card(name: str, base: Model, used: Model, new: Mapping[str, Examined], now: datetime) -> dict[str, Any]:
    rows = {row.id: row for one in new.values() for row in one.taught.rows}
    own, old = base.folder / "encoder", base.card
    return {
        "name": name,
        "qinlp": __version__,
        "made": now.date().isoformat(),
        "encoder_fingerprint": base.encoder.fingerprint,
        "encoder": base.name if own.is_dir() else old["encoder"],
        "tuned_from": old.get("tuned_from", ""),
        "recipe": {},
        "base": base.name,
        "replaces": used.name,
        "learned": sorted(new),
        "compared": {book: dict(one.compared) for book, one in new.items()},
        "data": [
            *(f"as {base.name}: {line}" for line in old.get("data", ())),
            f"{len(rows)} passages of the project, reviewed by people",
        ],
        "notes": [*old.get("notes", ())],
        "kinds": dict(Counter(row.kind for row in rows.values())),
        "documents": len({row.group for row in rows.values()}),
        "scores": [
            *(one for one in old.get("scores", ()) if one["codebook"] not in new),
            *(evaluation.summary(one.judged, one.taught.rows) for one in new.values()),
        ],
        "unsure": [
            *(
                one
                for one in old.get("unsure", ())
                if not {label.split("/")[0] for label in one} & new.keys()
            ),
            *(_unsure(one) for one in new.values()),
        ],
    }


def _unsure(one: Examined) -> dict[str, dict[str, float]]:
    """Return, by code, the share of the passages that waits for a person and the errors to expect."""
    place = {code: i for i, code in enumerate(one.judged.codes)}
    h, p = one.coder, one.judged.probabilities
    return {
        f"{h.codebook}/{code}": {
            "review": round(
                float(
                    ((p[:, place[code]] >= h.unsure_from[i]) & (p[:, place[code]] <= h.unsure_to[i])).mean()
                ),
                3,
            ),
            "wrong": round(float(h.wrong[i]), 3),
            "missed": round(float(h.missed[i]), 3),
        }
        for i, code in enumerate(h.codes)
        if code in place
    }
