"""Example files, one for every registered reader, and the shared real ones where they are present."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qinlp.records import Document, Rejected

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
SHARED = Path(__file__).parents[2] / ".." / "shared"


def _docx(folder: Path) -> Path:
    import docx

    document = docx.Document()
    document.add_heading("Interview at Eastside", 1)
    for name, words in [
        ("Interviewer:", " How did you start?"),
        ("Dr Lee:", " With a meeting."),
        ("Dr Lee:", " Two."),
    ]:
        paragraph = document.add_paragraph()
        paragraph.add_run(name).bold = True
        paragraph.add_run(words)
    table = document.add_table(rows=2, cols=2)
    for row, cells in zip(
        table.rows, [("Interviewer", "And then?"), ("Dr Lee", "Nobody came.")], strict=True
    ):
        for cell, words in zip(row.cells, cells, strict=True):
            cell.text = words
    document.save(str(folder / "docx.docx"))
    return folder / "docx.docx"


def _pdf(folder: Path) -> Path:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    for number, ward in enumerate(["Ash", "Birch", "Cedar"], 1):
        pdf.add_page()
        lines = [
            "Invented Study - Interview 7",
            f"Interviewer: What did team {number} of {ward} ward think of the imple-",
            "mentation plan?",
            f"P0{number}: It was long, and we had no time to",
            f"read it on {ward}.",
            f"Page {number} of 3",
        ]
        for line in lines:
            pdf.cell(0, 8, line, new_x="LMARGIN", new_y="NEXT")
    pdf.output(str(folder / "pdf.pdf"))
    return folder / "pdf.pdf"


BUILT: dict[str, Callable[[Path], Path]] = {"docx": _docx, "pdf": _pdf}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One good file for every reader, by the reader's name."""
    folder = tmp_path_factory.mktemp("examples")
    found = {path.stem: path for path in FIXTURES.iterdir()}
    return found | {name: build(folder) for name, build in BUILT.items()}


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared real files are absent")
    return SHARED


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture(scope="session")
def sound() -> Callable[..., list[Document]]:
    return _sound


def _sound(records) -> list[Document]:
    """Check what holds for every record whatever it was read from, and return the documents."""
    documents = []
    for record in records:
        assert isinstance(record, Document | Rejected)
        if isinstance(record, Rejected):
            assert record.reason
            assert isinstance(record.raw, bytes)
            continue
        documents.append(record)
        record.text.encode()  # no lone surrogates
        assert record.title or record.text
        assert record.keys
        for span in (*record.sections, *record.turns):
            words = record.text[span.start : span.end]
            assert 0 <= span.start < span.end <= len(record.text)
            assert words == words.strip() != ""
        ends = [span.end for span in record.turns or record.sections]
        assert ends == sorted(ends)
    return documents
