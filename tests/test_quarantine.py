"""The quarantine: what waits there, how it is looked at, read again, and let go."""

import re

import pytest

from qinlp import sources, steps
from qinlp.errors import ConfigError
from qinlp.records import Document, Rejected
from qinlp.sources.searching import Searched
from qinlp.store import Store, append, quarantine

pytestmark = pytest.mark.store

GOOD = "TY  - JOUR\nTI  - {0}\nAB  - On {0} nobody had time.\nER  - \n"
EMPTY = "TY  - JOUR\nPY  - {0}\nER  - \n"


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


def entries(settings):
    with Store(settings.database_path).read() as con:
        return quarantine.entries(con)


def standing(settings):
    """Return (record, what became of it) of every entry."""
    return [(one.record, one.how) for one in entries(settings)]


@pytest.fixture
def bad(settings, project):
    """Return a file of three records, of which the second and third were quarantined."""
    path = project / "documents" / "bad.ris"
    path.write_text(GOOD.format("ward 1") + EMPTY.format(2001) + EMPTY.format(2002), "utf-8")
    assert steps.ingest(settings, [path]).quarantined == 2
    return path


def test_entries_wait_until_the_mended_file_is_read(settings, bad):
    assert standing(settings) == [("2", ""), ("3", "")]
    bad.write_text(GOOD.format("ward 1") + GOOD.format("ward 2") + EMPTY.format(2002), "utf-8")
    done = steps.ingest(settings, [bad])
    assert (done.arrived.documents, done.quarantined) == (1, 0)
    assert standing(settings) == [("2", "superseded"), ("3", "")]
    files, resolved = "SELECT max(run_id) FROM files", "SELECT run_id FROM quarantine_resolved"
    assert rows(settings, files) == rows(settings, resolved)


def test_an_entry_that_is_met_again_waits_again(settings, bad):
    whole = bad.read_text("utf-8")
    for _ in range(2):
        bad.write_text(GOOD.format("ward 1"), "utf-8")
        steps.ingest(settings, [bad])
        assert standing(settings) == [("2", "superseded"), ("3", "superseded")]
        bad.write_text(whole + "\n", "utf-8")  # other bytes of the file, the same of its records
        assert steps.ingest(settings, [bad]).quarantined == 2
        assert standing(settings) == [("2", ""), ("3", "")]
        whole += "\n"


def test_a_mended_whole_file_waits_no_longer_and_one_broken_anew_waits_once(settings, project):
    path = project / "documents" / "a.json"
    for broken in ('{"resultList": ', '{"resultList": {'):
        path.write_text(broken, "utf-8")
        assert steps.ingest(settings, [path]).quarantined == 1
    assert sorted(one.how for one in entries(settings)) == ["", "superseded"]
    path.write_text('{"resultList": {"result": [{"title": "Mended"}]}}', "utf-8")
    assert steps.ingest(settings, [path]).quarantined == 0
    assert [one.how for one in entries(settings)] == ["superseded", "superseded"]
    path.write_text(broken, "utf-8")
    done = steps.ingest(settings, [path])
    assert (done.quarantined, len(done.refused)) == (1, 1)
    assert sorted(one.how for one in entries(settings)) == ["", "superseded"]


# --- retry ----------------------------------------------------------------------------------------


def test_a_retry_reads_the_mended_file_and_says_what_still_waits(settings, bad):
    bad.write_text(GOOD.format("ward 1") + GOOD.format("ward 2") + EMPTY.format(2002), "utf-8")
    done = steps.retry(settings)
    assert (done.read, done.arrived.documents, done.arrived.duplicates) == (1, 1, 1)
    assert done.waiting == ("documents/bad.ris 3: the record has neither title nor abstract",)
    assert standing(settings) == [("2", "read"), ("3", "")]
    assert steps.ingest(settings, [bad]) == steps.Ingested(unchanged=1)


def test_a_retry_that_changes_nothing_writes_nothing(settings, bad, count):
    before = count(settings.database_path)
    done = steps.retry(settings)
    assert (done.read, len(done.waiting)) == (0, 2)
    assert count(settings.database_path) == before


def test_a_better_reader_reads_what_waited_though_the_file_is_the_same(settings, bad, monkeypatch):
    def better(path):
        for record in real(path):
            if isinstance(record, Rejected) and record.record == "2":
                yield Document("Read at last.", "abstract", source=str(path), record="2")
            elif isinstance(record, Rejected):
                yield Rejected(record.source, record.record, "a better reason", record.raw)
            else:
                yield record

    real = sources.read
    monkeypatch.setattr(sources, "read", better)
    done = steps.retry(settings, [entries(settings)[0].id[:8]])
    assert (done.read, done.arrived.documents, done.waiting) == (1, 1, ())
    assert sorted((one.record, one.how, one.reason[:8]) for one in entries(settings)) == [
        ("2", "read", "the reco"),
        ("3", "", "a better"),
        ("3", "superseded", "the reco"),
    ]


def test_what_is_gone_stays_and_is_told(settings, bad):
    bad.unlink()
    done = steps.retry(settings)
    assert (done.read, len(done.waiting)) == (0, 2)
    assert all("bad.ris" in line and "gone" in line and "dismiss" in line for line in done.waiting)
    assert standing(settings) == [("2", ""), ("3", "")]


def test_a_whole_file_is_retried_too(settings, project):
    path = project / "documents" / "a.ris"
    path.write_text("", "utf-8")
    steps.ingest(settings, [project / "documents"])
    assert len(steps.retry(settings).waiting) == 1
    path.write_text(GOOD.format("ward 1"), "utf-8")
    done = steps.retry(settings)
    assert (done.read, done.arrived.documents, done.waiting) == (1, 1, ())
    assert standing(settings) == [("", "read")]


def test_a_file_that_got_worse_is_told(settings, bad):
    bad.write_text("nothing of RIS", "utf-8")
    done = steps.retry(settings)
    assert done.read == 0
    assert any("bad.ris: not RIS" in line for line in done.waiting)
    assert len(done.waiting) == 3


def searched(reread):
    return Searched(
        name="europepmc", about="", base_url="", most=1, rate=lambda: 1.0, count=lambda *a: 0,
        pages=lambda *a: iter(()), reread=reread,
    )  # fmt: skip


def test_records_of_a_search_are_read_again_from_the_kept_bytes(settings, project, monkeypatch):
    steps.ingest(settings, [project / "documents"])
    kept = [Rejected("europepmc:falls", f"MED/{n}", "odd", b"%d" % n) for n in range(4)]
    with Store(settings.database_path).write() as con:
        append.add_rejected(con, "r", kept_at(), kept)

    def reread(raw, record):
        if raw == b"1":
            return Rejected("", record, "odd still", raw)
        if raw == b"2":
            raise KeyError(record)
        return Document(
            f"Ward {raw.decode()} had no time.", "abstract", title=f"T{raw}", pmid=f"100{raw.decode()}"
        )

    monkeypatch.setitem(sources.SEARCHES, "europepmc", searched(reread))
    done = steps.retry(settings)
    assert (done.read, done.arrived.documents) == (2, 2)
    assert done.waiting == (
        "europepmc:falls MED/1: odd still",
        "europepmc:falls MED/2: the reader failed (KeyError); please report it",
    )
    assert standing(settings) == [("MED/0", "read"), ("MED/1", ""), ("MED/2", ""), ("MED/3", "read")]
    found = rows(settings, "SELECT source, record FROM provenance WHERE source LIKE 'euro%' ORDER BY record")
    assert found == [("europepmc:falls", "MED/0"), ("europepmc:falls", "MED/3")]


def kept_at():
    from datetime import UTC, datetime

    return datetime.now(UTC)


# --- dismiss --------------------------------------------------------------------------------------


def test_what_is_dismissed_waits_no_longer_also_when_it_is_met_again(settings, bad):
    one = entries(settings)[0]
    assert steps.dismiss(settings, [one.id[:9]], "an empty line") == 1
    assert steps.dismiss(settings, [one.id], "once more") == 0
    bad.write_text(bad.read_text("utf-8") + "\n", "utf-8")
    assert steps.ingest(settings, [bad]).quarantined == 0
    assert standing(settings) == [("2", "dismissed"), ("3", "")]
    assert entries(settings)[0].note == "an empty line"
    assert len(steps.retry(settings).waiting) == 1


def test_a_broken_file_that_is_dismissed_is_told_no_more(settings, project):
    path = project / "documents" / "broken.xml"
    path.write_text("<PubmedArticleSet><Pub", "utf-8")
    assert len(steps.ingest(settings, [path]).refused) == 1
    steps.dismiss(settings, [entries(settings)[0].id], "nothing in it")
    assert steps.ingest(settings, [path]) == steps.Ingested(unchanged=1)


@pytest.mark.parametrize("prefix", ["zzz", ""])
def test_an_id_that_names_none_or_several_is_refused(settings, bad, prefix):
    for step in (
        lambda: steps.retry(settings, [prefix]),
        lambda: steps.dismiss(settings, [prefix], "why"),
    ):
        with pytest.raises(ConfigError, match="quarantine list --all" if prefix else "2 entries"):
            step()


def test_ids_are_shown_as_short_as_they_stay_apart():
    def named(*ids):
        return quarantine.shortened([quarantine.Entry(i, "", "", "", "", kept_at()) for i in ids])

    assert named("a" * 32, "b" * 32) == ["a" * 7, "b" * 7]
    assert named("a" * 31 + "b", "a" * 31 + "c") == ["a" * 31 + "b", "a" * 31 + "c"]
    assert named() == []


# --- the commands ---------------------------------------------------------------------------------


def test_the_list_says_what_waits_in_80_columns(settings, bad, run):
    code, out, _ = run("quarantine", "list")
    assert code == 0
    lines = out.decode().splitlines()
    assert lines[0].split() == ["id", "source", "record", "reason", "since"]
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "2 waiting"
    ids = [one.id[:7] for one in entries(settings)]
    assert all(any(line.startswith(name) for line in lines) for name in ids)
    run("quarantine", "dismiss", ids[0], "--note", "empty")
    assert ids[0] not in run("quarantine", "list")[1].decode()
    everything = run("quarantine", "list", "--all")[1].decode()
    assert ids[0] in everything
    assert "dismissed" in everything
    assert "1 waiting, 1 not" in everything
    run("quarantine", "dismiss", ids[1], "--note", "empty")
    assert run("quarantine", "list")[1] == b"Nothing waits in quarantine.\n"


def test_status_and_the_question_count_what_waits(settings, bad, run):
    assert re.search(r"2  records in quarantine", run("status")[1].decode())
    run("quarantine", "dismiss", entries(settings)[0].id, "--note", "empty")
    assert re.search(r"1  records in quarantine", run("status")[1].decode())
    assert len(run("ask", "quarantine", "--format", "csv")[1].decode().splitlines()) == 2


def test_an_entry_is_shown_so_that_it_harms_no_terminal(settings, project, run, tmp_path):
    bad = b"TY  - JOUR\nC1  - \x1b]0;owned\x07 \xe2\x80\xae \xff caf\xc3\xa9\nER  - "
    with Store(settings.database_path).write() as con:
        append.add_rejected(con, "r", kept_at(), [Rejected("a\x1b.ris", "2", "odd", bad)])
    code, out, _ = run("quarantine", "show", entries(settings)[0].id[:7])
    said = out.decode()
    assert code == 0
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert r"C1  - \x1b]0;owned\x07 \u202e \xff café" in said
    assert all(word in said for word in ("odd", r"a\x1b.ris", entries(settings)[0].id))
    assert run("quarantine", "show", entries(settings)[0].id, "--raw")[1] == bad
    assert run("quarantine", "show", entries(settings)[0].id, "-o", tmp_path / "raw")[0] == 0
    assert (tmp_path / "raw").read_bytes() == bad
    code, _, err = run("quarantine", "show", entries(settings)[0].id, "-o", tmp_path / "no" / "raw")
    assert (code, len(err.splitlines())) == (2, 1)


def test_a_long_entry_is_cut_with_a_word_how_to_get_it_whole(settings, run):
    with Store(settings.database_path).write() as con:
        append.add_rejected(con, "r", kept_at(), [Rejected("a.ris", "", "odd", b"x" * 5000)])
    out = run("quarantine", "show", entries(settings)[0].id)[1].decode()
    assert "5,000 bytes in all; --output FILE" in out
    assert len(out) < 4500


def test_a_retry_ends_well_though_some_stay(settings, bad, run):
    bad.write_text(GOOD.format("ward 1") + GOOD.format("ward 2") + EMPTY.format(2002), "utf-8")
    code, out, err = run("quarantine", "retry")
    assert code == 0
    assert out.decode() == "1 entry read: 1 new document, 0 new versions, 1 duplicate; 1 still waiting.\n"
    assert err == "documents/bad.ris 3: the record has neither title nor abstract\n"


@pytest.mark.parametrize("command", ["show", "retry", "dismiss --note x"])
def test_an_unknown_id_is_one_line_with_the_remedy(bad, run, command):
    name, *options = command.split()
    code, out, err = run("quarantine", name, "zzz", *options)
    assert (code, out, len(err.splitlines())) == (2, b"", 1)
    assert "'zzz'" in err
    assert "qinlp quarantine list --all" in err
