"""A model: a folder with an encoder, heads for some codebooks, and a card.

models/<name>/
    card.json       what it is made of and how good it is
    README.md       the same for people
    heads/          the heads, one skops file a codebook
    cold.json       the similarity calibration for codebooks without heads
    encoder/        a sentence-transformers folder; absent where the base encoder or another model's is used
    learned.parquet which judged passages it learned from (see `learning`): passage_id, codebook
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from qinlp import shipped
from qinlp.codebook import find as find_codebook
from qinlp.coding.coldstart import ColdStart, Similarity
from qinlp.coding.heads import Heads
from qinlp.embeddings import Encoder, Joined, SentenceTransformerEncoder, base_folder, parts
from qinlp.errors import ModelError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qinlp.codebook import Codebook

    Floats = NDArray[np.floating[Any]]

Cell = TypeVar("Cell", bound=np.generic)


class Coder(Protocol):
    """Gives each code of one codebook a probability on each vector, and decides."""

    @property
    def codebook(self) -> str:
        """The codebook's id."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes it knows."""

    @property
    def origin(self) -> str:
        """How it came about and how its thresholds were chosen."""

    @property
    def threshold(self) -> Floats:
        """Decided present from this probability on; shape (codes,)."""

    @property
    def unsure_from(self) -> Floats:
        """Unsure from here; shape (codes,)."""

    @property
    def unsure_to(self) -> Floats:
        """Unsure up to here; shape (codes,)."""

    def probabilities(self, vectors: Floats) -> Floats:
        """Return probabilities, shape (passages, codes)."""


@dataclass(frozen=True)
class Model:
    """A model folder, read when it is needed; each encoder and coder once.

    It travels by name: the process that it is sent to finds its own copy (see `received`), and
    `part` and `coder_named` refuse to work there with any other than was meant.
    """

    folder: Path
    card: Mapping[str, Any] = field(repr=False)
    _coders: dict[str, Coder] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return received, (self.name, self.folder.parent.resolve(), self.encoder.fingerprint)

    @property
    def name(self) -> str:
        """Its folder's name."""
        return self.folder.name

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder whose vectors the heads were trained on."""
        own, name = self.folder / "encoder", self.card["encoder"]
        if own.is_dir():
            return SentenceTransformerEncoder(str(own))
        beside = self.folder.parent / name
        return encoder_named(str(beside) if (beside / "card.json").exists() else name)

    @cached_property
    def general(self) -> Encoder:
        """The encoder that a cold start compares with: a tuned one beside the one it was tuned from."""
        return general(self.encoder, self.card.get("tuned_from"))

    def encoder_for(self, codebook: Codebook) -> Encoder:
        """Return the encoder whose vectors the codebook's coder takes."""
        return self.encoder if codebook.id in self.trained else self.general

    @cached_property
    def trained(self) -> Mapping[str, Path]:
        """The files of the trained heads by codebook id."""
        return {path.stem: path for path in sorted((self.folder / "heads").glob("*.skops"))}

    def codebook(self, name: str) -> Codebook:
        """Return a codebook that it has heads for, its own copy before the shipped one."""
        return find_codebook(name, [self.folder / "codebooks"])

    def coder(self, codebook: Codebook) -> Coder:
        """Return the trained heads of a codebook, or a cold start from its definitions.

        Raises:
            ModelError: a file is missing, damaged, or holds types that skops does not trust.
        """
        path = self.trained.get(codebook.id)
        if path is not None:
            return load_heads(path)
        return ColdStart(codebook, self.general, self.likeness)

    @property
    def likeness(self) -> Similarity:
        """What likeness to a codebook's words is worth, for a cold start."""
        parts = json.loads(self._file("cold.json").decode())
        return Similarity(**{**parts, "weights": tuple(parts["weights"])})

    @property
    def fingerprint(self) -> str:
        """Names its heads and its cold start."""
        digest = hashlib.sha256(self._file("cold.json"))
        for path in self.trained.values():
            digest.update(self._file(f"heads/{path.name}"))
        return digest.hexdigest()[:12]

    def coder_name(self, codebook: Codebook) -> str:
        """Return how codings name this coder: the model and a hash of all that decides a coding.

        A model that learned from judgements codes with its base's own coders what it did not learn,
        so nothing of that is coded anew.
        """
        path = self.trained.get(codebook.id)
        made_of = self._file(f"heads/{path.name}" if path else "cold.json")
        own = "" if path else codebook.hash
        read_by = self.encoder_for(codebook).fingerprint
        digest = hashlib.sha256(made_of + own.encode() + read_by.encode())
        own_coder = "base" not in self.card or codebook.id in self.card["learned"]
        return f"{self.name if own_coder else self.card['base']}@{digest.hexdigest()[:12]}"

    def part(self, fingerprint: str) -> Encoder:
        """Return the encoder whose vectors are kept under a fingerprint.

        Raises:
            ModelError: it has another one here than where the work was planned.
        """
        for name in ("encoder", "general"):  # the second may read another model: only if need be
            for part in parts(getattr(self, name)):
                if part.fingerprint == fingerprint:
                    return part
        raise self._other("encoder", self.encoder.fingerprint, fingerprint)

    def coder_named(self, name: str, codebook: Codebook) -> Coder:
        """Return the coder that codings name so (see `coder_name`), loaded once.

        Raises:
            ModelError: it is another one here than where the work was planned.
        """
        if (here := self.coder_name(codebook)) != name:
            raise self._other(f"coder for {codebook.id}", here, name)
        if name not in self._coders:
            self._coders[name] = self.coder(codebook)
        return self._coders[name]

    def _other(self, what: str, here: str, wanted: str) -> ModelError:
        return ModelError(
            f"{self.folder} on {platform.node()}: its {what} is {here}, not {wanted} as where the run began; "
            "put the same qinlp and model there, on processors that compute in the same precision"
        )

    def _file(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise ModelError(
                f"{self.folder / name}: cannot be read ({error.strerror}); train it again with `qinlp train`"
            ) from None


def load_heads(path: Path) -> Heads:
    """Read one codebook's heads.

    Raises:
        ModelError: the file is missing, damaged, or holds types that skops does not trust.
    """
    from skops.io import load

    try:
        return Heads(**load(path))
    except Exception as error:
        raise ModelError(f"{path}: no heads in it ({error}); train them again with `qinlp train`") from error


def rolled_up(codebook: Codebook, codes: Sequence[str], probabilities: NDArray[Cell]) -> NDArray[Cell]:
    """Return probabilities (or decisions) in which a code is at least as probable as each of its parts."""
    column = {code: i for i, code in enumerate(codes)}
    rolled = probabilities.copy()
    for code in reversed(codebook.codes):  # children stand after their parents
        at, above = column.get(code.id), column.get(code.parent or "")
        if at is not None and above is not None:
            np.maximum(rolled[:, above], rolled[:, at], out=rolled[:, above])
    return rolled


def decide(codebook: Codebook, coder: Coder, probabilities: Floats) -> NDArray[np.bool_]:
    """Return which codes are decided present, shape as `probabilities`.

    A code is present where it passes its threshold or one of its parts does; in an exclusive
    codebook only the likeliest of those that pass.
    """
    return settle(codebook, coder.codes, probabilities, probabilities >= coder.threshold)


def settle(
    codebook: Codebook, codes: Sequence[str], probabilities: Floats, passed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return what is decided present, of the codes that `passed` their threshold."""
    if codebook.exclusive:
        likeliest = np.where(passed, probabilities, -1).argmax(1)[:, None]
        return np.asarray(passed & (likeliest == np.arange(len(codes))))
    return rolled_up(codebook, codes, passed)


def find(name: str, folders: Sequence[Path] = ()) -> Model:
    """Return the model of that name from the given folders or the shipped ones.

    Raises:
        ModelError: there is none; names the nearest.
    """
    known: dict[str, Path] = {}
    for folder in (*folders, shipped.folder("models")):
        for card in sorted(folder.glob("*/card.json")):
            known.setdefault(card.parent.name, card.parent)
    if name not in known:
        raise ModelError(f"no model {name!r}; {nearest(name, known)}")
    path = known[name] / "card.json"
    try:
        return Model(known[name], json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); train it again with `qinlp train`") from None


@lru_cache(maxsize=2)
def received(name: str, folder: Path, fingerprint: str) -> Model:  # noqa: ARG001
    """Return this process's copy of a model that was sent to it: from `folder`, or the shipped one.

    It is kept, with what it has loaded, until one with another encoder (`fingerprint`) is sent.

    Raises:
        ModelError: it is in neither place.
    """
    return find(name, [folder])


def named(name_or_folder: str) -> Model:
    """Return a shipped model by name, or the model in a folder."""
    folder = Path(name_or_folder)
    return find(folder.name, [folder.parent]) if (folder / "card.json").exists() else find(name_or_folder)


def encoder_named(name: str) -> Encoder:
    """Return an encoder: `base`, that of a shipped model, a folder, or a hub name with a slash in it.

    Raises:
        ModelError: it is none of these.
    """
    if name == "base":
        return SentenceTransformerEncoder(str(base_folder()))
    if (Path(name) / "modules.json").exists() or ("/" in name and not Path(name).exists()):
        return SentenceTransformerEncoder(name)
    return named(name).encoder


def general(encoder: Encoder, tuned_from: str | None) -> Encoder:
    """Return what a cold start compares with, for an encoder that may have been tuned.

    Raises:
        ModelError: the encoder that it was tuned from is unknown.
    """
    return Joined(encoder_named(tuned_from), encoder) if tuned_from else encoder


def save(
    folder: Path,
    heads: Sequence[Heads],
    cold: Similarity,
    card: Mapping[str, Any],
    page: str,
    codebooks: Sequence[Codebook] = (),
) -> None:
    """Write a model folder, with those codebooks that are not qinlp's own.

    A half-written one is never found, since its card comes last.
    """
    from skops.io import dump

    (folder / "heads").mkdir(parents=True, exist_ok=True)
    (folder / "card.json").unlink(missing_ok=True)
    for old in (folder / "heads").glob("*.skops"):
        old.unlink()
    for book in codebooks:
        if not Path(book.path).resolve().is_relative_to(shipped.folder("data/codebooks").resolve()):
            (folder / "codebooks").mkdir(exist_ok=True)
            shutil.copy(book.path, folder / "codebooks")
    for one in heads:
        dump(one.as_dict(), folder / "heads" / f"{one.codebook}.skops")
    (folder / "cold.json").write_text(json.dumps(asdict(cold), indent=2) + "\n", "utf-8")
    write_card(folder, card, page)


def write_card(folder: Path, card: Mapping[str, Any], page: str) -> None:
    """Write the card for programs and, as `page`, for people."""
    (folder / "README.md").write_text(page, "utf-8")
    (folder / "card.json").write_text(json.dumps(dict(card), indent=1, ensure_ascii=False) + "\n", "utf-8")
