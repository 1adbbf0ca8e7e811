"""Where the things that come with qinlp lie: codebooks, sample, models, flows."""

from __future__ import annotations

from pathlib import Path


def folder(name: str) -> Path:
    """Return a shipped folder (`data/codebooks`, `models`, `flows`, ...), installed or in a checkout."""
    package = Path(__file__).parent
    installed = package / "_shipped"
    return (installed if installed.is_dir() else package.parents[1]) / name
