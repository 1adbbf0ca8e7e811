"""Is the project well? Runs that depart from their history, and works that stand still.

Every series is judged within one kind of document, one coder and one codebook version. Abstracts and
interviews use other words and hold other codes, so a night that brings more of the one than usual
would look like a change of the material; and what a new model or a changed codebook does is theirs,
not the material's: it starts a history of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from qinlp.analysis import drift
from qinlp.config import Config, Search
from qinlp.errors import SourceError
from qinlp.store import health as kept
from qinlp.store.health import Measure, Series

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Level = Literal["departure", "failure", "stale", "quarantine", "search"]
History = Mapping[tuple[Series, str], Sequence[Sequence[Measure]]]

_SHARES = {
    "new_words": "of the words were in no earlier document",
    "confidence": "of the codes given are expected to be right",
    "to_review": "of the passages wait for review",
}
_REMEDIES = {
    "new_words": "look at them: `qinlp ask new-words`, and at what came in: `qinlp ask newest`",
    "confidence": "read some: `qinlp ask waiting`; if the texts are as meant, judge some and train again",
    "to_review": "read some: `qinlp ask waiting`; if the texts are as meant, judge some and train again",
}
_LAG = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs a look."""

    level: Level
    what: str
    """What is concerned."""
    why: str
    """What was seen, and what was expected."""
    remedy: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.what}: {self.why}; {self.remedy}"


def report(con: DuckDBPyConnection, config: Config, now: datetime) -> tuple[Finding, ...]:
    """Return what needs a look, in the order of urgency; nothing where the project is well.

    Departures are those of the last measuring. A project is stale where it has a schedule, its last
    run is older than `health.stale_hours`, and there was something to do: searches, or files that
    wait. A night without searches that found no new file leaves no trace, so silence alone says nothing.
    """
    return (
        *_failures(con, now),
        *_stale(con, config, now),
        *_searches(con, config, now),
        *_quarantine(con),
        *departures(last(con), config),
    )


def last(con: DuckDBPyConnection) -> History:
    """Return the histories that the last measuring went on with."""
    last = {
        (Series(*row[:4]), row[4])
        for row in con.execute(
            "SELECT DISTINCT kind, codebook, codebook_hash, coder, measure FROM measures_current"
        ).fetchall()
    }
    histories = kept.history(con, drift.WINDOW + 1)
    return {key: rows for key, rows in histories.items() if key in last}


def departures(history: History, config: Config) -> Iterator[Finding]:
    """Judge the newest measuring of every series by those before."""
    limits = {"departure": config.health.departure, "least": config.health.history}
    for (series, measure), runs in sorted(history.items()):
        if measure in _SHARES:
            *before, new = ((one.value, one.n) for (one,) in runs)
            if found := drift.judge(before, new, **limits):  # type: ignore[arg-type]
                what = f"{measure.replace('_', ' ')} ({_about(series)})"
                yield Finding("departure", what, _told(found, _SHARES[measure]), _REMEDIES[measure])
        elif measure == "code_rate":
            codes, rates, sizes = _rates(runs)
            shift = drift.shift(codes, rates[:-1], sizes[:-1], rates[-1], int(sizes[-1]), **limits)  # type: ignore[arg-type]
            if shift and (shift.departs or shift.codes):
                yield _shifted(series, shift, len(runs) - 1)


def _shifted(series: Series, shift: drift.Shift, runs: int) -> Finding:
    told = [f"{code} {_percent(d.value)} ({_range(d)} mostly)" for code, d in shift.codes[:3]]
    if not told:
        told = [f"{code} {_percent(now)} ({_percent(before)} before)" for code, before, now in shift.moved]
    more = f" and {len(shift.codes) - 3} more" if len(shift.codes) > 3 else ""
    first = shift.codes[0][0] if shift.codes else shift.moved[0][0]
    return Finding(
        "departure",
        f"codes ({_about(series)})",
        f"other shares of the passages hold them than in the {runs} runs before, distance "
        f"{shift.distance:.2f}: {', '.join(told)}{more}",
        f"read some: `qinlp ask quotes --code {first}`, and what came in: `qinlp ask newest`",
    )


def distance(history: History, series: Series, new: Sequence[Measure]) -> Measure | None:
    """Return the code shift of new code rates from those before; None where none were before."""
    before = history.get((series, "code_rate"), ())
    if not before:
        return None
    _, rates, sizes = _rates([*before, new])
    given = round(float(rates[-1].sum() * sizes[-1]))
    far = drift.distance(rates[:-1], sizes[:-1], rates[-1], int(sizes[-1]))
    return Measure(series, "code_shift", "", far, given)


def _rates(runs: Sequence[Sequence[Measure]]) -> tuple[list[str], drift.Floats, drift.Floats]:
    """Return the codes, their rates, shape (runs, codes), and the passages of each run."""
    codes = sorted({one.code for run in runs for one in run})
    by_code = [{one.code: one.value for one in run} for run in runs]
    rates = np.array([[run.get(code, 0.0) for code in codes] for run in by_code])
    return codes, rates, np.array([run[0].n for run in runs], float)


def _about(series: Series) -> str:
    return f"{series.codebook}, {series.kind}s" if series.codebook else f"{series.kind}s"


def _told(found: drift.Departure, why: str) -> str:
    return f"{_percent(found.value)} {why} ({_range(found)} in most of the {found.runs} runs before)"


def _range(found: drift.Departure) -> str:
    low, high = _percent(found.low), _percent(found.high)
    return low if low == high else f"{low.removesuffix('%')} to {high}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.095 or not share else f"{share:.1%}"


# The works ---------------------------------------------------------------------------------------


def _failures(con: DuckDBPyConnection, now: datetime) -> Iterator[Finding]:
    rows = con.execute("SELECT kind, started_at, status, counts FROM latest_run ORDER BY kind").fetchall()
    for kind, started, status, counts in rows:
        if status == "failed":
            error = " ".join(str(json.loads(counts).get("error", "")).split()) or "no reason is known"
            yield Finding("failure", kind, f"its last run failed, {_at(started)}: {error}", "run it again")
        elif status == "interrupted" or (status == "running" and now - started > kept.GIVEN_UP):
            yield Finding(
                "failure", kind, f"its last run, of {_at(started)}, was killed",
                "run it again, it goes on from there",
            )  # fmt: skip


def _stale(con: DuckDBPyConnection, config: Config, now: datetime) -> Iterator[Finding]:
    row = con.execute("SELECT max(coalesce(finished_at, started_at)) FROM runs").fetchone()
    last = row[0] if row else None
    patience = timedelta(hours=config.health.stale_hours)
    if not config.scheduled or (last is not None and now - last <= patience):
        return
    waiting = _waiting(con, config, now - patience)
    if not config.search and not waiting:
        return
    since = f"the last run was {_at(last)}" if last else "nothing ever ran"
    files = f", and {len(waiting)} file{'s' * (len(waiting) > 1)} wait, first {waiting[0]}" if waiting else ""
    remedy = "is `qinlp serve` running? `qinlp run nightly` catches up"
    yield Finding("stale", "schedule", f"{since}{files}", remedy)


def _waiting(con: DuckDBPyConnection, config: Config, before: datetime) -> list[str]:
    """Return files that came before then and were never read, relative to the project folder."""
    from qinlp import sources

    known = con.execute("SELECT path FROM files UNION SELECT source FROM quarantine").fetchall()
    met = {path for (path,) in known}
    try:
        listing = sources.files_in([config.folder / path for path in config.ingest.paths])
    except SourceError:  # a missing folder is told by the run itself
        return []
    found = []
    for path in listing.files:
        place, times = sources.place(path, config.folder), path.stat()
        if place not in met and max(times.st_mtime, times.st_ctime) < before.timestamp():
            found.append(place)
    return found


def _searches(con: DuckDBPyConnection, config: Config, now: datetime) -> Iterator[Finding]:
    if not config.search:
        return
    until = dict(
        con.execute("SELECT search || ' ' || source, max(until) FROM watermarks GROUP BY ALL").fetchall()
    )
    for one in config.search:
        yield from _search(one, until.get(f"{one.name} {one.source}"), now)


def _search(one: Search, until: object, now: datetime) -> Iterator[Finding]:
    what = f"search {one.name}"
    again = "run `qinlp run nightly`; if it fails, it says why"
    if until is None:
        yield Finding("search", what, f"{one.source} was never asked", again)
        return
    day = until.date() if isinstance(until, datetime) else until
    if now.date() - day > timedelta(days=one.overlap_days) + _LAG:  # type: ignore[operator]
        yield Finding("search", what, f"{one.source} was asked for what came until {day} only", again)


def _quarantine(con: DuckDBPyConnection) -> Iterator[Finding]:
    row = con.execute(
        "SELECT count(*), min(source) FROM quarantine_open SEMI JOIN latest_run USING (run_id)"
    ).fetchone()
    if row and row[0]:
        first = Path(row[1])
        yield Finding(
            "quarantine", "quarantine",
            f"the last run could not read {row[0]:,} record{'s' * (row[0] > 1)}, first of "
            f"{first.name if first.is_absolute() else first}",
            "`qinlp quarantine list` tells why",
        )  # fmt: skip


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


# The last measuring as a table -------------------------------------------------------------------


def markdown(con: DuckDBPyConnection) -> str:
    """Return the last measuring as a Markdown table, each measure with its history; "" without one."""
    history = last(con)
    if not history:
        return ""
    lines = ["| measure | of | last run | runs before |", "|---|---|---:|---:|"]
    for (series, measure), runs in sorted(history.items()):
        if measure == "code_rate":
            continue
        *before, new = (one for (one,) in runs)
        told = f"{new.value:.2f}" if measure == "code_shift" else _percent(new.value)
        middle = float(np.median([one.value for one in before])) if before else None
        usual = "" if middle is None else f"{middle:.2f}" if measure == "code_shift" else _percent(middle)
        usual = f"{usual} ({len(before)})" if usual else "none"
        lines.append(f"| {measure.replace('_', ' ')} | {_about(series)} | {told} | {usual} |")
    return "\n".join(lines) + "\n"
