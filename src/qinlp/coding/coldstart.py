"""Code at once with a codebook that nobody has labelled passages for.

Every code gets a direction in the encoder's space. It starts where the code's definition differs
from the other definitions, and a ridge regression (Hoerl and Kennard 1970) over definitions and
examples moves it, the further the more examples there are. A likeness means little in itself, so
one small logistic regression, fitted over the codes of codebooks that *do* have labelled
passages, turns likenesses into probabilities; it carries over because it sees no code's identity.

Definitions are told apart best by an encoder that was not tuned on other codebooks: see
docs/coldstart.md.
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

FEATURES = 2
"""How many likenesses `Prototypes.features` returns of a passage and a code."""
_STIFFNESS = 5.0
"""The ridge penalty: as many examples as this pull a direction about halfway."""
_START = 0.5
"""How long the direction is that a definition alone gives."""


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
    directions: Floats
    """Shape (dimension, codes)."""
    bias: Floats
    """Shape (codes,)."""

    @classmethod
    def of(cls, codebook: Codebook, encoder: Encoder) -> Prototypes:
        """Encode the definitions and examples of every code that may be given to a passage."""
        codes = codebook.assignable
        texts = list(dict.fromkeys(text for code in codes for text in code.examples))
        held = np.array([[text in code.examples for code in codes] for text in texts], np.bool_)
        vectors = encoder.encode([_said(code) for code in codes] + texts)
        return cls.fit(
            [code.id for code in codes],
            vectors[: len(codes)],
            vectors[len(codes) :],
            held.reshape(-1, len(codes)),
        )

    @classmethod
    def fit(cls, codes: Sequence[str], definitions: Floats, examples: Floats, held: Flags) -> Prototypes:
        """Find each code's direction.

        Args:
            codes: their ids.
            definitions: shape (codes, dimension).
            examples: shape (examples, dimension), none or more.
            held: shape (examples, codes), whether the example is one of the code.
        """
        start = np.asarray(definitions, float)
        if len(codes) > 1:
            start = start - start.mean(0)
        start = _START * start / np.maximum(np.linalg.norm(start, axis=1, keepdims=True), 1e-6)
        x = np.concatenate([definitions, examples]).astype(float)
        y = np.concatenate([np.eye(len(codes)), held])
        x_mean, y_mean = x.mean(0), y.mean(0)
        x = x - x_mean
        missing = y - y_mean - x @ start.T
        directions = start.T + x.T @ np.linalg.solve(x @ x.T + _STIFFNESS * np.eye(len(x)), missing)
        return cls(tuple(codes), directions, y_mean - x_mean @ directions)

    def features(self, vectors: Floats) -> Floats:
        """Return likenesses, shape (passages, codes, 2).

        They are: to the code, and the same less its mean over all codes.
        """
        likeness = vectors @ self.directions + self.bias
        return np.stack([likeness, likeness - likeness.mean(1, keepdims=True)], axis=2)


def _said(code: Code) -> str:
    return ". ".join((code.name, *code.synonyms, code.definition))


def calibrate(found: Sequence[tuple[Floats, Flags, Flags]]) -> Similarity:
    """Fit the one regression over (features, present, counted) of several labelled codebooks."""
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([features[counted] for features, _, counted in found])
    y = np.concatenate([present[counted] for _, present, counted in found])
    fitted = LogisticRegression(C=100.0, max_iter=500).fit(x, y)
    p = fitted.predict_proba(x)[:, 1]
    threshold = f1_threshold(p, y)
    low, high = unsure_band(p, y, threshold)[:2]
    return Similarity(
        tuple(float(w) for w in fitted.coef_[0]), float(fitted.intercept_[0]), threshold, low, high
    )


@dataclass(frozen=True)
class ColdStart:
    """A coder made of a codebook's own words; the same face as `heads.Heads`.

    The vectors that it is given must come from `encoder`.
    """

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
        return tuple(code.id for code in self.book.assignable)

    @cached_property
    def prototypes(self) -> Prototypes:
        """What the codes look like to the encoder; made when first needed."""
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
