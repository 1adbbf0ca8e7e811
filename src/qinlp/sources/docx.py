"""Word files: paragraphs and tables, turned into the lines that `transcript` and `page` read.

A bold name at the start of a paragraph becomes `**Name**:`, a two- or three-column table of
speakers and words becomes such lines too, a heading becomes `# heading`.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from qinlp.errors import SourceError
from qinlp.sources import page, transcript
from qinlp.sources.text import clean, load, squeezed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docx.table import Table
    from docx.text.paragraph import Paragraph

    from qinlp.records import Document, Rejected

_TIME = re.compile(r"[\[(]?(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d+)?[\])]?")


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the transcript in a Word file, or its pasted abstracts where nobody speaks.

    Raises:
        SourceError: the file is no Word file.
    """
    raw = load(path)
    try:
        import docx

        lines = list(_lines(docx.Document(io.BytesIO(raw))))
    except Exception as error:  # noqa: BLE001  # python-docx raises whatever a broken file makes it stumble over
        raise SourceError(
            f"{path}: not a Word file ({error!r}); save it again as .docx, or as .txt"
        ) from None
    yield from of_lines(lines, path)


def of_lines(lines: list[str], path: Path) -> Iterator[Document | Rejected]:
    """Yield the transcript in these lines, or the papers where nobody speaks.

    Raises:
        SourceError: there are no words in them.
    """
    text = clean("\n".join(lines))
    if not text.strip():
        raise SourceError(
            f"{path}: no text in the file; if it holds pictures of text, recognise that first (OCR)"
        )
    if transcript.recognises(text):
        yield transcript.from_text(text, str(path))
    else:
        yield from page.of_text(text.replace("**", ""), str(path))


def _lines(document: object) -> Iterator[str]:
    from docx.table import Table

    for block in document.iter_inner_content():  # type: ignore[attr-defined] # docx.Document is a function's result
        if isinstance(block, Table):
            yield from _rows(block)
        else:
            yield from _paragraph(block).split("\n")
            yield ""


def _paragraph(paragraph: Paragraph) -> str:
    text = paragraph.text
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    if style.startswith(("Heading", "Title")) and text.strip():
        return f"# {squeezed(text)}"
    bold = ""
    for run in paragraph.runs:
        if not run.bold and run.text.strip():
            break
        bold += run.text
    name = bold.strip()
    rest = text.lstrip()[len(name) :] if text.lstrip().startswith(name) else ""
    if not name or "\n" in name or len(name) > 60 or name.startswith("#"):
        return text
    colon = ":" if name.endswith(":") or rest.lstrip().startswith(":") else ""
    return f"**{name.rstrip(' :')}**{colon} {rest.lstrip(' :')}".rstrip()


def _rows(table: Table) -> Iterator[str]:
    """Yield `**Speaker**: words` for a row of a table of speech, the cells in a line for any other row."""
    rows = [[clean(cell.text).strip() for cell in row.cells] for row in table.rows]
    for cells in rows:
        time = next((cell for cell in cells if _TIME.fullmatch(cell)), "")
        rest = [cell for cell in cells if cell and cell != time]
        if len(rest) == 2 and len(rest[0]) < 60 and "\n" not in rest[0]:
            stamp = f"[{time.strip('[]()')}] " if time else ""
            if [cell.lower() for cell in rest] not in (
                ["speaker", "text"],
                ["speaker", "words"],
                ["name", "text"],
            ):
                yield f"{stamp}**{rest[0].rstrip(' :')}**: " + rest[1]
        else:
            yield " ".join(rest)
        yield ""
