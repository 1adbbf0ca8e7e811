"""Labelled passages become a model, or the model learns from what people reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, learning, show, steps, training

from .parts import AGAIN


@task(cache_policy=NO_CACHE, task_run_name="train {name}")
def fit(labelled: Sequence[Path], name: str, to: Path, encoder: str) -> Path:
    """Train heads on an encoder's vectors."""
    return training.train(labelled, name=name, to=to, encoder=encoder)


@task(**AGAIN, task_run_name="learn from judgements")
def learn(project: Path) -> steps.Learned:
    """Let the model learn from judgements; it is taken into use where it is better."""
    with show.progress() as watch:
        return learning.learn(config.load(project), watch)


@flow(name="train", flow_run_name="train {name}")
def train(
    project: Path, labelled: list[Path] | None = None, name: str = "my-model", encoder: str = "qinlp-minilm"
) -> Path | steps.Learned:
    """Train a model into the project's `models/` folder.

    Where no files of labels are given and people have reviewed passages, the model in use learns from
    those. Else the files in the project's `labelled/` folder are taken, and qinlp's own where there are
    none.
    """
    if labelled is None and steps.labelled(config.load(project)):
        return learn(project)
    labelled = labelled or sorted((project / "labelled").glob("*.jsonl"))
    return fit(labelled, name, config.load(project).model_folders[0], encoder)
