"""Services that fail at random and a flow that is killed at random: in the end nothing is lost or doubled."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.flows

ROOT = Path(__file__).parents[1]


def test_nothing_is_lost_or_doubled_where_services_fail_and_flows_are_killed(tmp_path):
    spec = importlib.util.spec_from_file_location("chaos", ROOT / "benchmarks" / "chaos.py")
    chaos = importlib.util.module_from_spec(spec)
    sys.modules["chaos"] = chaos
    spec.loader.exec_module(chaos)
    done = chaos.play(tmp_path / "project", rounds=2, a_round=80, seed=4, longest=4)
    assert done.wrong == ()
    assert done.kills + done.ended == 2
    assert done.papers == 160
    assert done.requests >= done.kills
