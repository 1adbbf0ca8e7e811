"""A search is asked for what is new, window by window of days."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qinlp import sources
from qinlp.config import FILE, Config, Search
from qinlp.errors import ConfigError, SourceError, StoreError, nearest
from qinlp.passages import Segmentation, segment
from qinlp.records import Document, Rejected, content_hash
from qinlp.sources.searching import Page
from qinlp.sources.windows import parts, to_ask
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, searches

if TYPE_CHECKING:
    from qinlp.network import Budget, Client, Egress, Traffic
    from qinlp.sources.searching import Searched


@dataclass(frozen=True, slots=True)
class Found:
    """What `search` did."""

    search: str
    since: date
    """First day asked for."""
    until: date
    """Last day, included."""
    windows: int = 0
    """Parts that the days were asked in, to the end of each."""
    records: int = 0
    """Readable records that came, known ones included."""
    arrived: append.Arrived = field(default_factory=append.Arrived)
    quarantined: int = 0
    """Records that could not be read, new in the quarantine."""
    short: int = 0
    """Records that the source said it has, but did not give."""
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Every number by its name."""
        own = {key: n for key, n in asdict(self).items() if isinstance(n, int)}
        return {**own, **asdict(self.arrived)}


def window(config: Config, name: str, today: date | None = None) -> tuple[date, date]:
    """Return the first and the last day that the next `search` asks for.

    Raises:
        ConfigError: the configuration has no such search, or its source is unknown.
    """
    asked, _ = _configured(config, name)
    today = today or datetime.now(UTC).date()
    days = to_ask(asked.since, today, _covered(Store(config.database_path), asked), asked.overlap_days)
    return (days[0][0] if days else asked.since), today


def search(
    config: Config,
    name: str,
    *,
    budget: Budget | None = None,
    watch: Watch = unwatched,
    today: date | None = None,
    patience: float = 1.0,
) -> Found:
    """Ask one search of the configuration for what is new up to today, and append it.

    Asked for are the days that it has not covered yet, and once more the latest that it has. Every
    page is appended in one transaction; with the last page of a window goes the note that its days
    are covered. So a run that was stopped at any moment repeats one window at most, and what that
    has brought before is known. `budget` is shared by all searches of a run; `patience` scales
    the pauses before a request is repeated.

    Raises:
        ConfigError: the configuration has no such search, or its source is unknown.
        SourceDown: the source gives no answer now, or the budget is spent.
        SourceError: the source refuses the query, or has more of one day than it gives.
    """
    from qinlp.network import Budget, Client, Egress

    asked, source = _configured(config, name)
    store = Store(config.database_path)
    today = today or datetime.now(UTC).date()
    days = to_ask(asked.since, today, _covered(store, asked), asked.overlap_days)
    if not days:
        return Found(name, asked.since, today)
    url = asked.base_url or source.base_url
    egress = Egress()
    settings = {
        "search": name, "source": asked.source, "query": asked.query,
        "query_hash": searches.query_hash(asked), "since": str(days[0][0]), "until": str(today),
        "host": urlsplit(url).hostname,
    }  # fmt: skip
    with (
        Client(
            url,
            rate=source.rate(),
            budget=budget or Budget(config.network.requests, config.network.minutes),
            egress=egress,
            tries=config.network.tries,
            timeout_seconds=config.network.timeout_seconds,
            patience=patience,
        ) as client,
        Run(store, f"search:{name}", settings) as run,
    ):
        options = Segmentation(turn_words=config.passages.turn_words)
        asking = _Asking(run, asked, source, client, egress, options, watch, Found(name, days[0][0], today))
        asking.all(days)
        run.finish(asking.found.counts)
    return asking.found


def _configured(config: Config, name: str) -> tuple[Search, Searched]:
    known = {one.name: one for one in config.search}
    if name not in known:
        raise ConfigError(f"{config.folder / FILE}: no search {name!r}; {nearest(name, known)}")
    asked = known[name]
    if asked.source not in sources.SEARCHES:
        raise ConfigError(
            f"{config.folder / FILE}: search {name!r}: unknown source {asked.source!r}; "
            f"{nearest(asked.source, sources.SEARCHES)}"
        )
    return asked, sources.SEARCHES[asked.source]


def _covered(store: Store, asked: Search) -> list[tuple[date, date]]:
    if not store.path.exists():
        return []
    with store.read() as con:
        return searches.covered(con, asked)


@dataclass(slots=True)
class _Asking:
    """One run of one search."""

    run: Run
    search: Search
    source: Searched
    client: Client
    egress: Egress
    options: Segmentation
    watch: Watch
    found: Found
    unwritten: list[Traffic] = field(default_factory=list)
    """What was sent, but is not in the store yet."""

    @property
    def place(self) -> str:
        """What its records have for their source."""
        return f"{self.search.source}:{self.search.name}"

    def all(self, days: Sequence[tuple[date, date]]) -> None:
        """Ask for all the days; where that fails, note what was sent."""
        try:
            for since, until in days:
                for first, last, n in parts(since, until, self.source.most, self.count):
                    if n > self.source.most:
                        raise SourceError(
                            f"search {self.search.name!r}: {n} records of {first} alone, and "
                            f"{self.search.source} gives at most {self.source.most}; "
                            "split the query into two searches"
                        )
                    self.window(first, last, n)
        except BaseException:
            with contextlib.suppress(StoreError):
                self.append((), set())
            raise

    def count(self, first: date, last: date) -> int:
        """Return how many records there are of these days."""
        return self.source.count(self.client, self.search.query, first, last)

    def window(self, first: date, last: date, n: int) -> None:
        """Ask for one window of about `n` records; once more, if it gives fewer than it tells."""
        came: dict[str, bool] = {}
        met: set[tuple[str, str]] = set()
        for repeated in (False, True):
            for page, at_end in _with_end(self.pages(first, last, n), n):
                fresh = []
                for record in page.records:
                    id_, readable = _id(record), isinstance(record, Document)
                    if readable > came.get(id_, -1):  # new, or readable at last
                        came[id_] = readable
                        fresh.append(record)
                self.watch(f"searching {self.search.name}, {first} to {last}", len(came), page.told)
                if at_end and (repeated or len(came) >= page.told):
                    self.append(fresh, met, _Window(first, last, page.told, came))
                    return
                self.append(fresh, met)

    def pages(self, first: date, last: date, n: int) -> Iterator[Page]:
        """Return the pages of a window; one that was counted empty is not asked for."""
        return self.source.pages(self.client, self.search.query, first, last) if n else iter(())

    def append(
        self, records: Sequence[Document | Rejected], met: set[tuple[str, str]], window: _Window | None = None
    ) -> None:
        """Append a page and what was sent for it; with a window's last page, that its days are covered."""
        placed = [replace(record, source=self.place) for record in records]
        cut = [(d, segment(d, self.options)) for d in placed if isinstance(d, Document)]
        rejected = [r for r in placed if isinstance(r, Rejected)]
        self.unwritten += self.egress.take()
        sent, at = self.unwritten, datetime.now(UTC)
        with self.run.store.write() as con:
            self.run.begin(con)
            searches.add_egress(con, self.run.id, at, sent)
            arrived = append.add_documents(con, self.run.id, cut, met, own_ids=True)
            if window is not None:
                rejected += self.shortfall(con, window)
                searches.add_window(
                    con, self.run.id, at, self.search, window.first, window.last,
                    told=window.told, records=window.records, quarantined=window.quarantined,
                )  # fmt: skip
            new = append.add_rejected(con, self.run.id, at, rejected)
        self.unwritten = []
        self.found = replace(
            self.found,
            windows=self.found.windows + (window is not None),
            records=self.found.records + len(cut),
            arrived=self.found.arrived + arrived,
            quarantined=self.found.quarantined + new,
            short=self.found.short + (window.short if window else 0),
            requests=self.found.requests + sum(one.requests for one in sent),
            bytes_out=self.found.bytes_out + sum(one.bytes_out for one in sent),
            bytes_in=self.found.bytes_in + sum(one.bytes_in for one in sent),
        )
        self.run.so_far = self.found.counts

    def shortfall(self, con: Any, window: _Window) -> list[Rejected]:
        """Return what to say of a window that gave too little, unless so much is known to be missing."""
        if window.short <= searches.missing(con, self.search, window.first, window.last):
            return []
        gave = len(window.came)
        return [Rejected(self.place, f"{window.first} to {window.last}", f"told {window.told}, gave {gave}")]


@dataclass(frozen=True, slots=True)
class _Window:
    """A window that was asked for to its end: what the source told of, and what came."""

    first: date
    last: date
    told: int
    came: dict[str, bool]
    """Whether a record could be read, by its id."""

    @property
    def records(self) -> int:
        return sum(self.came.values())

    @property
    def quarantined(self) -> int:
        return len(self.came) - self.records

    @property
    def short(self) -> int:
        return max(0, self.told - len(self.came))


def _id(record: Document | Rejected) -> str:
    """Return the source's id of a record; what is too broken to have one is known by its bytes."""
    return record.record or content_hash(record.text if isinstance(record, Document) else record.raw.hex())


def _with_end(pages: Iterator[Page], n: int) -> Iterator[tuple[Page, bool]]:
    """Yield each page and whether it is the last; where there is none, an empty one that tells of `n`."""
    held = next(pages, Page((), n))
    for following in pages:
        yield held, False
        held = following
    yield held, True
