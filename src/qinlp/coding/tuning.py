"""Tune an encoder on labelled passages: encoder and one linear output a code, trained together.

It is tuned once for each fold of documents, without that fold: the tuned encoders give honest
vectors of passages they have not seen, and their averaged weights are the encoder that is kept
(model soup, Wortsman et al. 2022, arXiv 2203.05482). Multi-label cross-entropy over all codes at
once, with an output for each heading too; weights are averaged over the last steps (Polyak &
Juditsky 1992), lower layers learn more slowly (Howard & Ruder 2018, arXiv 1801.06146). What is
kept is the encoder alone: scikit-learn heads are then fitted to its vectors.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an encoder is tuned; the defaults are what the model card's scores were measured with."""

    epochs: int = 5
    batch: int = 32
    encoder_rate: float = 1.5e-4
    """Learning rate of the top layer; each layer below learns at `layer_decay` of the one above."""
    layer_decay: float = 0.9
    output_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    """Share of the steps in which the rates rise."""
    dropout: float = 0.1
    average_decay: float = 0.99
    longest: int = 128
    """Passages are cut at so many word pieces."""
    seed: int = 0


def tune(
    base: Path,
    texts: Sequence[str],
    present: Flags,
    counted: Flags,
    out: Path,
    recipe: Recipe | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,  # noqa: ARG005
) -> Path:
    """Tune the encoder in folder `base` and write it to `out`, in half precision.

    Args:
        base: a sentence-transformers folder of a BERT-like encoder with mean pooling.
        texts: the passages.
        present: shape (passages, codes), headings included.
        counted: same shape; cells that are False (disputed) are left out of the loss.
        out: the folder to write; replaced if there is one.
        recipe: how.
        report: told the steps done, and of how many.

    Returns:
        `out`, a sentence-transformers folder.
    """
    import numpy as np
    import torch
    from torch.nn import functional
    from transformers import AutoModel, AutoTokenizer

    how = recipe or Recipe()
    torch.manual_seed(how.seed)
    generator = np.random.default_rng(how.seed)
    tokenizer = AutoTokenizer.from_pretrained(str(base))
    tokens = tokenizer(list(texts), truncation=True, max_length=how.longest).input_ids
    truth = torch.from_numpy(present.astype(np.float32))
    mask = torch.from_numpy(counted.astype(np.float32))
    encoder = AutoModel.from_pretrained(str(base), attn_implementation="eager", dtype=torch.float32)
    network = _network(encoder, truth, how.dropout)
    groups = _rates(network, encoder.config.num_hidden_layers, how)
    tuned = [parameter for group in groups for parameter in group["params"]]
    average = [parameter.detach().clone() for parameter in tuned]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    steps = math.ceil(len(tokens) / how.batch) * how.epochs
    rising = how.warmup * steps
    step = 0
    network.train()
    for _ in range(how.epochs):
        for batch in _batches([len(t) for t in tokens], how.batch, generator):
            share = min(1.0, (step + 1) / rising) * max(0.02, 1 - max(0.0, step - rising) / (steps - rising))
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * share
            ids, attention = _padded([tokens[i] for i in batch], tokenizer.pad_token_id)
            with torch.autocast("cpu", torch.bfloat16):
                scores = network(ids, attention)
            loss = functional.binary_cross_entropy_with_logits(
                scores.float(), truth[batch], weight=mask[batch], reduction="none"
            )
            optimiser.zero_grad(set_to_none=True)
            loss.sum(1).mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(tuned, 1.0)
            optimiser.step()
            step += 1
            decay = min(how.average_decay, (1 + step) / (10 + step))
            with torch.no_grad():
                for mean, parameter in zip(average, tuned, strict=True):
                    mean.lerp_(parameter.detach(), 1 - decay)
            report(step, steps)
    with torch.no_grad():
        for parameter, mean in zip(tuned, average, strict=True):
            parameter.copy_(mean)
    _save(encoder, tokenizer, out)
    return out


def average(folders: Sequence[Path], out: Path) -> Path:
    """Write an encoder whose weights are the mean of those in `folders`, all tuned from one base."""
    from safetensors.torch import load_file, save_file

    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folders[0], out)
    parts = [load_file(folder / "model.safetensors") for folder in folders]
    mean = {
        name: (sum(part[name].float() for part in parts) / len(parts)).to(tensor.dtype)  # type: ignore[union-attr]
        for name, tensor in parts[0].items()
    }
    save_file(mean, out / "model.safetensors", metadata={"format": "pt"})
    return out


def _network(encoder: Any, truth: Tensor, dropout: float) -> nn.Module:
    import torch
    from torch import nn

    class Network(nn.Module):
        """Encoder, mean pooling, one linear output a code, started at the code's base rate."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.dropout = nn.Dropout(dropout)
            self.outputs = nn.Linear(encoder.config.hidden_size, truth.shape[1])
            rate = truth.mean(0)
            with torch.no_grad():
                self.outputs.bias.copy_(torch.log((rate + 1e-3) / (1 - rate + 1e-3)))
                self.outputs.weight.mul_(0.1)

        def forward(self, ids: Tensor, attention: Tensor) -> Tensor:
            hidden = self.encoder(input_ids=ids, attention_mask=attention).last_hidden_state.float()
            weight = attention.unsqueeze(-1).float()
            scores: Tensor = self.outputs(self.dropout((hidden * weight).sum(1) / weight.sum(1)))
            return scores

    return Network()


def _rates(network: nn.Module, layers: int, how: Recipe) -> list[dict[str, Any]]:
    """Group parameters by learning rate; word embeddings stay as they are, the pooler is not used."""
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in network.named_parameters():
        if ".embeddings." in name or ".pooler." in name:
            parameter.requires_grad = False
            continue
        rate = how.output_rate
        if not name.startswith("outputs."):
            layer = int(name.split(".layer.")[1].split(".")[0])
            rate = how.encoder_rate * how.layer_decay ** (layers - 1 - layer)
        decay = how.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _batches(lengths: Sequence[int], size: int, generator: np.random.Generator) -> Iterator[list[int]]:
    """Give batches of passages of like length, in random order."""
    order = generator.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), size * 50):
        part = sorted(order[start : start + size * 50].tolist(), key=lambda i: lengths[i])
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    for at in generator.permutation(len(batches)):
        yield batches[at]


def _padded(sequences: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    import torch

    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad, dtype=torch.long)
    attention = torch.zeros_like(ids)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = torch.tensor(sequence)
        attention[i, : len(sequence)] = 1
    return ids, attention


def _save(encoder: Any, tokenizer: Any, out: Path) -> None:
    from safetensors.torch import load_file, save_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    shutil.rmtree(out, ignore_errors=True)
    plain = out / "plain"
    encoder.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    modules = [Transformer(str(plain), max_seq_length=256), Pooling(encoder.config.hidden_size, "mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(out), create_model_card=False)
    shutil.rmtree(plain)
    weights = out / "model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(weights).items()}
    save_file(half, weights, metadata={"format": "pt"})
