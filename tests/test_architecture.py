"""What may import what."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = [
    "torch",
    "spacy",
    "duckdb",
    "prefect",
    "sklearn",
    "pyarrow",
    "numpy",
    "sentence_transformers",
    "rich.table",
]


def test_data_flows_one_way():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["qinlp.cli", "qinlp", "qinlp.config", "qinlp.records"])
def test_what_is_imported_at_once_is_light(module):
    asked = f"import sys, {module}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
