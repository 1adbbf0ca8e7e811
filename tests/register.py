"""A bibliographic database in memory, and a network that leads only to it.

Run as a program it asks the search of a project, in small parts, so that a test can stop it between
any two of them.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from qinlp import config, network, sources, steps
from qinlp.errors import SourceDown
from qinlp.records import Document, Passage, Rejected
from qinlp.sources import windows
from qinlp.sources.searching import Page, Searched
from qinlp.store import Store
from qinlp.store.migrate import migrate

START = date(2024, 1, 1)
HOST = "register.example"

SETTINGS = """\
[[search]]
name = "falls"
source = "register"
query = "fall prevention"
since = 2024-01-01
"""


class Traffic:
    def __init__(self, host, requests, bytes_out, bytes_in):
        self.host, self.requests, self.bytes_out, self.bytes_in = host, requests, bytes_out, bytes_in


class Egress:
    def __init__(self):
        self.requests = Counter()

    def take(self):
        taken = tuple(Traffic(host, n, 10 * n, 100 * n) for host, n in self.requests.items())
        self.requests.clear()
        return taken


class Budget:
    def __init__(self, requests, minutes):
        self.left = requests


class Client:
    """Counts requests; there is nobody to send them to."""

    def __init__(self, base_url, *, rate, budget, egress, tries, timeout_seconds, patience=1.0, secrets=()):
        self.host, self.budget, self.egress = base_url.split("/")[2], budget, egress

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def request(self):
        if not self.budget.left:
            raise SourceDown("the budget of requests is spent")
        self.budget.left -= 1
        self.egress.requests[self.host] += 1


@dataclass
class Register:
    """The database: records with the day that it took them in."""

    records: dict = field(default_factory=dict)
    """Day, and the record itself, by id."""
    page: int = 3
    most: int = 40
    withheld: set = field(default_factory=set)
    """Ids that it counts, but never gives."""
    withheld_once: set = field(default_factory=set)
    """Ids that it leaves out of the next answer about them."""
    repeats: bool = False
    """Whether a page begins with the last record of the page before."""
    more: int = 0
    """So many more it tells of than it has."""
    fails_at: int = 0
    """The page, from 1, that does not come."""
    asked: list = field(default_factory=list)
    """Windows asked for: count or pages, first day, last day."""

    def add(self, id_, day, text="Nurses had no time for it. A mandate helped them.", **more):
        self.records[id_] = (
            day,
            Document(text, "abstract", **{"title": f"Paper {id_}", "pmid": id_, "record": id_, **more}),
        )

    def spoil(self, id_, day, raw=b"{}", *, named=True):
        self.records[id_] = (day, Rejected("", id_ if named else "", "neither title nor abstract", raw))

    def between(self, first, last):
        return [record for day, record in self.records.values() if first <= day <= last]

    def count(self, client, query, first, last):
        client.request()
        self.asked.append(("count", first, last))
        return len(self.between(first, last)) + self.more

    def pages(self, client, query, first, last):
        self.asked.append(("pages", first, last))
        found = self.between(first, last)
        given = [r for r in found if r.record not in self.withheld | self.withheld_once]
        self.withheld_once -= {r.record for r in found}
        for start in range(0, max(len(given), 1), self.page):
            client.request()
            if self.fails_at:
                self.fails_at -= 1
                if not self.fails_at:
                    raise SourceDown(f"{HOST}: no answer")
            begin = max(0, start - self.repeats)
            yield Page(tuple(given[begin : start + self.page]), len(found) + self.more)

    @property
    def searched(self):
        return Searched(
            "register", "a register in memory", f"https://{HOST}/search", self.most, lambda: 10.0,
            self.count, self.pages, lambda raw, id_: Rejected("", id_, "still bad", raw),
        )  # fmt: skip


def connect(patch, register):
    """Lead the network to a register: nothing else can be asked."""
    for face in (Budget, Client, Egress):
        patch.setattr(network, face.__name__, face)
    patch.setattr(sources, "SEARCHES", {"register": register.searched})


def filled():
    """Return a register with 90 records of 60 days, some unreadable."""
    register = Register(page=8)
    for n in range(90):
        day = START + timedelta(n * 7 % 60)
        if n % 15:
            register.add(str(n), day, f"The nurses of ward {n} had no time. A coach helped group {n}.")
        else:
            register.spoil(str(n), day)
    return register


def in_memory(patch, path):
    """Keep the database in memory, with the same transactions: much faster. Return its connection."""
    con = duckdb.connect(config={"threads": 1})
    migrate(con)
    path.touch()

    @contextmanager
    def read(store):
        yield con

    @contextmanager
    def write(store):
        con.execute("BEGIN")
        try:
            yield con
        except BaseException:
            con.execute("ROLLBACK")
            raise
        con.execute("COMMIT")

    patch.setattr(Store, "read", read)
    patch.setattr(Store, "write", write)
    return con


def whole(document, options):
    """Cut a document into one passage, without waiting for spaCy."""
    return [Passage("", document.text_hash, 0, len(document.text), document.text, 0)] if document.text else []


def run(folder):
    """Ask the search of a project in small parts."""
    with pytest.MonkeyPatch.context() as patch:
        connect(patch, filled())
        patch.setattr(windows, "RECORDS_A_WINDOW", 20)
        patch.setattr(steps.searching, "segment", whole)
        steps.search(config.load(folder), "falls", today=START + timedelta(60))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
