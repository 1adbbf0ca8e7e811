"""Every example of every page runs, in order, in one folder."""

import re
import shutil
import sys

import pytest

MAKE = sys.modules["docs_make"]
PAGES = [page for page in MAKE.PAGES if page.name != "README.md"]


@pytest.mark.flows
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_examples_run(page, make, sample_project, tmp_path):
    shutil.copytree(sample_project, tmp_path / "sample-project")
    printed = make.run(page, tmp_path)
    found = make.examples(page.read_text("utf-8"))
    assert found
    assert len(printed) == len(found)


@pytest.mark.parametrize("page", MAKE.PAGES, ids=[page.stem for page in MAKE.PAGES])
def test_every_output_is_filled_in(page, make):
    for one in make.examples(page.read_text("utf-8")):
        if one.shows is not None:
            assert one.shows["body"].strip(), f"{page}:{one.line}: run python docs/make.py --outputs"


def test_an_example_that_fails_says_where(make, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```sh\ncd .\n```\n\n```sh\necho so far\nfalse\n```\n", "utf-8")
    with pytest.raises(RuntimeError, match=r"page\.md:7: exit code 1\nso far"):
        make.run(page, tmp_path / "work")


def test_outputs_are_renewed_and_shortened(make):
    text = (
        "```sh\nmake run\n```\n\n```sh\nseq 9\n```\n\n```text lines=2\nold\n```\n\n```text\nno output\n```\n"
    )
    line = make.examples(text)[0].line
    new = make.renewed(text, {line: "1 \n2\n3\n"})
    assert new == text.replace("old\n", "1\n2\n...\n")
    assert len(make.examples(text)) == 1  # what is the reader's to run stays theirs


def test_what_readers_run_by_hand_exists():
    root = MAKE.ROOT
    targets = set(re.findall(r"^(\w+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {t for page in MAKE.PAGES for t in re.findall(r"\bmake (\w+)\b {2,}#", page.read_text("utf-8"))}
    assert named == {"run", "test"}
    assert named <= targets
