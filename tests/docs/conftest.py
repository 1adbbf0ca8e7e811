"""The pages' own program, docs/make.py, loaded by its path."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _load():
    spec = importlib.util.spec_from_file_location("docs_make", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_make"] = module
    spec.loader.exec_module(module)
    return module


MAKE = _load()


@pytest.fixture(scope="session")
def make():
    return MAKE


@pytest.fixture(scope="session")
def sample_project(tmp_path_factory):
    """Return the project that the README's example makes, from files to coded passages."""
    folder = tmp_path_factory.mktemp("readme")
    printed = "".join(MAKE.run(ROOT / "README.md", folder).values())
    assert "passages coded" in printed
    return folder / "sample-project"
