"""A search brings what is new, once, whatever happens in between."""

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import register as registers
from qinlp import config, steps
from qinlp.errors import ConfigError, SourceDown, SourceError, StoreError
from qinlp.sources import windows
from qinlp.sources.windows import parts, to_ask
from qinlp.store import Store, append, questions
from register import HOST, SETTINGS, START, Register

pytestmark = pytest.mark.store


def day(n):
    """Return the n-th day of 2024, from 0."""
    return START + timedelta(n)


# --- which days -----------------------------------------------------------------------------------


def counted(days):
    """Return a function that counts the given days within two, and the list of what it was asked."""
    asked = []

    def count(first, last):
        asked.append((first, last))
        return sum(first <= one <= last for one in days)

    return count, asked


@pytest.mark.parametrize(
    ("covered", "since", "expected"),
    [
        ([], 0, [(0, 20)]),
        ([(0, 10)], 0, [(7, 10), (11, 20)]),
        ([(0, 20)], 0, [(17, 20)]),
        ([(0, 20)], 19, [(19, 20)]),
        ([(10, 20)], 0, [(0, 9), (17, 20)]),
        ([(0, 5), (8, 12)], 0, [(6, 7), (9, 12), (13, 20)]),
        ([(0, 30)], 0, [(17, 20)]),  # the clock was wrong once
        ([(2, 4)], 8, [(8, 20)]),
        ([], 21, []),
    ],
)
def test_days_not_covered_are_asked_for_and_the_latest_again(covered, since, expected):
    found = to_ask(day(since), day(20), [(day(a), day(b)) for a, b in covered], overlap_days=3)
    assert found == [(day(a), day(b)) for a, b in expected]


@given(days=st.lists(st.integers(0, 30).map(day), max_size=60), most=st.integers(1, 80))
def test_the_parts_are_all_the_days_once_and_hold_what_they_may(days, most):
    count, asked = counted(days)
    found = list(parts(day(0), day(30), most, count))
    assert [one for first, last, _ in found for one in each(first, last)] == [day(n) for n in range(31)]
    for first, last, n in found:
        assert n == sum(first <= one <= last for one in days)
        assert n <= most or first == last
    assert len(asked) <= 2 * len(found)


def each(first, last):
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def test_what_fits_is_counted_once():
    count, asked = counted([day(1)] * 9)
    assert list(parts(day(0), day(30), 10, count)) == [(day(0), day(30), 9)]
    assert len(asked) == 1


def test_a_half_that_seems_empty_is_counted_before_it_is_left_out():
    days = [day(1)] * 6
    whole, asked = counted(days)

    def count(first, last):
        n = whole(first, last)
        if len(asked) == 1:
            days.append(day(9))  # appears after the whole was counted
        return n

    assert list(parts(day(0), day(10), 5, count))[-1] == (day(6), day(10), 1)


# --- one search -----------------------------------------------------------------------------------


@pytest.fixture
def register(monkeypatch):
    """Return a register of 10 records, one a day, that is the only thing on the network."""
    made = Register()
    for n in range(10):
        made.add(str(n), day(n), f"The nurses of ward {n} had no time. A mandate helped them.")
    registers.connect(monkeypatch, made)
    return made


@pytest.fixture
def on_disk(tmp_path):
    (tmp_path / config.FILE).write_text(SETTINGS, "utf-8")
    return config.load(tmp_path)


@pytest.fixture
def searching(on_disk, monkeypatch):
    """Return a project with a search, and keep its database in memory."""
    with registers.in_memory(monkeypatch, on_disk.database_path):
        yield on_disk


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


def search(settings, today=9, **more):
    return steps.search(settings, "falls", today=day(today), **more)


def changed(settings, **more):
    return replace(settings, search=(replace(settings.search[0], **more),))


def watermark(settings):
    return rows(settings, "SELECT since, until FROM watermarks ORDER BY covered_at DESC LIMIT 1")[0]


def test_what_a_search_finds_becomes_documents_and_passages(register, on_disk):
    done = search(on_disk)
    assert (done.search, done.since, done.until) == ("falls", day(0), day(9))
    assert (done.records, done.arrived, done.short) == (10, append.Arrived(10, 0, 0, 20), 0)
    assert rows(on_disk, "SELECT DISTINCT source, record = pmid FROM documents_current") == [
        ("register:falls", True)
    ]
    assert rows(on_disk, "SELECT since, until, told, records, quarantined FROM windows") == [
        (day(0), day(9), 10, 10, 0)
    ]


def test_the_next_day_asks_for_the_new_day_and_the_latest_again(register, searching):
    search(searching)
    register.asked.clear()
    register.add("new", day(10))
    register.add("late", day(5))
    assert search(searching, 10).arrived.documents == 2
    assert [asked for asked in register.asked if asked[0] == "pages"] == [
        ("pages", day(2), day(9)),
        ("pages", day(10), day(10)),
    ]
    assert watermark(searching) == (day(0), day(10))


def test_a_rerun_with_nothing_new_notes_the_run_and_its_requests_and_no_more(register, on_disk, count):
    search(on_disk)
    before = count(on_disk.database_path)
    done = search(on_disk)
    assert (done.arrived.documents, done.arrived.versions, done.arrived.passages) == (0, 0, 0)
    after = count(on_disk.database_path)
    assert {name for name in after if after[name] != before[name]} == {"runs", "egress"}
    assert after["runs"] == before["runs"] + 1


def test_a_day_without_records_is_covered_without_asking_for_pages(register, searching):
    search(searching)
    register.asked.clear()
    search(searching, 30)
    assert ("pages", day(10), day(30)) not in register.asked
    assert watermark(searching) == (day(0), day(30))


def test_a_corrected_abstract_is_a_new_version(register, searching):
    search(searching)
    register.add("3", day(10), "They had time after all.")
    assert search(searching, 10).arrived.versions == 1
    assert rows(searching, "SELECT version, text FROM documents_current WHERE record = '3'") == [
        (2, "They had time after all.")
    ]


def test_two_records_of_one_paper_do_not_take_turns_as_days_pass(register, searching):
    register.add("a", day(1), "One text of it.", title="Twin", pmid="")
    register.add("b", day(8), "Two text of it.", title="Twin", pmid="")
    search(searching, 1)
    brought = [search(searching, n).arrived.versions for n in range(2, 20)]
    assert sum(brought) <= 1
    register.add("b", day(20), "Three text of it.", title="Twin", pmid="")
    assert [search(searching, 20).arrived.versions, search(searching, 21).arrived.versions] == [1, 0]
    assert rows(searching, "SELECT text FROM documents_current WHERE title = 'Twin'") == [
        ("Three text of it.",)
    ]


def test_another_query_starts_again_and_the_old_watermark_is_kept(register, searching):
    search(searching)
    other = changed(searching, query="falls AND NOT prevention")
    register.asked.clear()
    done = search(other)
    assert ("pages", day(0), day(9)) in register.asked
    assert (done.arrived.documents, done.arrived.duplicates) == (0, 10)
    assert rows(searching, "SELECT query, until FROM watermarks ORDER BY query") == [
        ("fall prevention", day(9)),
        ("falls AND NOT prevention", day(9)),
    ]


def test_an_earlier_beginning_asks_for_the_earlier_days_once(register, searching):
    search(changed(searching, since=day(6)))
    assert search(searching).arrived.documents == 6
    register.asked.clear()
    search(searching)
    assert register.asked == [("count", day(2), day(9)), ("pages", day(2), day(9))]
    assert watermark(searching) == (day(0), day(9))


def test_a_large_answer_is_asked_for_in_parts(register, searching, monkeypatch):
    monkeypatch.setattr(windows, "RECORDS_A_WINDOW", 4)
    done = search(searching)
    assert (done.windows, done.records) == (4, 10)
    assert rows(searching, "SELECT sum(told), max(told) <= 4 FROM windows") == [(10, True)]
    assert watermark(searching) == (day(0), day(9))


def test_a_day_with_more_than_the_source_gives_is_refused_and_what_came_before_is_kept(register, searching):
    for n in range(50):
        register.add(f"x{n}", day(5))
    with pytest.raises(SourceError, match=r"51 records of 2024-01-06 alone.*split the query"):
        search(searching)
    assert watermark(searching) == (day(0), day(4))
    assert rows(searching, "SELECT count(*) FROM documents") == [(5,)]


def test_records_that_come_twice_are_one(register, searching):
    register.repeats = True
    done = search(searching)
    assert (done.records, done.arrived.documents, done.arrived.duplicates) == (10, 10, 0)
    assert rows(searching, "SELECT records FROM windows") == [(10,)]


# --- what is bad or missing -----------------------------------------------------------------------


def test_an_unreadable_record_is_quarantined_and_the_rest_goes_on(register, searching):
    register.spoil("4", day(4), b"\x00raw")
    done = search(searching)
    assert (done.records, done.quarantined, done.short) == (9, 1, 0)
    assert rows(searching, "SELECT source, record, raw FROM quarantine") == [
        ("register:falls", "4", b"\x00raw")
    ]
    assert rows(searching, "SELECT records, quarantined FROM windows") == [(9, 1)]
    assert search(searching).quarantined == 0


def test_a_source_that_has_more_than_it_tells_of_gives_all(register, searching):
    register.more = -3
    done = search(searching)
    assert (done.records, done.short, watermark(searching)) == (10, 0, (day(0), day(9)))


def test_records_too_broken_to_have_an_id_are_all_quarantined(register, searching):
    register.spoil("x", day(4), b"one", named=False)
    register.spoil("y", day(4), b"two", named=False)
    done = search(searching)
    assert (done.quarantined, done.short) == (2, 0)


def test_a_window_that_gave_too_little_is_asked_for_again(register, searching):
    register.withheld_once = {"4", "7"}
    done = search(searching)
    assert (done.records, done.short, done.quarantined) == (10, 0, 0)
    assert register.asked.count(("pages", day(0), day(9))) == 2


def test_a_window_that_stays_short_is_taken_and_told_of_once(register, searching):
    register.withheld = {"4", "7"}
    done = search(searching)
    assert (done.records, done.short, done.quarantined) == (8, 2, 1)
    expected = [("register:falls", "2024-01-01 to 2024-01-10", "told 10, gave 8")]
    assert rows(searching, "SELECT source, record, reason FROM quarantine") == expected
    for today in (9, 10, 11):
        assert (search(searching, today).short, watermark(searching)[1]) == (2, day(today))
    assert rows(searching, "SELECT source, record, reason FROM quarantine") == expected
    assert rows(searching, "SELECT sum(told - records - quarantined) FROM windows") == [(2,)]


def test_days_asked_for_again_that_give_less_than_before_are_told_of(register, searching):
    search(searching)
    register.withheld = {"9"}
    assert (search(searching).short, search(searching).short) == (1, 1)
    assert rows(searching, "SELECT record, reason FROM quarantine") == [
        ("2024-01-03 to 2024-01-10", "told 8, gave 7")
    ]


def test_a_source_that_gives_no_page_at_all_is_told_of(register, searching, monkeypatch):
    monkeypatch.setattr(register, "pages", lambda *asked: iter(()))
    registers.connect(monkeypatch, register)
    assert search(searching).short == 10
    assert rows(searching, "SELECT reason FROM quarantine") == [("told 10, gave 0",)]


# --- what fails -----------------------------------------------------------------------------------


def test_a_search_that_fails_says_why_and_goes_on_from_its_last_window(register, on_disk, monkeypatch):
    monkeypatch.setattr(windows, "RECORDS_A_WINDOW", 5)
    register.fails_at = 4  # the second page of the second window
    with pytest.raises(SourceDown):
        search(on_disk)
    assert watermark(on_disk) == (day(0), day(4))
    assert rows(on_disk, "SELECT kind, status, counts->>'error', counts->>'documents' FROM runs") == [
        ("search:falls", "failed", f"{HOST}: no answer", "5")
    ]
    assert rows(on_disk, "SELECT sum(requests) FROM egress") == [(6,)]
    register.asked.clear()
    assert search(on_disk).arrived.documents == 5
    assert watermark(on_disk) == (day(0), day(9))


def test_a_search_that_fails_at_once_is_a_run_too(register, searching):
    register.fails_at = 1
    with pytest.raises(SourceDown):
        search(searching)
    assert rows(searching, "SELECT status, requests FROM runs JOIN egress USING (run_id)") == [("failed", 2)]
    assert rows(searching, "SELECT count(*) FROM windows") == [(0,)]


def test_a_spent_budget_ends_the_run_and_the_next_catches_up(register, searching):
    with pytest.raises(SourceDown, match="budget"):
        search(searching, budget=registers.Budget(3, 60))
    assert rows(searching, "SELECT sum(requests) FROM egress") == [(3,)]
    search(searching)
    assert rows(searching, "SELECT count(*) FROM documents") == [(10,)]


def test_a_stopped_search_is_recorded(register, searching, monkeypatch):
    def stop(*asked):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(register, "pages", stop)
    registers.connect(monkeypatch, register)
    with pytest.raises(KeyboardInterrupt):
        search(searching)
    assert rows(searching, "SELECT status, counts->>'error' FROM runs") == [("failed", "KeyboardInterrupt")]


def test_a_batch_that_could_not_be_written_keeps_its_requests(register, on_disk, monkeypatch):
    whole, calls = append.add_documents, []

    def stumble(*given, **more):
        calls.append(given)
        if len(calls) == 2:
            raise StoreError("no room")
        return whole(*given, **more)

    monkeypatch.setattr(append, "add_documents", stumble)
    with pytest.raises(StoreError):
        search(on_disk)
    assert rows(on_disk, "SELECT sum(requests) FROM egress") == [(4,)]  # one count, three pages


def test_an_unknown_search_names_the_nearest(register, on_disk):
    with pytest.raises(ConfigError, match="no search 'fall'; did you mean 'falls'"):
        steps.search(on_disk, "fall")
    assert not on_disk.database_path.exists()


def test_an_unknown_source_names_the_nearest(register, on_disk):
    with pytest.raises(ConfigError, match="search 'falls': unknown source 'registry'; did you mean"):
        search(changed(on_disk, source="registry"))


def test_a_search_that_begins_tomorrow_asks_nothing(register, on_disk):
    assert search(changed(on_disk, since=day(10))).requests == 0
    assert (register.asked, on_disk.database_path.exists()) == ([], False)


# --- runs and requests ----------------------------------------------------------------------------


def test_every_host_and_run_is_recorded(register, searching):
    done = search(searching)
    assert (done.requests, done.bytes_out, done.bytes_in) == (5, 50, 500)
    kind, settings_, counts = rows(searching, "SELECT kind, settings, counts FROM runs")[0]
    assert kind == "search:falls"
    for words in ('"query": "fall prevention"', f'"host": "{HOST}"', '"since": "2024-01-01"'):
        assert words in settings_
    for words in ('"documents": 10', '"requests": 5', '"short": 0', '"windows": 1'):
        assert words in counts
    with Store(searching.database_path).read() as con:
        sent = questions.ask(con, questions.find("egress"), {}).to_pylist()
        came = questions.ask(con, questions.find("searches"), {}).to_pylist()
    assert [(r["kind"], r["host"], r["requests"], r["bytes_in"]) for r in sent] == [
        ("search:falls", HOST, 5, 500)
    ]
    assert [(r["search"], r["until"], r["records"], r["short"]) for r in came] == [("falls", day(9), 10, 0)]


def test_a_running_search_is_not_taken_for_a_killed_one_by_another(store):
    now = datetime.now(UTC)
    with store.write() as con:
        append.start_run(con, "1", "search:falls", now, "0", {})
        append.start_run(con, "2", "search:hands", now, "0", {})
        assert con.execute("SELECT DISTINCT status FROM runs").fetchall() == [("running",)]
        append.start_run(con, "3", "search:falls", now, "0", {})
        assert con.execute("SELECT run_id FROM runs WHERE status = 'interrupted'").fetchall() == [("1",)]


def test_searches_at_once_in_threads_all_complete(register, on_disk):
    names = ("a", "b", "c")
    many = replace(on_disk, search=tuple(replace(on_disk.search[0], name=n) for n in names))
    failed = []

    def ask(name):
        try:
            steps.search(many, name, today=day(9))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=ask, args=[name]) for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(on_disk, "SELECT count(*) FROM documents") == [(10,)]
    assert rows(on_disk, "SELECT search, count(*) FROM windows GROUP BY ALL ORDER BY ALL") == [
        (name, 1) for name in names
    ]
    assert rows(on_disk, "SELECT DISTINCT status FROM runs") == [("completed",)]


# --- whatever happens -----------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process: nothing is written any more."""


EVENTS = st.one_of(
    st.tuples(st.just("appear"), st.integers(0, 7)),
    st.tuples(st.just("revise"), st.integers(0, 20)),
    st.tuples(st.just("pass"), st.integers(1, 9)),
    st.tuples(st.just("run"), st.sampled_from([0, 0, 2])),
    st.tuples(st.just("fail"), st.integers(1, 4)),
    st.tuples(st.just("kill"), st.integers(0, 4)),
    st.tuples(st.just("query"), st.sampled_from(["one", "two"])),
    st.tuples(st.just("earlier"), st.integers(1, 15)),
)


@settings(max_examples=25)
@given(events=st.lists(EVENTS, min_size=1, max_size=9), repeats=st.booleans())
def test_after_any_history_one_clean_run_holds_what_the_source_holds(events, repeats):
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        registers.in_memory(patch, Path(folder, "qinlp.duckdb")),
    ):
        Path(folder, config.FILE).write_text(SETTINGS, "utf-8")
        register = Register(page=2, repeats=repeats)
        registers.connect(patch, register)
        patch.setattr(windows, "RECORDS_A_WINDOW", 4)
        own, today = changed(config.load(Path(folder)), since=day(40)), 60
        for n in range(8):
            register.add(str(n), day(8 * n), f"Ward {n} had no time.")
        for what, n in events:
            if what == "appear":
                register.add(str(len(register.records)), day(today - n))
            elif what == "revise":
                name = str(n % len(register.records))
                register.add(name, day(today), f"Ward {name} as of day {today}, event {n}.")
            elif what == "pass":
                today += n
            elif what == "query":
                own = changed(own, query=n)
            elif what == "earlier":
                own = changed(own, since=own.search[0].since - timedelta(n))
            else:
                happen(register, own, today, what, n)
        register.fails_at = register.more = 0
        search(own, today)
        holds(register, own, today)
        before = rows(own, "SELECT * FROM documents ORDER BY ALL"), rows(own, "SELECT * FROM windows")
        search(own, today)
        assert (
            rows(own, "SELECT * FROM documents ORDER BY ALL"),
            rows(own, "SELECT * FROM windows"),
        ) == before


def happen(register, own, today, what, n):
    """Run the search: to its end, to a page that fails, or to a transaction where it is killed."""
    register.more, register.fails_at = (n, 0) if what == "run" else (0, n if what == "fail" else 0)
    write, left = Store.write, [n]

    def mortal(store):
        if what == "kill":
            if left[0] == 0:
                raise Killed
            left[0] -= 1
        return write(store)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "write", mortal)
        with suppress(SourceDown, Killed):
            search(own, today)


def holds(register, own, today):
    """Assert that the store holds each record of the register once, as it is now, and from where."""
    since = own.search[0].since
    expected = {r.record: r.text for r in register.between(since, day(today))}
    found = rows(own, "SELECT record, text FROM documents_current")
    assert dict(found) == expected
    assert len(found) == len(expected)
    assert rows(own, "SELECT passage_id FROM passages GROUP BY ALL HAVING count(*) > 1") == []
    assert rows(own, "FROM documents ANTI JOIN passages USING (document_id, text_hash)") == []
    assert (
        rows(own, "FROM documents ANTI JOIN provenance USING (document_id, source, record, text_hash)") == []
    )
    assert rows(own, "SELECT DISTINCT source FROM provenance") in ([], [("register:falls",)])
    query = own.search[0].query
    assert rows(own, f"SELECT since, until FROM covered WHERE query = '{query}'") == [(since, day(today))]
    assert (
        rows(
            own,
            "SELECT a.since FROM windows a JOIN windows b ON a.query = b.query AND a.since < b.since "
            "AND b.since <= a.until",
        )
        == []
    )
    assert rows(own, "SELECT count(*) FROM runs WHERE status = 'running'") == [(0,)]


NAMES = {
    "documents": "document_id, version, text_hash, source, record",
    "provenance": "document_id, source, record, text_hash",
    "passages": "passage_id",
    "quarantine": "quarantine_id",
    "covered": "search, since, until, told, records, quarantined",
}


def contents(path):
    with Store(path).read() as con:
        return {
            table: sorted(con.execute(f"SELECT {names} FROM {table}").fetchall())
            for table, names in NAMES.items()
        }


def start(folder):
    return subprocess.Popen(
        [sys.executable, registers.__file__, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_search_killed_at_any_moment_ends_as_an_undisturbed_one(tmp_path):
    folders = [tmp_path / "calm", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
        (folder / config.FILE).write_text(SETTINGS, "utf-8")
    calm, killed = (folder / "qinlp.duckdb" for folder in folders)
    began = time.monotonic()
    registers.run(folders[0])
    took, generator, kills = time.monotonic() - began, random.Random(4), 0
    for _ in range(2):
        before = killed.stat().st_mtime_ns if killed.exists() else 0
        process = start(folders[1])
        while process.poll() is None and (not killed.exists() or killed.stat().st_mtime_ns == before):
            time.sleep(0.002)
        time.sleep(generator.uniform(0, took * 0.4))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    process = start(folders[1])
    assert (process.communicate()[1], process.returncode) == ("", 0)
    assert kills >= 1
    whole = contents(calm)
    assert len(whole["documents"]) == 84
    assert contents(killed) == whole
