"""The reviewers' desk, and how what they did comes into the store: every act once, whatever happens."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qinlp import steps
from qinlp.errors import StoreError
from qinlp.store import Store
from qinlp.store.desk import Act, Desk, Item, of

pytestmark = pytest.mark.store

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "study.desk.sqlite")


def review(number, passage, coder="kari", present=(), absent=(), **body):
    told = {"present": list(present), "absent": list(absent), "why": "unsure", **body}
    return Act(f"act-{number}", coder, "review", told, AT + timedelta(seconds=number), passage, "valence")


def undo(number, act, coder="kari"):
    return Act(f"act-{number}", coder, "undo", {}, AT + timedelta(seconds=number), undoes=f"act-{act}")


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


def passages(settings, n=5):
    return [row[0] for row in rows(settings, f"SELECT passage_id FROM passages ORDER BY ALL LIMIT {n}")]


def test_an_act_lies_on_the_desk_as_it_was_made(desk):
    (kept,) = desk.add([review(1, "p", present=["barrier"], memo="night shift 🌙")])
    assert kept.seq == 1
    assert desk.acts() == [kept]
    assert kept.body["memo"] == "night shift 🌙"
    assert kept.at == AT + timedelta(seconds=1)


def test_an_act_sent_twice_is_one(desk):
    (first,) = desk.add([review(1, "p", present=["barrier"])])
    assert desk.add([review(1, "p", present=["enabler"])]) == [first]
    assert len(desk.acts()) == 1


def test_acts_of_many_threads_are_all_there(desk):
    def work(coder):
        for n in range(20):
            desk.add([Act(f"{coder}-{n}", coder, "skip", {}, AT, f"p{n}", "valence")])

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    acts = desk.acts()
    assert len({a.act_id for a in acts}) == 60
    assert [a.seq for a in acts] == sorted(a.seq for a in acts)


ACKNOWLEDGE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from qinlp.store.desk import Act, Desk
desk, n = Desk(Path(sys.argv[1])), 0
while True:
    desk.add([Act(f"act-{n}", "kari", "skip", {}, datetime.now(UTC), f"p{n}", "valence")])
    print(n, flush=True)
    n += 1
"""


def test_what_was_acknowledged_survives_a_kill(desk):
    process = subprocess.Popen(
        [sys.executable, "-c", ACKNOWLEDGE, str(desk.path)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    said = [process.stdout.readline() for _ in range(25)]
    process.send_signal(signal.SIGKILL)
    told = max(int(line) for line in [*said, *process.communicate()[0].splitlines()])
    assert {f"act-{n}" for n in range(told + 1)} <= {a.act_id for a in desk.acts()}


def test_the_queue_gives_each_coder_what_nobody_has_dealt_with(desk):
    desk.lay("valence", [Item("valence", n, f"p{n}", "unsure", {}) for n in range(4)], {"left": 4})
    assert desk.note("valence", "left") == 4
    assert [i.passage_id for i in desk.next("valence", "kari", 9)] == ["p0", "p1", "p2", "p3"]
    desk.add([review(1, "p0")])
    desk.add([Act("s", "kari", "skip", {}, AT, "p1", "valence")])
    assert [i.passage_id for i in desk.next("valence", "kari", 9)] == ["p2", "p3"]
    assert [i.passage_id for i in desk.next("valence", "per", 9)] == ["p1", "p2", "p3"]
    desk.assign("valence", "per", ["p0"], "double")
    assert [i.passage_id for i in desk.next("valence", "per", 9)] == ["p0", "p1", "p2", "p3"]
    desk.add([undo(2, 1)])
    assert desk.next("valence", "kari")[0].passage_id == "p0"


def test_only_a_coders_own_acts_can_be_taken_back(desk):
    desk.add([review(1, "p")])
    desk.add([undo(2, 1, coder="per")])
    assert [a.act_id for a in desk.standing("kari", "valence")] == ["act-1"]
    desk.add([undo(3, 1)])
    assert desk.standing("kari", "valence") == []


def test_a_desk_that_is_none_is_told(tmp_path):
    (tmp_path / "x.desk.sqlite").write_text("no database at all " * 100, "utf-8")
    with pytest.raises(StoreError, match="is it a desk"):
        Desk(tmp_path / "x.desk.sqlite").acts()
    with pytest.raises(StoreError, match="choose a folder that exists"):
        Desk(tmp_path / "nowhere" / "x.sqlite").acts()


def test_acts_become_reviews_and_judgements_once(coded, settings, count):
    desk = of(settings.database_path)
    one, two = passages(settings, 2)
    desk.add([review(1, one, present=["barrier"], absent=["enabler"], memo="clear", seconds=4.5)])
    desk.add([Act("act-2", "kari", "skip", {"why": "audit"}, AT, two, "valence")])
    assert steps.carry(settings) == steps.Carried(reviews=2, judgements=2)
    before = count(settings.database_path)
    assert steps.carry(settings) == steps.Carried()
    assert count(settings.database_path) == before
    assert rows(settings, "SELECT status, why, seconds, memo FROM reviews ORDER BY review_id") == [
        ("coded", "unsure", 4.5, "clear"),
        ("skipped", "audit", None, ""),
    ]
    assert rows(settings, "SELECT code, present, coder FROM judgements_current ORDER BY ALL") == [
        ("barrier", True, "kari"),
        ("enabler", False, "kari"),
    ]


def test_a_carrying_that_fails_is_gone_on_with(coded, settings, monkeypatch):
    desk = of(settings.database_path)
    monkeypatch.setattr(steps.carrying, "ACTS_A_BATCH", 2)
    for n, passage in enumerate(passages(settings)):
        desk.add([review(n, passage, present=["barrier"])])
    carry, calls = steps.carrying._one, []

    def stumble(con, run_id, act):
        calls.append(act)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return carry(con, run_id, act)

    monkeypatch.setattr(steps.carrying, "_one", stumble)
    with pytest.raises(KeyboardInterrupt):
        steps.carry(settings)
    assert rows(settings, "SELECT count(*) FROM reviews") == [(2,)]
    steps.carry(settings)
    assert rows(settings, "SELECT count(*), count(DISTINCT review_id) FROM reviews") == [(5, 5)]


def test_an_act_that_makes_no_sense_is_quarantined_and_the_rest_carried(coded, settings):
    desk = of(settings.database_path)
    (one,) = passages(settings, 1)
    desk.add([Act("bad", "kari", "review", {"why": "unsure"}, AT, one, "valence")])
    desk.add([Act("cut", "kari", "recut", {"replaces": [one], "spans": [[0, 10**6]]}, AT)])
    desk.add([review(3, one, present=["barrier"])])
    assert steps.carry(settings) == steps.Carried(reviews=1, judgements=1, rejected=2)
    assert rows(settings, "SELECT source, record FROM quarantine ORDER BY ALL") == [
        ("desk:kari", "bad"),
        ("desk:kari", "cut"),
    ]


def test_what_was_taken_back_counts_no_more(coded, settings):
    desk = of(settings.database_path)
    (one,) = passages(settings, 1)
    desk.add([review(1, one, present=["barrier"])])
    desk.add([undo(2, 1)])
    steps.carry(settings)
    assert rows(settings, "FROM judgements_current") == []
    assert rows(settings, "SELECT count(*) FROM judgements") == [(1,)]


def test_a_code_left_out_of_a_whole_review_is_absent(coded, settings):
    desk = of(settings.database_path)
    (one,) = passages(settings, 1)
    desk.add([review(1, one, "kari", present=["barrier"])])
    desk.add([review(2, one, "per", present=["enabler"])])
    steps.carry(settings)
    assert rows(settings, "SELECT code, coder, present FROM judgements_by_coder ORDER BY ALL") == [
        ("barrier", "kari", True),
        ("barrier", "per", False),
        ("enabler", "kari", False),
        ("enabler", "per", True),
    ]
    assert rows(settings, "SELECT code, present, disputed FROM judgements_current ORDER BY ALL") == [
        ("barrier", False, True),
        ("enabler", True, True),
    ]
    desk.add([review(3, one, "anna", present=["barrier"], absent=["enabler"], adjudicates=True)])
    desk.add([review(4, one, "per", present=["enabler"])])
    steps.carry(settings)
    assert rows(settings, "SELECT code, present, disputed, coder FROM judgements_current ORDER BY ALL") == [
        ("barrier", True, False, "anna"),
        ("enabler", False, False, "anna"),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["kari", "per"]), st.sampled_from("pq"),
            st.sets(st.sampled_from(["barrier", "enabler"])), st.booleans(),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_the_views_say_what_a_notebook_of_the_acts_says(acts):
    import duckdb

    from qinlp.steps.carrying import _append
    from qinlp.store.migrate import migrate

    expected, done = {}, []
    for number, (coder, passage, present, back) in enumerate(acts):
        done.append(review(number, passage, coder, sorted(present)))
        if back:
            done.append(undo(number + 0.5, number, coder))
        else:
            expected[coder, passage] = present
    asked = {(p, code) for (_, p), present in expected.items() for code in present}
    with duckdb.connect() as con:
        migrate(con)
        _append(con, "run", done)
        found = con.execute("SELECT coder, passage_id, code, present FROM judgements_by_coder").fetchall()
    assert sorted(found) == sorted(
        (coder, p, code, code in present)
        for (coder, p), present in expected.items()
        for passage, code in asked
        if passage == p
    )
