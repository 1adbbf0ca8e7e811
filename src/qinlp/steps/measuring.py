"""What came in and what was coded becomes measures."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from qinlp.analysis import drift
from qinlp.analysis import health as judging
from qinlp.config import Config
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store
from qinlp.store import health as kept
from qinlp.store.health import Measure, Series

_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Measured:
    """What `measure` did."""

    runs: int = 0
    """Runs measured, together."""
    measures: int = 0
    words: int = 0
    """Words that no earlier document held."""
    departures: tuple[str, ...] = ()
    """What departs from its history, one line each."""


def measure(config: Config, watch: Watch = unwatched) -> Measured:
    """Measure, as one, what the runs brought and coded that are over and not measured yet.

    One transaction keeps all of it with the note which runs it covers, so nothing is measured
    twice, and a measuring that was killed is simply made again. Where those runs brought no passage
    and coded none, nothing is written.
    """
    store = Store(config.database_path)
    if not store.path.exists():
        return Measured()
    now = datetime.now(UTC)
    with store.read() as con:
        runs = kept.unmeasured(con, now)
        if not runs:
            return Measured()
        texts = kept.arrived(con, runs)
        measures = kept.coded(con, runs)
        history = kept.history(con, drift.WINDOW)
        knew = kept.knows_words(con)
    if not len(texts) and not measures:
        return Measured()
    watch("measuring", 0, len(texts))
    tallies: dict[str, Counter[str]] = {}
    for kind, text in zip(texts["kind"].to_pylist(), texts["text"].to_pylist(), strict=True):
        tallies.setdefault(kind, Counter()).update(words(text))
    with store.read() as con:
        new = kept.unknown_words(con, {word for tally in tallies.values() for word in tally})
    if knew:
        measures += _new_words(tallies, new)
    measures += _shifts(history, measures)
    watch("measuring", len(texts), len(texts))
    with Run(store, "measure", {"runs": runs}) as run:
        with store.write() as con:
            if set(runs) - set(kept.unmeasured(con, now)):  # another process was first
                return Measured()
            run.begin(con)
            kept.add(con, run.id, now, runs, measures, new)
        run.finish({"runs": len(runs), "measures": len(measures), "words": len(new)})
    with store.read() as con:
        found = tuple(str(one) for one in judging.departures(judging.last(con), config))
    return Measured(len(runs), len(measures), len(new), found)


def words(text: str) -> Iterable[str]:
    """Return the words of a text: three letters of any script and more, case folded."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def _new_words(tallies: dict[str, Counter[str]], new: set[str]) -> Iterator[Measure]:
    """Yield the share of words that were in no document before this measuring, a kind each.

    A word that is new counts each time it comes, so the share does not hang on how much came in.
    """
    for kind, tally in sorted(tallies.items()):
        if total := tally.total():
            fresh = sum(n for word, n in tally.items() if word in new)
            yield Measure(Series(kind), "new_words", "", fresh / total, total)


def _shifts(history: judging.History, measures: Sequence[Measure]) -> list[Measure]:
    rates: dict[Series, list[Measure]] = {}
    for one in measures:
        if one.measure == "code_rate":
            rates.setdefault(one.series, []).append(one)
    found = (judging.distance(history, series, new) for series, new in rates.items())
    return [one for one in found if one]
