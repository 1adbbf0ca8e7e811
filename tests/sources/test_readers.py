"""What every registered reader must do; a new one is tested by being registered."""

import random
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qinlp import sources
from qinlp.errors import SourceError
from qinlp.sources import READERS, files_in, reader_for

NAMES = sorted(READERS)
FAST = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", NAMES)
def test_example_is_there_and_read_by_its_reader(name, examples, sound):
    assert name in examples, f"put a small fictional file at tests/fixtures/sources/{name}.*"
    path = examples[name]
    assert reader_for(path).name == name
    documents = sound(sources.read(path))
    assert documents
    assert all(document.source == str(path) for document in documents)
    assert READERS[name].about


@pytest.mark.parametrize("name", NAMES)
@given(noise=st.binary(min_size=1, max_size=300))
@FAST
def test_only_source_errors_on_noise(name, noise, tmp_path, sound):
    for suffix in READERS[name].suffixes:
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(noise)
        for read in (sources.read, READERS[name].read):
            try:
                sound(read(path))
            except SourceError as error:
                assert "\n" not in str(error)  # noqa: PT017
                assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**9))
@FAST
def test_only_source_errors_on_a_damaged_file(name, seed, examples, tmp_path, sound):
    raw = bytearray(examples[name].read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 3, 30])):
        place = chance.randrange(len(raw))
        damage = chance.choice(["flip", "cut", "insert", "end", "repeat"])
        if damage == "flip":
            raw[place] = chance.randrange(256)
        elif damage == "insert":
            raw[place:place] = chance.choice(
                [b"\xff\xfe", b"\0", b"\n\n", b'"', b"<", b"{", b"\xed\xa0\x80", b": ", b"\x1a"]
            )
        elif damage == "cut":
            del raw[place : place + chance.randrange(1, 20)]
        elif damage == "repeat":
            raw[place:place] = raw[place : place + 40]
        elif len(raw) > 40:
            del raw[max(place, 20) :]
        raw = raw or bytearray(b"x")
    path = tmp_path / f"damaged{examples[name].suffix}"
    path.write_bytes(raw)
    for read in (sources.read, READERS[name].read):
        try:
            sound(read(path))
        except SourceError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.ris", b"", "empty"),
        ("blank.txt", b"\xef\xbb\xbf \n\n", "empty"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n\0\0", "image"),
        ("office.csv", b"PK\x03\x04xxxx", ".xlsx"),
        ("noise.ris", bytes(range(256)) * 4, "binary"),
        ("broken.xml", b"this is no XML", "XML|neither"),
        ("html.xml", b"<html><body>Not found</body></html>", "neither"),
        ("other.json", b'{"a": 1}', "neither"),
        ("broken.json", b'{"resultList": {"result": [', "broken JSON"),
        ("words.ris", b"Only words.", "not RIS"),
        ("words.nbib", b"Only words.", "not NBIB"),
        ("words.bib", b"Only words.", "not BibTeX"),
        ("words.vtt", b"Only words.", "not WebVTT"),
        ("words.srt", b"Only words.", "not SubRip"),
        ("words.csv", b"a,b\n1,2\n", "no column"),
        ("words.docx", b"Only words.", "not a Word file"),
        ("words.xlsx", b"Only words.", "not a workbook"),
        ("words.pdf", b"Only words.", "not a PDF"),
        ("song.mp3", b"x", "suffix"),
        ("nosuffix", b"x", "no suffix"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(name, content, told, write):
    with pytest.raises(SourceError, match=told) as caught:
        list(sources.read(write(name, content)))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        sources.read(tmp_path / "gone.ris")
    with pytest.raises(SourceError, match="folder"):
        sources.read(tmp_path)
    (wrong,) = files_in([tmp_path / "gone.ris"]).wrong
    assert "no such file" in wrong


def test_pdf_of_pictures_says_so(tmp_path):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.output(str(tmp_path / "scan.pdf"))
    with pytest.raises(SourceError, match="OCR"):
        list(sources.read(tmp_path / "scan.pdf"))


def test_files_in_a_folder(examples, tmp_path, caplog):
    (tmp_path / "b" / ".hidden").mkdir(parents=True)
    for place in ("b/two.ris", "a.ris", "b/.hidden/x.ris", ".secret.ris", "b/~$lock.docx", "photo.jpg"):
        shutil.copy(examples["ris"], tmp_path / place)
    for place in ("README.md", "cases.csv", "qinlp.toml", "x.duckdb", "p.qdpx"):
        (tmp_path / place).write_text("no source")
    found = files_in([tmp_path, tmp_path / "a.ris"]).files
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.ris", "b/two.ris"]
    assert "photo.jpg" in caplog.text
    assert "README" not in caplog.text
    (wrong,) = files_in([tmp_path / "photo.jpg"]).wrong
    assert "unknown" in wrong


def test_importing_loads_no_parser():
    heavy = "rispy lxml openpyxl docx pypdf bibtexparser webvtt srt yaml charset_normalizer"
    code = f"import sys, qinlp.sources; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
