"""The store: its schema, what it lets in, and who may hold it when."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qinlp import codebook
from qinlp.errors import QuestionError, StoreBusy, StoreError
from qinlp.passages import segment
from qinlp.records import Document, Judgement, Rejected
from qinlp.store import Store, append, pending, questions
from qinlp.store.dictionary import dictionary
from qinlp.store.migrate import migrate, migrations
from qinlp.store.publish import publish

pytestmark = pytest.mark.store
NOW = datetime(2024, 5, 1, tzinfo=UTC)
WORKER = Path(__file__).parent / "store_worker.py"
VALENCE = codebook.find("valence")


def rows(con, sql, *values):
    return con.execute(sql, list(values)).fetchall()


def add(con, *documents, run="r1"):
    return append.add_documents(con, run, [(d, segment(d)) for d in documents])


def paper(text="Nurses had no time. A mandate helped them.", **more):
    return Document(text, "abstract", **{"title": "A title", "year": 2020, "source": "a.ris", **more})


def talk(text="Kari: We had no time for it at all.", source="kari.txt"):
    from qinlp.records import Turn

    return Document(text, "transcript", source=source, turns=(Turn("Kari", "participant", 6, len(text)),))


# --- schema ---------------------------------------------------------------------------------------


def test_migrations_are_applied_once_and_recorded(con):
    numbers = [number for number, _, _ in migrations()]
    assert rows(con, "SELECT number FROM schema_migrations ORDER BY ALL") == [(n,) for n in numbers]
    assert migrate(con) == []


def test_migrations_are_numbered_without_a_gap():
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_migration_that_fails_leaves_nothing(monkeypatch):
    from qinlp.store import migrate as module

    monkeypatch.setattr(
        module, "migrations", lambda: [(1, "x", "CREATE TABLE x (i INT); CREATE TABLE x (i INT)")]
    )
    with duckdb.connect() as con:
        with pytest.raises(duckdb.Error):
            migrate(con)
        assert rows(con, "SELECT * FROM duckdb_tables()") == []


def test_a_newer_schema_is_refused(store):
    with store.write() as con:
        con.execute("INSERT INTO schema_migrations(number, name) VALUES (99, 'later')")
    with (
        pytest.raises(StoreError, match=r"schema 99, this qinlp knows .*; install the newer qinlp"),
        store.write(),
    ):
        pass


def test_reading_a_newer_schema_is_refused(store):
    with store.write() as con:
        con.execute("INSERT INTO schema_migrations(number, name) VALUES (99, 'later')")
    with pytest.raises(StoreError, match="schema 99"), store.read():
        pass


def test_a_file_that_a_first_run_left_empty_can_be_read(store):
    duckdb.connect(store.path).close()
    with store.read() as con:
        assert rows(con, "SELECT count(*) FROM documents") == [(0,)]


def test_every_table_view_and_column_says_what_it_is(con):
    assert [missing for relation in dictionary(con) for missing in relation.without_meaning] == []


def test_the_dictionary_knows_every_table_and_view(con):
    there = rows(con, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'")
    assert {relation.name for relation in dictionary(con)} == {name for (name,) in there}


# --- documents ------------------------------------------------------------------------------------


def test_a_document_comes_with_its_passages(con):
    arrived = add(con, paper(doi="10.1/a"))
    assert arrived == append.Arrived(documents=1, passages=2)
    assert rows(con, "SELECT text FROM passages ORDER BY ordinal") == [
        ("Nurses had no time.",),
        ("A mandate helped them.",),
    ]


def test_every_field_of_a_document_is_kept(con):
    given = paper(
        doi="10.1/A", pmid="1", pmcid="PMC1", openalex="W1", authors=("Berg, A",), journal="J",
        keywords=("k",), mesh=("m",), language="en", metadata={"volume": "3"}, record="7",
    )  # fmt: skip
    add(con, given)
    found = con.sql("SELECT * FROM documents_current").to_arrow_table().to_pylist()[0]
    for name in ("text", "title", "year", "kind", "journal", "language", "pmid", "source", "record"):
        assert found[name] == getattr(given, name)
    assert (found["doi"], found["pmcid"], found["openalex"]) == ("10.1/a", "PMC1", "W1")
    assert (found["authors"], found["keywords"], found["mesh"]) == (["Berg, A"], ["k"], ["m"])
    assert found["metadata"] == '{"volume": "3"}'


def test_a_record_with_the_title_alone_is_the_paper_with_that_title(con):
    assert add(con, paper(), paper(doi="10.1/a", source="b.ris")).documents == 1
    assert rows(con, "SELECT doi FROM documents_current") == [("10.1/a",)]


def test_two_papers_with_one_title_and_two_dois_stay_two(con):
    assert add(con, paper(doi="10.1/a"), paper(doi="10.1/b", text="Another abstract.")).documents == 2


def test_a_new_text_from_the_same_source_is_a_new_version(con):
    add(con, paper())
    assert add(con, paper("Corrected.")).versions == 1
    assert rows(con, "SELECT version, text FROM documents_current") == [(2, "Corrected.")]
    assert rows(con, "SELECT count(*) FROM documents") == [(2,)]


def test_another_text_from_another_source_is_noted_and_no_more(con):
    add(con, paper())
    assert add(con, paper("Differs.", source="b.ris")) == append.Arrived(duplicates=1)
    assert rows(con, "SELECT source FROM provenance ORDER BY ALL") == [("a.ris",), ("b.ris",)]


def test_a_text_fills_an_empty_document_from_anywhere(con):
    add(con, paper(""))
    assert add(con, paper(source="b.ris")).versions == 1
    assert rows(con, "SELECT text <> '' FROM documents_current") == [(True,)]


def test_an_empty_text_replaces_none(con):
    add(con, paper())
    assert add(con, paper("")).versions == 0


def test_two_sources_that_disagree_do_not_take_turns(con):
    one, two = paper("One text."), paper("Two text.", source="b.ris")
    for _ in range(3):
        add(con, one)
        add(con, two)
    assert rows(con, "SELECT text FROM documents") == [("One text.",)]


def test_a_file_that_disagrees_with_itself_is_the_same_however_it_is_batched(con):
    one, two = paper("One text.", record="1"), paper("Two text.", record="2")
    for _ in range(3):
        seen = set()
        append.add_documents(con, "r", [(one, [])], seen)
        append.add_documents(con, "r", [(two, [])], seen)
    assert rows(con, "SELECT text FROM documents") == [("One text.",)]


def test_a_moved_transcript_is_the_same_document(con):
    add(con, talk())
    assert add(con, talk(source="moved/kari.txt")) == append.Arrived(duplicates=1)


def test_a_moved_and_then_corrected_transcript_is_a_new_version(con):
    add(con, talk())
    add(con, talk(source="moved/kari.txt"))
    assert add(con, talk("Kari: We had no time.", "moved/kari.txt")).versions == 1


def test_copies_of_a_transcript_that_part_do_not_take_turns(con):
    add(con, talk(source="a.txt"))
    add(con, talk(source="b.txt"))
    for _ in range(3):
        add(con, talk("Kari: Corrected here.", "a.txt"))
        add(con, talk("Kari: Corrected there.", "b.txt"))
    assert rows(con, "SELECT count(*) FROM documents") == [(2,)]


def test_a_correction_that_is_taken_back_brings_the_old_text_back(con):
    add(con, paper("First."))
    add(con, paper("Second."))
    add(con, paper("First."))
    assert rows(con, "SELECT version, text FROM documents_current") == [(3, "First.")]
    assert rows(con, "SELECT count(*) FROM passages") == [(2,)]
    assert rows(con, "SELECT text FROM passages_current") == [("First.",)]


@st.composite
def papers(draw):
    """Draw a record of one of three papers, which names it by its title and some of its identifiers."""
    n = draw(st.sampled_from("123"))
    return paper(
        text=draw(st.sampled_from(["", "A text is here.", "B text is here. And more.", "C text."])),
        title=f"Paper {n}",
        doi=draw(st.sampled_from(["", f"10.1/{n}"])),
        pmid=draw(st.sampled_from(["", n])),
        source=draw(st.sampled_from(["a.ris", "b.nbib"])),
        record=draw(st.sampled_from(["1", "2"])),
    )


def documents_in(con):
    """Return the documents, each as the set of names that it goes by: its id is the first of them seen."""
    return {
        frozenset(names) for (names,) in rows(con, "SELECT list(key) FROM document_keys GROUP BY document_id")
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(papers(), min_size=1, max_size=8), data=st.data())
def test_any_order_batching_and_repetition_gives_the_same_documents(found, data):
    again = data.draw(st.permutations(found + data.draw(st.lists(st.sampled_from(found), max_size=4))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(again)), max_size=4)))
    with duckdb.connect(config={"threads": 1}) as one, duckdb.connect(config={"threads": 1}) as two:
        migrate(one)
        migrate(two)
        add(one, *found)
        for start, end in zip([0, *cuts], [*cuts, len(again)], strict=True):
            add(two, *again[start:end])
        assert documents_in(one) == documents_in(two)
        for con in (one, two):
            assert rows(con, "SELECT passage_id FROM passages GROUP BY ALL HAVING count(*) > 1") == []
            assert (
                rows(
                    con, "SELECT document_id FROM documents GROUP BY document_id, version HAVING count(*) > 1"
                )
                == []
            )
            assert (
                rows(con, "SELECT * FROM passages p ANTI JOIN documents d USING (document_id, text_hash)")
                == []
            )
            assert rows(con, "SELECT * FROM provenance ANTI JOIN documents USING (document_id)") == []


@settings(max_examples=15, deadline=None)
@given(
    history=st.lists(
        st.tuples(st.sampled_from(["a.ris", "b.ris", "c.ris"]), st.sampled_from(["", "One.", "Two.", "3."])),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_whatever_was_edited_before_reading_the_same_again_brings_nothing(history):
    with duckdb.connect(config={"threads": 1}) as con:
        migrate(con)
        for source, text in history:
            add(con, paper(text, doi="10.1/a", source=source))
        for source, text in dict(history).items():
            assert add(con, paper(text, doi="10.1/a", source=source)) == append.Arrived(duplicates=1)


@settings(max_examples=15, deadline=None)
@given(found=st.lists(papers(), min_size=1, max_size=8))
def test_a_second_reading_of_the_same_files_brings_nothing(found):
    files = [[d for d in found if d.source == source] for source in ("a.ris", "b.nbib")]
    with duckdb.connect(config={"threads": 1}) as con:
        migrate(con)
        for _ in range(2):
            for file in files:
                add(con, *file)
        before = rows(con, "SELECT * FROM documents ORDER BY ALL")
        for file in files:
            arrived = add(con, *file)
            assert (arrived.documents, arrived.versions, arrived.passages) == (0, 0, 0)
        assert rows(con, "SELECT * FROM documents ORDER BY ALL") == before


# --- what else comes in ---------------------------------------------------------------------------


def test_a_rejected_record_is_quarantined_once(con):
    rejected = Rejected("a.ris", "3", "no title", b"\x00raw")
    assert append.add_rejected(con, "r", NOW, [rejected, rejected]) == 1
    assert append.add_rejected(con, "r2", NOW, [rejected]) == 0
    assert rows(con, "SELECT source, record, reason, raw FROM quarantine") == [
        ("a.ris", "3", "no title", b"\x00raw")
    ]


def test_a_vector_is_kept_once_an_encoder(con):
    vectors = np.eye(2, dtype=np.float32)
    assert append.add_vectors(con, "e", ["a", "b"], vectors) == 2
    assert append.add_vectors(con, "e", ["b"], vectors[1:]) == 0
    assert append.add_vectors(con, "other", ["b"], vectors[1:]) == 1


def code(con, run, coder, *found):
    """Code all passages; `found` are (passage text, code, probability, decision)."""
    ids = dict(rows(con, "SELECT text, passage_id FROM passages"))
    append.start_run(con, run, "code", NOW, "0", {})
    append.add_codebook(con, run, VALENCE)
    append.add_thresholds(con, [(coder, "valence", c, 0.5, 0.3, 0.7, "test") for c in ("barrier", "enabler")])
    table = pa.Table.from_pylist(
        [{"passage_id": ids[t], "code": c, "probability": p, "decision": d} for t, c, p, d in found],
        pa.schema([("passage_id", pa.string()), ("code", pa.string()), ("probability", pa.float32()),
                   ("decision", pa.bool_())]),
    )  # fmt: skip
    return append.add_codings(con, run, coder, VALENCE, list(ids.values()), table)


def judge(con, text, code, present, at=NOW, coder="anna"):
    passage = rows(con, "SELECT passage_id FROM passages WHERE text = ?", text)[0][0]
    append.add_judgements(con, [Judgement(passage, "valence", code, coder, present, at)])


TIME, MANDATE = "Nurses had no time.", "A mandate helped them."


@pytest.fixture
def judged(con):
    add(con, paper())
    code(
        con,
        "r1",
        "m@1",
        (TIME, "barrier", 0.9, True),
        (TIME, "enabler", 0.4, False),
        (MANDATE, "enabler", 0.6, True),
    )
    return con


def test_a_batch_that_is_coded_again_adds_nothing(judged):
    assert code(judged, "r2", "m@1", (TIME, "barrier", 0.9, True)) == 0


def test_coded_passages_are_what_the_model_decided(judged):
    found = rows(judged, "SELECT text, code, decided_by, code_name FROM coded_passages ORDER BY ALL")
    assert found == [(MANDATE, "enabler", "model", "Enabler"), (TIME, "barrier", "model", "Barrier")]


@pytest.mark.parametrize(
    ("code", "present", "expected"),
    [
        ("barrier", False, []),
        ("barrier", True, [("barrier", "human", "anna")]),
        ("enabler", True, [("barrier", "model", "m@1"), ("enabler", "human", "anna")]),
        ("enabler", False, [("barrier", "model", "m@1")]),
    ],
)
def test_a_person_wins_over_the_model(judged, code, present, expected):
    judge(judged, TIME, code, present)
    found = rows(
        judged, "SELECT code, decided_by, coder FROM coded_passages WHERE text = ? ORDER BY ALL", TIME
    )
    assert found == expected


def test_a_judgement_stands_where_no_model_coded(con):
    add(con, paper())
    judge(con, TIME, "barrier", True)
    assert rows(con, "SELECT code, probability, decided_by FROM coded_passages") == [
        ("barrier", None, "human")
    ]


def test_the_later_judgement_counts_and_the_earlier_is_kept(judged):
    judge(judged, TIME, "barrier", False)
    judge(judged, TIME, "barrier", True, NOW + timedelta(hours=1), "per")
    assert rows(judged, "SELECT present, coder FROM judgements_current") == [(True, "per")]
    assert rows(judged, "SELECT count(*) FROM judgements") == [(2,)]


def test_the_same_judgement_twice_is_one(judged):
    judge(judged, TIME, "barrier", True)
    judge(judged, TIME, "barrier", True)
    assert rows(judged, "SELECT count(*) FROM judgements") == [(1,)]


def test_what_the_model_is_unsure_of_waits_for_review_nearest_first(judged):
    found = rows(judged, "SELECT text, codes[1].code, margin FROM review_queue ORDER BY text")
    assert found == [(MANDATE, "enabler", pytest.approx(0.1)), (TIME, "enabler", pytest.approx(0.1))]


def test_what_is_judged_waits_no_longer(judged):
    judge(judged, TIME, "enabler", False)
    assert rows(judged, "SELECT text FROM review_queue") == [(MANDATE,)]


def test_another_models_codings_are_current_and_the_old_are_kept(judged):
    code(judged, "r2", "m@2", (TIME, "enabler", 0.8, True))
    assert rows(judged, "SELECT code, coder FROM codings_current") == [("enabler", "m@2")]
    assert rows(judged, "SELECT text, code FROM coded_passages") == [(TIME, "enabler")]
    assert rows(judged, "SELECT count(*) FROM codings") == [(4,)]


def test_codings_of_an_old_version_are_kept_and_not_shown(judged):
    add(judged, paper("Something else entirely."))
    assert rows(judged, "SELECT count(*) FROM codings") == [(3,)]
    assert rows(judged, "SELECT count(*) FROM coded_passages") == [(0,)]
    assert rows(judged, "SELECT count(*) FROM review_queue") == [(0,)]


def test_an_interviewers_passages_are_coded_only_when_asked(con):
    from qinlp.records import Turn

    text = "Int: What was it like for you? Kari: We had no time for it."
    turns = (Turn("Int", "interviewer", 5, 30), Turn("Kari", "participant", 37, len(text)))
    add(con, Document(text, "transcript", source="x.txt", turns=turns))
    assert len(pending.unencoded(con, "e", interviewer=False)) == 1
    assert len(pending.unencoded(con, "e", interviewer=True)) == 2
    assert len(pending.uncoded(con, "m", "valence", "h", interviewer=True)) == 2


def test_passages_without_a_vector_are_left_for_the_next_run(con):
    add(con, paper())
    ids, vectors = pending.vectors(con, "e", [row[0] for row in rows(con, "SELECT passage_id FROM passages")])
    assert (ids, vectors.shape) == ([], (0, 0))


# --- leases ---------------------------------------------------------------------------------------


def test_a_missing_database_is_told(store):
    with pytest.raises(StoreError, match="no database yet; `qinlp ingest PATH` makes it"), store.read():
        pass


def test_a_file_that_is_no_database_is_told(store):
    store.path.write_text("no database " * 1000, "utf-8")
    with pytest.raises(StoreError, match="is it a DuckDB database"), store.write():
        pass


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StoreError), Store(tmp_path / "no" / "x.duckdb").write():
        pass


def test_a_transaction_that_fails_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.write() as con:  # noqa: PT012 - what fails is the block
        append.start_run(con, "r1", "ingest", NOW, "0", {})
        raise RuntimeError
    with store.read() as con:
        assert rows(con, "SELECT count(*) FROM runs") == [(0,)]


def test_a_reader_cannot_write(store):
    with store.write():
        pass
    with store.read() as con, pytest.raises(duckdb.Error):
        con.execute("DELETE FROM runs")


def worker(*words):
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_writers_and_a_reader_lose_nothing(store):
    with store.write():
        pass
    started = [worker(role, store.path) for role in ("one", "two", "read")]
    said = [process.communicate(timeout=180) for process in started]
    assert [err for _, err in said] == ["", "", ""]
    assert said[2][0].strip() == "40"
    with store.read() as con:
        assert rows(con, "SELECT count(*) FROM runs") == [(40,)]


def test_a_store_that_stays_busy_is_told_with_its_holder(store):
    holder = worker("hold", store.path, 60)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy) as caught, Store(store.path, wait=0.2).write():
            pass
        assert f"(PID {holder.pid})" in str(caught.value)
        assert "for more than 0.2 s" in str(caught.value)
        assert "qinlp publish" in str(caught.value)
    finally:
        holder.kill()
        holder.communicate()


def test_a_short_wait_is_waited_out(store):
    holder = worker("hold", store.path, 0.5)
    assert holder.stdout.readline() == "held\n"
    with Store(store.path, wait=60).write() as con:
        append.start_run(con, "mine", "ingest", NOW, "0", {})
    holder.communicate(timeout=60)
    with store.read() as con:
        assert rows(con, "SELECT run_id FROM runs") == [("mine",)]


# --- publish --------------------------------------------------------------------------------------


def test_a_snapshot_is_replaced_while_a_reader_holds_the_old_one(store, tmp_path):
    to = tmp_path / "snapshot.duckdb"
    with store.write() as con:
        append.start_run(con, "one", "ingest", NOW, "0", {})
    publish(store, to)
    with duckdb.connect(to, read_only=True) as reader:
        with store.write() as con:
            append.start_run(con, "two", "ingest", NOW, "0", {})
        publish(store, to)
        assert rows(reader, "SELECT count(*) FROM runs") == [(1,)]
    with duckdb.connect(to, read_only=True) as reader:
        assert rows(reader, "SELECT count(*) FROM runs") == [(2,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshot.duckdb", "store.duckdb"]


def test_a_snapshot_is_read_only(store, tmp_path):
    with store.write():
        pass
    to = publish(store, tmp_path / "snapshot.duckdb")
    assert not to.stat().st_mode & 0o222


def test_a_snapshot_needs_a_database(store, tmp_path):
    with pytest.raises(StoreError, match="no database yet"):
        publish(store, tmp_path / "snapshot.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_that_cannot_be_written_is_told(store, tmp_path):
    with store.write():
        pass
    with pytest.raises(StoreError, match=r"cannot be written .*; name another place with --to"):
        publish(store, tmp_path / "no" / "snapshot.duckdb")


# --- questions ------------------------------------------------------------------------------------


@pytest.fixture
def reading(store):
    with store.write() as con:
        add(con, paper())
        code(con, "r1", "m@1", (TIME, "barrier", 0.9, True))
    with store.read() as con:
        yield con


def test_sql_is_answered(reading):
    assert questions.run(reading, "SELECT count(*) AS n FROM passages;").to_pylist() == [{"n": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY passages TO '{tmp}/out.csv'",
        "EXPORT DATABASE '{tmp}/out'",
        "ATTACH '{tmp}/other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSERT INTO runs SELECT * FROM runs",
        "DELETE FROM passages",
        "DROP TABLE passages",
        "CREATE TABLE x (i INTEGER)",
        "SET enable_external_access = true",
        "PRAGMA enable_external_access",
        "SELECT * FROM append",
        "SELEC 1",
        "SELECT nothing FROM passages",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_sql_that_would_do_more_than_read_the_store_is_refused(reading, tmp_path, sql):
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(StoreError) as caught:
        questions.run(reading, sql.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_every_question_is_answered(reading):
    for question in questions.questions().values():
        assert question.about.endswith("?")
        assert questions.ask(reading, question, {}).num_columns > 0


def test_a_parameter_chooses(reading):
    found = questions.ask(reading, questions.find("quotes"), {"code": "barrier"}).to_pylist()
    assert [row["text"] for row in found] == [TIME]


def test_a_parameter_is_a_value_and_never_sql(reading):
    found = questions.ask(reading, questions.find("quotes"), {"code": "' OR 1 = 1 --"})
    assert found.num_rows == 0


def test_an_unknown_question_is_told_with_the_nearest():
    with pytest.raises(QuestionError, match="no question 'quote'; did you mean 'quotes'"):
        questions.find("quote")


def test_an_unknown_parameter_is_told_with_the_nearest(reading):
    with pytest.raises(QuestionError, match="no parameter 'cod'; did you mean 'code'"):
        questions.ask(reading, questions.find("quotes"), {"cod": "x"})


def test_a_projects_own_question_stands_before_the_shipped_one(tmp_path):
    (tmp_path / "quotes.sql").write_text("-- Mine?\n-- $a = b = c: two words\nSELECT $a AS a", "utf-8")
    found = questions.find("quotes", [tmp_path])
    assert found.about == "Mine?"
    assert found.parameters == (questions.Parameter("a", "b = c", "two words"),)


def test_columns_of_one_name_are_all_kept(reading):
    assert len(set(questions.run(reading, "SELECT 1 AS a, 2 AS a").column_names)) == 2


def test_replace_makes_another_record():
    assert replace(paper(), doi="x").doi == "x"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_the_database_is_not_touched_by_reading(store):
    with store.write():
        pass
    before = store.path.stat().st_mtime_ns, store.path.read_bytes()
    with store.read() as con:
        rows(con, "SELECT * FROM runs")
    assert (store.path.stat().st_mtime_ns, store.path.read_bytes()) == before
