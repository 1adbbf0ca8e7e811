"""What a run did, part by part, and its report for the Prefect UI.

A report may be read far from here, so it holds counts and the names of files and searches, never what
stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qinlp.config import Config
    from qinlp.steps import Coded, Found, Ingested, Learned, Matched, Measured

ENTRIES = 20
"""So many entries of the quarantine stand in a report."""
LONGEST = 200
"""Characters of a cell."""

_FOREIGN = re.compile(r"""\s*(?:[(“‘"]|(?<!\w)').*""", re.DOTALL)  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Failure:
    """A part of a run that failed while the others went on."""

    part: str
    """Such as `search falls` or `code`."""
    reason: str

    @property
    def line(self) -> str:
        """The part and the reason."""
        return f"{self.part}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did; a part that was not run, or failed, is None."""

    found: tuple[Found, ...] = ()
    ingested: Ingested | None = None
    matched: Matched | None = None
    coded: Coded | None = None
    learned: Learned | None = None
    measured: Measured | None = None
    failures: tuple[Failure, ...] = ()


def title(config: Config) -> str:
    """Return the project's name, or its folder's."""
    return config.name or config.folder.resolve().name


def key(kind: str, config: Config) -> str:
    """Return the name of the project's reports of a kind, in the letters that Prefect allows."""
    return "-".join(re.findall(r"[a-z0-9]+", f"qinlp {kind} {title(config)}".lower()))


def arrivals(outcome: Outcome) -> Iterator[str]:
    """Yield a line for each search and for the files: what came."""
    for one in outcome.found:
        yield (
            f"search {one.search}, {one.since} to {one.until}: {counted(one.records, 'record')}, "
            f"{counted(one.arrived.documents, 'new document')}, "
            f"{counted(one.arrived.versions, 'new version')}, "
            f"{counted(one.arrived.duplicates, 'duplicate')}, {counted(one.requests, 'request')}"
        )
    if (files := outcome.ingested) is not None and files.files:
        yield (
            f"{counted(files.files, 'file')}: {counted(files.records, 'record')}, "
            f"{counted(files.arrived.documents, 'new document')}, "
            f"{counted(files.arrived.passages, 'passage')}"
        )


def findings(outcome: Outcome) -> Iterator[str]:
    """Yield a line for each thing about the run that departs from its history."""
    yield from outcome.measured.departures if outcome.measured else ()


def markdown(
    outcome: Outcome, config: Config, quarantined: Sequence[Mapping[str, str]], measures: str = ""
) -> str:
    """Return the report of a run.

    Args:
        outcome: what its parts did.
        config: the project's settings.
        quarantined: what went to the quarantine in the run: source, record, reason.
        measures: the last run's measures beside those of the runs before, as a Markdown table.
    """
    blocks = [
        f"# {_cell(title(config))}",
        *_failures(outcome),
        *_came(outcome, config),
        *_coded(outcome),
        *_learned(outcome),
        *_quarantine(quarantined),
        *_departures(outcome, measures),
    ]
    return "\n\n".join(blocks) + "\n"


def _failures(outcome: Outcome) -> Iterator[str]:
    if outcome.failures:
        yield "## Failed"
        yield _table(("part", "reason"), [(one.part, one.reason) for one in outcome.failures])
        yield "What failed is asked for again by the next run, from where it was left."


def _came(outcome: Outcome, config: Config) -> Iterator[str]:
    sources = {one.name: one.source for one in config.search}
    rows: list[tuple[object, ...]] = [
        (
            f"{one.search} ({sources.get(one.search, '?')})", f"{one.since} to {one.until}", one.records,
            one.arrived.documents, one.arrived.versions, one.arrived.duplicates, one.arrived.passages,
            one.quarantined, one.requests, one.bytes_out, one.bytes_in,
        )
        for one in outcome.found
    ]  # fmt: skip
    if (files := outcome.ingested) is not None and (files.files or files.quarantined):
        rows.append(
            (
                counted(files.files, "file"), "", files.records, files.arrived.documents,
                files.arrived.versions, files.arrived.duplicates, files.arrived.passages, files.quarantined,
                "", "", "",
            )
        )  # fmt: skip
    yield "## What came in"
    if not rows:
        yield "Nothing new."
        return
    yield _table(
        (
            "from", "days", "records", "new documents", "new versions", "duplicates", "passages",
            "quarantined", "requests", "bytes out", "bytes in",
        ),
        rows,
    )  # fmt: skip
    if outcome.matched is not None and outcome.matched.compared:
        m = outcome.matched
        yield (
            f"{counted(m.compared, 'document')} compared with the others: "
            f"{counted(m.same, 'pair')} the same paper, "
            f"{m.doubtful:,} for a person to decide, {counted(m.preprints, 'preprint')} linked."
        )


def _coded(outcome: Outcome) -> Iterator[str]:
    if (coded := outcome.coded) is not None:
        yield "## Coded"
        yield (
            f"{counted(coded.passages, 'passage')}, {counted(coded.codings, 'coding')}, "
            f"{counted(coded.vectors, 'vector')} computed."
        )


def _learned(outcome: Outcome) -> Iterator[str]:
    if outcome.learned is not None:
        yield "## Learned from judgements"
        yield _cell(outcome.learned.why) + "."


def _quarantine(entries: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not entries:
        return
    yield f"## Quarantine: {counted(len(entries), 'new entry', 'new entries')}"
    yield _table(
        ("from", "record", "reason"),
        [(e["source"], e["record"], reason(e["source"], e["reason"])) for e in entries[:ENTRIES]],
    )
    if len(entries) > ENTRIES:
        yield f"and {len(entries) - ENTRIES:,} more; `qinlp quarantine list` lists them all."


def _departures(outcome: Outcome, measures: str) -> Iterator[str]:
    lines = list(findings(outcome))
    if outcome.measured is not None:
        yield "## Departures from the runs before"
        yield "\n".join(f"- {_cell(line)}" for line in lines) if lines else "None."
        if measures:
            yield measures.strip()


def reason(source: str, said: str) -> str:
    """Return why a record was refused, without what may be quoted from it.

    Readers put what they quote into quotes or parentheses: the reason ends before the first.
    """
    return _FOREIGN.sub(" …", said.removeprefix(f"{source}: "))


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    columns_of = [[row[i] for row in rows] for i in range(len(columns))]
    numeric = [
        any(isinstance(v, int) for v in values) and all(isinstance(v, int) or v == "" for v in values)
        for values in columns_of
    ]
    lines = [columns, ["---:" if n else "---" for n in numeric]]
    body = [[f"{v:,}" if isinstance(v, int) else _cell(str(v)) for v in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*lines, *body])


def _cell(text: str) -> str:
    """Return text that Markdown shows as it is, in one line and no longer than a cell should be."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]()#!|~>])", r"\\\1", text)


def counted(n: int, one: str, many: str = "") -> str:
    """Return `1 file`, `2 files`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
