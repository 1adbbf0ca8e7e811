"""Labelled passages become a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from qinlp import config, training


@task(cache_policy=NO_CACHE, task_run_name="train {name}")
def fit(labelled: Sequence[Path], name: str, to: Path, encoder: str) -> Path:
    """Train heads on an encoder's vectors."""
    return training.train(labelled, name=name, to=to, encoder=encoder)


@flow(name="train", flow_run_name="train {name}")
def train(
    project: Path, labelled: list[Path] | None = None, name: str = "my-model", encoder: str = "qinlp-minilm"
) -> Path:
    """Train a model into the project's `models/` folder.

    Where no files of labels are given, those in the project's `labelled/` folder are taken, and qinlp's
    own where there are none.
    """
    labelled = labelled or sorted((project / "labelled").glob("*.jsonl"))
    return fit(labelled, name, config.load(project).model_folders[0], encoder)
