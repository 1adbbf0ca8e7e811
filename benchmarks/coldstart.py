"""How good is a codebook that nobody labelled passages for? NHS comments with 0, 4, 16, 64 examples a label.

    python benchmarks/coldstart.py ../shared/benchmarks/nhs_comments_v6.csv [--results coldstart.jsonl]

The labels are those of `nhs.py` beside this file that have 64 comments outside the test part. Comments that
read the same but for punctuation count once. 2,000 are held out, no respondent on both sides; the examples
are drawn from the rest, `n` for each label, five times. Who draws a comment knows all its labels, so that it
is an example of each: every method is given the same comments with the same labels.

- cold start: what `qinlp code` does with a codebook that has `nhs.MEANING` for definitions and the comments
  for examples. Beside it the same with the untuned encoder alone, and with the tuned one alone.
- heads: what `qinlp train` makes of the comments, from 12 a label on: logistic regressions on the vectors of
  the untuned encoder, thresholds out of fold.
- SetFit (Tunstall et al. 2022, arXiv 2209.11055) from the untuned encoder, in a plain loop after the package
  setfit 1.2: 20 rounds of pairs, a pair is positive where the two share a label, cosine similarity loss,
  batches of 16 pairs, AdamW at 2e-5 with a tenth of warm-up, then a logistic regression a label. To bound
  its cost: bfloat16, 64 tokens while tuning, pairs of like length in a batch, and at most --steps batches.
- TF-IDF of words and pairs of words with a linear SVC a label.

Measures, over the labels: mean average precision, which needs no threshold; micro and macro F1 as each
method decides by itself (cold start and heads: their threshold; SetFit: probability 0.5; SVC: score 0); and
micro F1 where each comment gets its one likeliest label, a rule that is the same for all.

--results keeps what is done, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import nhs
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.svm import LinearSVC

from qinlp import pictures
from qinlp.codebook import Code, Codebook
from qinlp.coding import coldstart, heads
from qinlp.coding.model import Model, decide, named
from qinlp.embeddings import Encoder, Joined, base_folder, parts

SIZES = (0, 4, 16, 64)
SEEDS = range(5)
HELD_OUT = 2000
TOKENS = 64
COLD = ("cold start", "cold start, untuned encoder", "cold start, tuned encoder")
METHODS = (*COLD, "heads", "SetFit", "TF-IDF + SVC")


@dataclass(frozen=True)
class Data:
    pool: list[nhs.Comment]
    test: list[nhs.Comment]
    labels: list[str]
    present: np.ndarray
    """Shape (pool, labels)."""
    truth: np.ndarray
    """Shape (test, labels)."""


@dataclass(frozen=True)
class Said:
    """What a method says of the test part, shape (test, labels)."""

    scores: np.ndarray
    decisions: np.ndarray


def load(path: Path) -> Data:
    once = {comment.plain: comment for comment in reversed(nhs.read(path)) if nhs.EMPTY not in comment.labels}
    comments = list(once.values())[::-1]
    respondents = sorted({comment.respondent for comment in comments})
    np.random.default_rng(0).shuffle(respondents)
    size = dict.fromkeys(respondents, 0)
    for comment in comments:
        size[comment.respondent] += 1
    before = dict(zip(respondents, np.cumsum([0, *size.values()]), strict=False))
    pool = [comment for comment in comments if before[comment.respondent] >= HELD_OUT]
    test = [comment for comment in comments if before[comment.respondent] < HELD_OUT]
    labels = [label for label in nhs.MEANING if sum(label in c.labels for c in pool) >= max(SIZES)]
    return Data(pool, test, labels, nhs.matrix(pool, labels), nhs.matrix(test, labels))


def draw(data: Data, n: int, seed: int) -> list[int]:
    """Draw `n` comments for each label; they are given by their positions in the pool."""
    generator = np.random.default_rng([seed, n])
    drawn: set[int] = set()
    for label in range(len(data.labels)):
        drawn.update(generator.choice(np.flatnonzero(data.present[:, label]), n, replace=False).tolist())
    return sorted(drawn)


class Kept:
    """An encoder that remembers vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.vectors: dict[str, np.ndarray] = {}
        self.parts = [Kept(part) for part in parts(encoder)] if isinstance(encoder, Joined) else []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if isinstance(self.encoder, Joined):
            return self.encoder.join([part.encode(texts) for part in self.parts])
        new = [text for text in dict.fromkeys(texts) if text not in self.vectors]
        if new:
            self.vectors.update(zip(new, self.encoder.encode(new), strict=True))
        return np.array([self.vectors[text] for text in texts])


def cold(data: Data, drawn: Sequence[int], encoder: Kept, model: Model) -> Said:
    def examples(label: str) -> tuple[str, ...]:
        return tuple(data.pool[i].text for i in drawn if label in data.pool[i].labels)

    codes = [
        Code(f"label-{i}", label, nhs.MEANING[label], examples=examples(label))
        for i, label in enumerate(data.labels)
    ]
    book = Codebook("nhs", tuple(codes))
    coder = replace(cast("coldstart.ColdStart", model.coder(book)), encoder=encoder)
    scores = coder.probabilities(encoder.encode([comment.text for comment in data.test]))
    return Said(scores, decide(book, coder, scores))


def trained(data: Data, drawn: Sequence[int], encoder: Kept) -> Said:
    present = data.present[drawn]
    vectors = encoder.encode([data.pool[i].text for i in drawn])
    groups = [data.pool[i].respondent for i in drawn]
    made = heads.train("nhs", "", data.labels, vectors, present, np.ones_like(present), groups).heads
    scores = made.probabilities(encoder.encode([comment.text for comment in data.test]))
    return Said(scores, scores >= made.threshold)


def words(data: Data, drawn: Sequence[int]) -> Said:
    counter = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    x = counter.fit_transform([data.pool[i].text for i in drawn])
    across = counter.transform([comment.text for comment in data.test])
    scores = np.stack(
        [
            LinearSVC(class_weight="balanced").fit(x, column).decision_function(across)
            for column in data.present[drawn].T
        ],
        axis=1,
    )
    return Said(scores, scores > 0)


def setfit(data: Data, drawn: Sequence[int], seed: int, steps: int) -> Said:
    present = data.present[drawn]
    texts = [data.pool[i].text for i in drawn]
    encode = tuned(texts, present, seed, steps)
    x, across = encode(texts), encode([comment.text for comment in data.test])
    scores = np.stack(
        [LogisticRegression().fit(x, column).predict_proba(across)[:, 1] for column in present.T], axis=1
    )
    return Said(scores, scores > 0.5)


def tuned(
    texts: Sequence[str], present: np.ndarray, seed: int, steps: int
) -> Callable[[Sequence[str]], np.ndarray]:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.manual_seed(seed)
    model = SentenceTransformer(
        str(base_folder()), device="cpu", model_kwargs={"attn_implementation": "eager"}
    )
    whole, model.max_seq_length = model.max_seq_length, TOKENS
    batches = pairs(texts, present, np.random.default_rng(seed), steps)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.0, fused=True)
    warm = math.ceil(0.1 * len(batches))
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(step / warm, (len(batches) - step) / max(1, len(batches) - warm))
    )
    model.train()
    for one, two, same in batches:
        with torch.autocast("cpu", torch.bfloat16):
            vectors = model(model.preprocess([texts[i] for i in (*one, *two)]))["sentence_embedding"].float()
        likeness = torch.nn.functional.cosine_similarity(*vectors.split(len(one)))
        torch.nn.functional.mse_loss(likeness, torch.tensor(same)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        optimizer.zero_grad()
    model.eval()
    model.max_seq_length = whole

    def encode(wanted: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(wanted)), key=lambda i: len(wanted[i]))
        found = np.zeros((len(wanted), model.get_embedding_dimension()), np.float32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(order), 32):
                part = order[start : start + 32]
                features = model.preprocess([wanted[i] for i in part])
                found[part] = model(features)["sentence_embedding"].float().numpy()
        return found

    return encode


Batch = tuple[list[int], list[int], list[float]]


def pairs(
    texts: Sequence[str], present: np.ndarray, generator: np.random.Generator, steps: int
) -> list[Batch]:
    """Return batches of 16 pairs, half of them positive: 20 rounds over the texts, or `steps` batches."""
    one, two = np.triu_indices(len(texts))
    order = generator.permutation(len(one))
    one, two = one[order], two[order]
    same = (present[one] & present[two]).any(1)
    each = min(20 * len(texts), 8 * steps)
    chosen = np.concatenate([np.resize(np.flatnonzero(same), each), np.resize(np.flatnonzero(~same), each)])
    chosen = generator.permutation(chosen)
    length = np.array([len(text) for text in texts])
    found = list(_of_like_length(chosen, np.maximum(length[one], length[two])))
    generator.shuffle(found)
    return [(one[part].tolist(), two[part].tolist(), same[part].astype(float).tolist()) for part in found]


def _of_like_length(chosen: np.ndarray, length: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(chosen), 128):
        window = chosen[start : start + 128]
        window = window[np.argsort(length[window], kind="stable")]
        yield from (window[i : i + 16] for i in range(0, len(window), 16))


def measure(said: Said, truth: np.ndarray) -> dict[str, float]:
    likeliest = said.scores.argmax(1)[:, None] == np.arange(truth.shape[1])
    return {
        "mean AP": 100 * float(average_precision_score(truth, said.scores, average="macro")),
        "micro F1": 100 * float(f1_score(truth, said.decisions, average="micro", zero_division=0)),
        "macro F1": 100 * float(f1_score(truth, said.decisions, average="macro", zero_division=0)),
        "micro F1, likeliest": 100 * float(f1_score(truth, likeliest, average="micro")),
    }


MEASURES = ("mean AP", "micro F1", "macro F1", "micro F1, likeliest")


def table(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| examples a label | | " + " | ".join(MEASURES) + " | CPU s |"
    yield "|---:|---|" + "---:|" * (len(MEASURES) + 1)
    for n in SIZES:
        for method in METHODS:
            runs = [r for r in results if r["n"] == n and r["method"] == method]
            if runs:
                cells = [_spread([run[name] for run in runs]) for name in MEASURES]
                seconds = np.mean([run["CPU s"] for run in runs])
                yield f"| {n} | {method} | {' | '.join(cells)} | {seconds:.1f} |"


def _spread(found: Sequence[float]) -> str:
    sd = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
    return f"{np.mean(found):.1f}{sd}"


def plot(results: Sequence[dict[str, Any]], to: Path) -> None:
    import altair as alt

    rows = []
    for method in ("cold start", "SetFit", "TF-IDF + SVC", "heads"):
        for n in SIZES:
            found = [r["mean AP"] for r in results if r["n"] == n and r["method"] == method]
            if found:
                mean, sd = float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
                rows.append({"method": method, "n": n, "mean": mean, "low": mean - sd, "high": mean + sd})
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("n:O", title="examples a label", axis=alt.Axis(labelAngle=0)),
        color=alt.Color("method:N", title=None, scale=alt.Scale(range=pictures.PALETTE), sort=None),
    )
    up = alt.Y("mean:Q", title="mean average precision, %", scale=alt.Scale(zero=True))
    shape = alt.Shape("method:N", title=None, sort=None)
    chart = alt.layer(
        base.mark_line().encode(y=up),
        base.mark_rule().encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y=up, shape=shape),
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    pictures.save(chart.properties(width=420, height=280), to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("comments", type=Path)
    parser.add_argument("--model", default="qinlp-minilm")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--steps", type=int, default=150, help="SetFit tunes in no more batches than this")
    parser.add_argument("--results", type=Path, help="a JSONL file: what it has is not run again")
    parser.add_argument("--plot", type=Path, help="where the curve is drawn")
    arguments = parser.parse_args()
    data = load(arguments.comments)
    print(
        f"{len(data.labels)} labels, {len(data.pool)} comments to draw from, {len(data.test)} held out, "
        f"of which {int(data.truth.any(1).sum())} have one of the labels"
    )
    kept = arguments.results
    results = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    done = {(r["method"], r["n"], r["seed"]) for r in results}
    todo = [
        (method, n, seed)
        for method in METHODS
        for n in SIZES
        for seed in SEEDS
        if method in arguments.methods and (n or (method in COLD and not seed))
        and not (method == "heads" and n < heads.FEWEST) and (method, n, seed) not in done
    ]  # fmt: skip
    model = named(arguments.model)
    both = Kept(model.general)
    encoders = dict(zip(COLD, (both, *both.parts), strict=True))
    untuned = encoders[COLD[1]]
    for method, n, seed in todo:
        drawn = draw(data, n, seed)
        if method in COLD or method == "heads":
            encoders.get(method, untuned).encode([comment.text for comment in data.test])
        start = time.process_time()
        if method in COLD:
            said = cold(data, drawn, encoders[method], model)
        elif method == "heads":
            said = trained(data, drawn, untuned)
        elif method == "SetFit":
            said = setfit(data, drawn, seed, arguments.steps)
        else:
            said = words(data, drawn)
        seconds = time.process_time() - start
        found = {"method": method, "n": n, "seed": seed, "CPU s": seconds, **measure(said, data.truth)}
        results.append(found)
        if kept:
            with kept.open("a") as file:
                file.write(json.dumps(found) + "\n")
        print(method, n, seed, f"{found['mean AP']:.1f}", f"{seconds:.1f} s", flush=True)
    print("\n".join(table(results)))
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
