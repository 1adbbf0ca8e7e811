"""Three reviewers code while a flow brings in documents and codes them."""

import importlib.util
import statistics
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.store

ROOT = Path(__file__).parents[1]


def test_no_judgement_is_lost_or_doubled_while_a_flow_is_at_work(tmp_path, model_folder):
    spec = importlib.util.spec_from_file_location("together", ROOT / "benchmarks" / "together.py")
    together = importlib.util.module_from_spec(spec)
    sys.modules["together"] = together
    spec.loader.exec_module(together)
    done = together.play(tmp_path / "project", 10, fake_model=model_folder, papers=40)
    assert done.errors == []
    assert (done.lost, done.doubled) == (0, 0)
    assert len(done.acknowledged) == len(done.took) >= 15
    assert done.came >= 10
    assert statistics.median(done.took) < 1
