"""Code at once with a codebook that nobody has labelled passages for.

A passage is compared with each code's definition and examples (nearest-prototype classification
in the manner of Snell et al. 2017, arXiv 1703.05175). Similarities mean little in themselves, so
one small logistic regression, fitted over the codes of codebooks that *do* have labelled
passages, turns them into probabilities; it carries over because it sees no code's identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from qinlp.coding.calibration import f1_threshold, unsure_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qinlp.codebook import Code, Codebook
    from qinlp.embeddings import Encoder

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Similarity:
    """From likeness to probability: weights of the features that `features` returns."""

    weights: tuple[float, ...]
    bias: float
    threshold: float
    unsure_from: float
    unsure_to: float


@dataclass(frozen=True)
class Prototypes:
    """What a codebook's assignable codes look like to an encoder."""

    codes: tuple[str, ...]
    definitions: Floats
    """Shape (codes, dimension)."""
    examples: Floats
    """Shape (examples, dimension)."""
    owner: NDArray[np.intp]
    """For each example, the position of its code."""

    @classmethod
    def of(cls, codebook: Codebook, encoder: Encoder) -> Prototypes:
        """Encode the definitions and examples of every code that may be given to a passage."""
        codes = [code for code in codebook.codes if code.assignable]
        examples = [(i, text) for i, code in enumerate(codes) for text in code.examples]
        vectors = encoder.encode([_said(code) for code in codes] + [text for _, text in examples])
        return cls(
            tuple(code.id for code in codes),
            vectors[: len(codes)],
            vectors[len(codes) :],
            np.array([i for i, _ in examples], np.intp),
        )

    def features(self, vectors: Floats) -> Floats:
        """Return likenesses, shape (passages, codes, 4).

        They are: to the definition, to the likest example, to the mean of the examples, and the
        last one again less its mean over all codes.
        """
        definition = vectors @ self.definitions.T
        nearest = np.copy(definition)
        mean = np.copy(definition)
        if len(self.owner):
            each = vectors @ self.examples.T
            for i in np.unique(self.owner):
                own = each[:, self.owner == i]
                nearest[:, i], mean[:, i] = own.max(1), own.mean(1)
        relative = mean - mean.mean(1, keepdims=True)
        return np.stack([definition, nearest, mean, relative], axis=2)


def _said(code: Code) -> str:
    return ". ".join((code.name, *code.synonyms, code.definition))


def calibrate(found: Sequence[tuple[Floats, Flags, Flags]]) -> Similarity:
    """Fit the one regression over (features, present, counted) of several labelled codebooks."""
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([features[counted] for features, _, counted in found])
    y = np.concatenate([present[counted] for _, present, counted in found])
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(x, y)
    p = fitted.predict_proba(x)[:, 1]
    threshold = f1_threshold(p, y)
    low, high = unsure_band(p, y, threshold)
    return Similarity(
        tuple(float(w) for w in fitted.coef_[0]), float(fitted.intercept_[0]), threshold, low, high
    )


@dataclass(frozen=True)
class ColdStart:
    """A coder made of a codebook's own words; the same face as `heads.Heads`."""

    book: Codebook
    encoder: Encoder
    similarity: Similarity
    origin: str = "cold start: likeness to definitions and examples; threshold pooled over other codebooks"

    @property
    def codebook(self) -> str:
        """The codebook's id."""
        return self.book.id

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The assignable codes."""
        return tuple(code.id for code in self.book.codes if code.assignable)

    @cached_property
    def prototypes(self) -> Prototypes:
        """The encoded definitions and examples; made when first needed."""
        return Prototypes.of(self.book, self.encoder)

    @property
    def threshold(self) -> Floats:
        """Shape (codes,)."""
        return np.full(len(self.codes), self.similarity.threshold)

    @property
    def unsure_from(self) -> Floats:
        """Shape (codes,)."""
        return np.full(len(self.codes), self.similarity.unsure_from)

    @property
    def unsure_to(self) -> Floats:
        """Shape (codes,)."""
        return np.full(len(self.codes), self.similarity.unsure_to)

    def probabilities(self, vectors: Floats) -> Floats:
        """Return probabilities, shape (passages, codes), of vectors (passages, dimension)."""
        score = self.prototypes.features(vectors) @ np.array(self.similarity.weights) + self.similarity.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))), np.float32)
