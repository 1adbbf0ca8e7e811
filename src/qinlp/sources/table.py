"""Tables: CSV, TSV and XLSX, of papers (a row each) or of interviews (a turn each).

Columns are known by their names, whatever their case, spaces or order. A table with a column of
speakers and one of words holds interviews; any other must have a title or an abstract.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from typing import TYPE_CHECKING, Any

from qinlp.errors import SourceError
from qinlp.records import Document, Rejected
from qinlp.sources import identifiers
from qinlp.sources.papers import names, paper, terms
from qinlp.sources.text import load, load_text
from qinlp.sources.turns import Said, role_named, seconds, transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Row = list[str]

_PAPER = {
    "title": "title,primary title,article title,document title,ti,t1,paper title,study title",
    "abstract": "abstract,abstract note,ab,n2,abstract text,summary,abstracts,notes abstract",
    "authors": "authors,author,author names,author s,author full names,first authors,au,creator,author list",
    "year": "year,publication year,py,date,publication date,pub year,year published,published,y1,da",
    "journal": "journal,source title,journal title,publication title,publication name,secondary title,"
    "journal book,so,jt,jf,t2,periodical,container title,venue,journal name",
    "doi": "doi,do,di,digital object identifier,doi link",
    "pmid": "pmid,pubmed id,pm,medline pmid,pubmedid",
    "pmcid": "pmcid,pmc,pmc id",
    "openalex": "openalex,openalex id",
    "keywords": "keywords,author keywords,keyword,manual tags,kw,de,key words",
    "mesh": "mesh,mesh terms,mesh headings,mh",
    "language": "language,la,language of original document",
}
_SPEECH = {
    "speaker": "speaker,speaker name,speaker label,who,talker,speakers",
    "text": "text,utterance,transcript,content,words,speech,statement,turn,said,message,sentence",
    "interview": "interview,interview id,session,session id,document,document id,file,filename,file name,"
    "transcript id,conversation,conversation id,interview name,recording,case id",
    "wave": "set,wave,round,phase",
    "time": "time,time mark,timestamp,start,start time,begin,offset,seconds,time start",
    "role": "role,speaker type,speaker role",
}


def read(path: Path) -> Iterator[Document | Rejected]:
    """Yield the papers or the interviews of a table.

    Raises:
        SourceError: no column is known, or the file is no table.
    """
    for rows in _xlsx(path) if path.suffix.lower() == ".xlsx" else _delimited(path):
        number, header = _header(rows)
        if header is None:
            continue
        speech = _columns(header, _SPEECH)
        if "speaker" in speech and "text" in speech:
            yield from _interviews(rows[number + 1 :], header, speech, path)
        else:
            yield from _papers(rows, number, header, path)
        return
    raise SourceError(
        f"{path}: no column that qinlp knows in {_shown(path)}; name the columns `title` and `abstract`"
        " for papers, or `speaker` and `text` for interviews"
    )


def _papers(rows: list[Row], number: int, header: Row, path: Path) -> Iterator[Document | Rejected]:
    columns = _columns(header, _PAPER)
    used = set(columns.values())
    for row_number, row in enumerate(rows[number + 1 :], number + 2):
        if not any(cell.strip() for cell in row):
            continue
        record = f"row {row_number}"
        if any(cell.strip() for cell in row[len(header) :]):
            reason = (
                f"{len(row)} cells under {len(header)} columns; put text that holds the separator in quotes"
            )
            yield Rejected(str(path), record, reason, _raw(row))
            continue
        cells = [*row, *[""] * (len(header) - len(row))]
        field: dict[str, Any] = {name: cells[place] for name, place in columns.items()}
        for several, split in (("authors", names), ("keywords", terms), ("mesh", terms)):
            field[several] = split(field.get(several, ""))
        _from_source(field, dict(zip(header, cells, strict=False)))  # blank cells may stand beyond
        field["metadata"] = {
            name: cell.strip()
            for place, name in enumerate(header)
            if place not in used and (cell := cells[place])
        }
        yield paper(str(path), record, _raw(row), **field)


def _from_source(field: dict[str, Any], row: dict[str, str]) -> None:
    """Find what Embase's tables have no columns for: `Source: J Name (2014) 3:3 ...`, a DOI in a link."""
    source = re.match(r"(.{3,150}?) \(((?:19|20)\d\d)\) ", row.get("Source", ""))
    if source and not field.get("year") and not field.get("journal"):
        field["journal"], field["year"] = source.groups()
    if not field.get("doi", "").strip():
        links = [cell for name, cell in row.items() if re.search(r"\b(?:url|link)\b", name, re.IGNORECASE)]
        field["doi"] = next((found for cell in links if (found := identifiers.doi(cell))), "")


def _interviews(
    rows: list[Row], header: Row, columns: dict[str, int], path: Path
) -> Iterator[Document | Rejected]:
    interviews: dict[tuple[str, ...], list[Row]] = {}
    keys = [columns[name] for name in ("wave", "interview") if name in columns]
    for row in rows:
        cells = [*row, *[""] * (len(header) - len(row))]
        if any(cell.strip() for cell in cells):
            interviews.setdefault(tuple(cells[key].strip() for key in keys), []).append(cells)
    counted = "time" in columns and re.search(
        "second|start|begin|offset", header[columns["time"]], re.IGNORECASE
    )

    def timed(cell: str) -> bool:  # a bare number may count turns, unless the column says it counts seconds
        return bool(counted) or ":" in cell

    for key, turns in interviews.items():
        name = " / ".join(part for part in key if part) if len(interviews) > 1 else ""
        said = [
            Said(
                row[columns["speaker"]],
                row[columns["text"]],
                seconds(row[columns["time"]]) if "time" in columns and timed(row[columns["time"]]) else None,
                role_named(row[columns["role"]]) if "role" in columns else None,
            )
            for row in turns
        ]
        used = {columns[name] for name in columns if name not in ("wave", "interview")}
        constant = {
            column: turns[0][place].strip()
            for place, column in enumerate(header)
            if place not in used
            and column
            and len({row[place].strip() for row in turns}) == 1
            and turns[0][place]
        }
        title = name or (key[-1] if key else "") or path.stem
        yield transcript(said, str(path), name, title=title, metadata=constant, raw=_raw(turns[0]))


def _header(rows: list[Row]) -> tuple[int, Row | None]:
    """Find the row of column names, which a title row or two may precede."""
    for number, row in enumerate(rows[:10]):
        speech, fields = _columns(row, _SPEECH), _columns(row, _PAPER)
        if ("speaker" in speech and "text" in speech) or "title" in fields or "abstract" in fields:
            return number, [cell.strip() for cell in row]
    return 0, None


def _columns(header: Row, known: dict[str, str]) -> dict[str, int]:
    """Return the place of every known column; of several names for one, the one listed first wins."""
    folded = [
        " ".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell).lower()))
        for cell in header
    ]
    plain = [" ".join(re.findall(r"[a-z0-9]+", cell.lower())) for cell in header]
    found: dict[str, int] = {}
    for name, aliases in known.items():
        for alias in aliases.split(","):
            place = next((i for i in range(len(header)) if alias in (plain[i], folded[i])), None)
            if place is not None and place not in found.values():
                found[name] = place
                break
    return found


def _delimited(path: Path) -> Iterator[list[Row]]:
    """Read a CSV or TSV file with the separator that finds the most known columns, then the most columns."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = load_text(path)
    if declared := re.match(r"sep=(.)\n", text, re.IGNORECASE):  # Excel's own hint
        text = text[declared.end() :]
    best = max(",;\t|", key=lambda separator: _fit(text, separator))
    try:
        yield list(csv.reader(io.StringIO(text, newline=""), delimiter=best))
    except csv.Error as error:
        raise SourceError(f"{path}: not a table ({error}); save it again as CSV in UTF-8") from None


def _fit(text: str, separator: str) -> tuple[int, int]:
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return 0, 0
    return len(_columns(header, _PAPER)) + len(_columns(header, _SPEECH)), len(header)


def _xlsx(path: Path) -> Iterator[list[Row]]:
    """Read the sheets of a workbook, cells as text."""
    raw = load(path)
    try:
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        sheets = [
            [[_cell(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
            for sheet in book.worksheets
        ]
    except Exception as error:  # noqa: BLE001  # openpyxl raises whatever a broken file makes it stumble over
        raise SourceError(f"{path}: not a workbook ({error!r}); save it again as .xlsx or as CSV") from None
    yield from sheets


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _raw(row: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(row)
    return line.getvalue().encode("utf-8", "replace")


def _shown(path: Path) -> str:
    rows = next(iter(_xlsx(path) if path.suffix.lower() == ".xlsx" else _delimited(path)), [])
    return repr(", ".join(rows[0][:8]) if rows else "")[:200]
