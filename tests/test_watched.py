"""Watched folders: what is new, changed, moved, unfinished or out of reach, and what that costs."""

import errno
import os
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from qinlp import config, sources, steps
from qinlp.errors import SourceError
from qinlp.records import Document, Rejected
from qinlp.sources import files_in
from qinlp.steps import files
from qinlp.store import Store

pytestmark = pytest.mark.store

FIXTURES = Path(__file__).parent / "fixtures" / "sources"
ENDS = {
    "ris": rb"(?m)^ER  - *$",
    "nbib": rb"\n\n",
    "pubmed": rb"</PubmedArticle>",
    "endnote": rb"</record>",
    "bibtex": rb"(?m)^}$",
    "table": rb"\r?\n(?=.*\n)",
}
"""How the end of a record shows, in the kinds of file that hold several."""
RECORD = "TY  - JOUR\nTI  - {}\nDO  - 10.5555/{}\nAB  - {}\nER  - \n"


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


@pytest.fixture
def documents(project):
    """Return the project's folder of documents, whose files have been at rest for an hour."""
    for path in (project / "documents").iterdir():
        rest(path)
    return project / "documents"


def rest(path, seconds=3600):
    long_ago = time.time() - seconds
    os.utime(path, (long_ago, long_ago))


@pytest.fixture
def watched(settings, documents):
    """Return a function that reads the watched folder as a flow does."""

    def _watched(*paths, settle=0.05):
        return steps.ingest(settings, paths or [documents], settle=settle)

    return _watched


@pytest.fixture
def hashed(monkeypatch):
    """Return the list of files whose bytes were hashed."""
    seen, real = [], files.sha256
    monkeypatch.setattr(files, "sha256", lambda path: seen.append(path.name) or real(path))
    return seen


# --- changed, moved -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["ris", "csv"])
def test_of_a_changed_list_one_record_is_a_new_version_and_what_vanished_stays(
    settings, documents, watched, suffix
):
    def write(*records):
        if suffix == "ris":
            text = "\n".join(RECORD.format(*one) for one in records)
        else:
            text = "\n".join(["title,doi,abstract", *(f"{t},10.5555/{d},{a}" for t, d, a in records)])
        (documents / f"list.{suffix}").write_text(text, "utf-8")
        rest(documents / f"list.{suffix}")

    write(("One", 1, "We had no time."), ("Two", 2, "Champions helped."), ("Three", 3, "Funds ran out."))
    assert watched().arrived.documents == 6
    write(
        ("One", 1, "We had no time at all on any ward."), ("Three", 3, "Funds ran out."), ("Four", 4, "New.")
    )
    done = watched()
    assert (done.files, done.unchanged) == (1, 2)
    assert (done.arrived.documents, done.arrived.versions, done.arrived.duplicates) == (1, 1, 1)
    found = rows(
        settings, "SELECT doi, version, text FROM documents_current WHERE doi LIKE '%/_' ORDER BY doi"
    )
    assert found == [
        ("10.5555/1", 2, "We had no time at all on any ward."),
        ("10.5555/2", 1, "Champions helped."),
        ("10.5555/3", 1, "Funds ran out."),
        ("10.5555/4", 1, "New."),
    ]
    assert rows(settings, "SELECT text FROM documents WHERE text = 'We had no time.'")


def test_a_file_that_is_put_back_says_again_what_it_said(settings, documents, watched):
    path = documents / "kari.txt"
    text = path.read_text("utf-8")
    watched()
    for version, words in enumerate((text.replace("rang", "called"), text), 2):
        path.write_text(words, "utf-8")
        done = watched()
        assert (done.files, done.arrived.versions) == (1, 1)
        current = rows(
            settings, "SELECT version, text LIKE '%rang%' FROM documents_current WHERE kind = 'transcript'"
        )
        assert current == [(version, words == text)]
    assert (done.arrived.passages, watched()) == (0, steps.Ingested(unchanged=2))


def test_moved_files_change_nothing_and_are_known_at_their_new_place(settings, documents, watched, count):
    watched()
    before = count(settings.database_path)
    (documents / "2024").mkdir()
    for name in ("kari.txt", "references.ris"):
        (documents / name).rename(documents / "2024" / name)
    assert watched() == steps.Ingested(moved=2)
    after = count(settings.database_path)
    for table in ("documents", "passages", "quarantine"):
        assert after[table] == before[table]
    assert watched() == steps.Ingested(unchanged=2)
    assert count(settings.database_path) == after


def test_a_copy_is_no_move_and_a_file_that_is_moved_and_corrected_is_a_new_version(documents, watched):
    watched()
    text = (documents / "kari.txt").read_text("utf-8")
    (documents / "copy.txt").write_text(text, "utf-8")
    done = watched()
    assert (done.files, done.moved, done.arrived.duplicates) == (1, 0, 1)
    (documents / "kari.txt").rename(documents / "ward3.txt")
    assert watched().moved == 1
    (documents / "ward3.txt").write_text(text.replace("rang", "called"), "utf-8")
    done = watched()
    assert (done.arrived.documents, done.arrived.versions) == (0, 1)


def test_what_waits_of_a_moved_file_waits_at_its_new_place(settings, documents, watched):
    path = documents / "bad.ris"
    path.write_text(RECORD.format("One", 1, "Words.") + "\nTY  - JOUR\nPY  - 2020\nER  - \n", "utf-8")
    watched()
    path.rename(documents / "moved.ris")
    assert watched() == steps.Ingested(unchanged=2, moved=1)
    assert rows(settings, "SELECT source FROM quarantine_open") == [("documents/moved.ris",)]


# --- what an unchanged folder costs ---------------------------------------------------------------


def test_a_folder_at_rest_is_not_opened_again(settings, watched, hashed, count):
    watched()
    assert sorted(hashed) == ["kari.txt", "references.ris"]
    hashed.clear()
    before, changed = count(settings.database_path), settings.database_path.stat().st_mtime_ns
    assert watched() == steps.Ingested(unchanged=2)
    assert hashed == []
    assert count(settings.database_path) == before
    assert settings.database_path.stat().st_mtime_ns == changed


def test_a_file_that_is_touched_is_hashed_and_not_read_again(settings, documents, watched, hashed, count):
    watched()
    rest(documents / "kari.txt", 1800)
    before = count(settings.database_path)
    hashed.clear()
    assert watched() == steps.Ingested(unchanged=2)
    assert (hashed, count(settings.database_path)) == (["kari.txt"], before)
    (documents / "new.ris").write_text(RECORD.format("New", 9, "Words."), "utf-8")
    watched()  # something is written, and with it how the touched file looks now
    hashed.clear()
    watched()
    assert "kari.txt" not in hashed


def test_a_change_within_the_grain_of_the_clock_is_seen(settings, documents, watched):
    path = documents / "kari.txt"
    text = path.read_text("utf-8")
    now = time.time()
    os.utime(path, (now, now))
    watched()
    path.write_text(text.replace("rang", "sang"), "utf-8")  # as long as before
    os.utime(path, (now, now))
    assert watched().arrived.versions == 1


def test_a_refused_file_is_told_every_time_and_read_once(settings, documents, watched, monkeypatch, count):
    (documents / "broken.xml").write_text("<PubmedArticleSet><Pubmed", "utf-8")
    first = watched()
    before, read = count(settings.database_path), []
    monkeypatch.setattr(sources, "read", lambda path: read.append(path) or iter(()))
    second = watched()
    assert (second.refused, second.quarantined, read) == (first.refused, 0, [])
    assert str(documents / "broken.xml") in second.refused[0]
    assert count(settings.database_path) == before


# --- unfinished -----------------------------------------------------------------------------------


@pytest.fixture
def asleep(monkeypatch):
    """Let no time pass; return what was slept, and the things to do meanwhile."""
    slept, meanwhile = [], []

    def _sleep(seconds):
        slept.append(seconds)
        for do in meanwhile:
            do()

    monkeypatch.setattr(files, "sleep", _sleep)
    return slept, meanwhile


def test_young_files_are_waited_for_together_and_once(documents, watched, asleep):
    for name in ("a", "b", "c"):
        (documents / f"{name}.ris").write_text(RECORD.format(name, name, "Words."), "utf-8")
    rest(documents / "a.ris", 20)
    done = watched(settle=30)
    assert done.arrived.documents == 6
    assert len(asleep[0]) == 1
    assert 20 < asleep[0][0] <= 30
    assert watched(settle=30) == steps.Ingested(unchanged=5)


def test_a_file_at_rest_is_not_waited_for(watched, asleep):
    watched(settle=30)
    assert asleep[0] == []


def test_a_file_named_by_hand_is_read_at_once(settings, documents, asleep):
    (documents / "a.ris").write_text(RECORD.format("A", 1, "Words."), "utf-8")
    assert steps.ingest(settings, [documents / "a.ris"]).files == 1
    assert asleep[0] == []


def test_a_file_that_goes_on_growing_is_left_for_the_next_time(documents, watched, asleep):
    path = documents / "slow.ris"
    path.write_text("TY  - JOUR\nTI  - Hal", "utf-8")
    asleep[1].append(lambda: path.write_text("TY  - JOUR\nTI  - Half of", "utf-8"))
    asleep[1].append(lambda: (documents / "gone.ris").unlink(missing_ok=True))
    (documents / "gone.ris").write_text(RECORD.format("Gone", 2, "Words."), "utf-8")
    done = watched(settle=5)
    assert (done.files, done.quarantined, done.refused) == (2, 0, ())
    assert sorted(line.split(":")[0] for line in done.unsettled) == [
        str(documents / "gone.ris"),
        str(path),
    ]
    asleep[1].clear()
    path.write_text(RECORD.format("Whole", 1, "All of it."), "utf-8")
    done = watched(settle=5)
    assert (done.arrived.documents, done.unsettled) == (1, ())


@pytest.mark.parametrize("how", ["grows", "is replaced", "vanishes"])
def test_a_file_that_changes_while_it_is_read_is_read_again(settings, documents, watched, monkeypatch, how):
    path = documents / "long.ris"
    records = [RECORD.format(f"No {n}", n, f"Ward {n} had no time.") for n in range(5)]
    path.write_text("\n".join(records[:4]), "utf-8")
    rest(path)
    monkeypatch.setattr(steps.reading, "DOCUMENTS_A_BATCH", 2)
    real = sources.read

    def disturbed(file):
        for number, record in enumerate(real(file)):
            if file == path and number == 3:
                {
                    "grows": lambda: path.write_text("\n".join(records), "utf-8"),
                    "is replaced": lambda: replaced(path),
                    "vanishes": path.unlink,
                }[how]()
            yield record

    with monkeypatch.context() as patch:
        patch.setattr(sources, "read", disturbed)
        done = watched()
    assert str(path) in done.unsettled[0]
    assert done.files == 2
    assert done.arrived.documents == 7
    assert rows(settings, "SELECT path FROM files WHERE path LIKE '%long%'") == []
    if how == "vanishes":
        assert watched() == steps.Ingested(unchanged=2)
    else:
        assert watched().arrived.documents == (1 if how == "grows" else 0)
        assert watched() == steps.Ingested(unchanged=3)


def replaced(path):
    """Put the same bytes with the same times into another file of that name."""
    state, other = path.stat(), path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)


def test_what_programs_leave_while_they_write_is_passed_over_quietly(documents, caplog):
    for name in (
        "~$x.docx",
        ".x.ris.swp",
        "x.ris.part",
        "x.csv.crdownload",
        "x.tmp",
        "x.ris~",
        ".~lock.x.csv#",
    ):
        (documents / name).write_text("half", "utf-8")
    assert [path.name for path in files_in([documents]).files] == ["kari.txt", "references.ris"]
    assert caplog.text == ""


# --- out of reach ---------------------------------------------------------------------------------


def test_a_watched_path_that_is_not_there_is_told_and_stops_no_other(settings, documents, watched, project):
    done = watched(project / "nowhere", documents)
    assert done.arrived.documents == 3
    assert done.refused == (f"{project / 'nowhere'}: no such file or folder; check the spelling",)
    with pytest.raises(SourceError, match="nowhere: no such file"):
        watched(project / "nowhere")
    with pytest.raises(SourceError, match="nowhere: no such file"):
        steps.ingest(settings, [project / "nowhere", documents])


def test_links_that_go_round_are_entered_once(documents, watched):
    (documents / "round").symlink_to(documents)
    (documents / "a").symlink_to(documents / "b")
    (documents / "b").symlink_to(documents / "a")
    (documents / "nothing.ris").symlink_to(documents / "gone.ris")
    done = watched(documents, documents / "a")
    assert (done.files, done.arrived.documents) == (2, 3)
    assert len(done.refused) == 1
    assert "no such file" in done.refused[0]


def test_a_linked_folder_is_read(documents, watched, tmp_path):
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "a.ris").write_text(RECORD.format("A", 1, "Words."), "utf-8")
    (documents / "drive").symlink_to(tmp_path / "drive")
    assert watched().arrived.documents == 4


@pytest.fixture
def closed(monkeypatch):
    """Let the system refuse what is named: a folder to be listed, a file to be opened; return the names."""
    names, scandir, read_bytes, sha256 = {}, os.scandir, type(Path()).read_bytes, files.sha256

    def _refused(path):
        error = names.get(Path(path).name)
        if error:
            raise OSError(error, os.strerror(error), os.fspath(path))

    def _scandir(path):
        _refused(path)
        return scandir(path)

    def _read_bytes(path):
        _refused(path)
        return read_bytes(path)

    def _sha256(path):
        if path.name not in names or names.get("when") != "hashed":
            return sha256(path)
        return _refused(path)

    monkeypatch.setattr(os, "scandir", _scandir)
    monkeypatch.setattr(type(Path()), "read_bytes", _read_bytes)
    monkeypatch.setattr(files, "sha256", _sha256)
    return names


@pytest.mark.parametrize("when", ["hashed", "read"])
def test_a_file_that_the_drive_does_not_give_is_tried_again(settings, documents, watched, closed, when):
    closed |= {"references.ris": errno.EIO, "when": when}
    for _ in range(2):
        done = watched()
        assert (done.quarantined, len(done.refused), done.unsettled) == (0, 1, ())
        assert str(documents / "references.ris") in done.refused[0]
        assert os.strerror(errno.EIO) in done.refused[0]
    assert rows(settings, "SELECT path FROM files") == [("documents/kari.txt",)]
    assert rows(settings, "SELECT count(*) FROM runs") == [(1,)]
    closed.clear()
    assert watched().arrived.documents == 2


def test_a_folder_that_may_not_be_opened_is_told_and_the_rest_is_read(documents, watched, closed):
    (documents / "secret").mkdir()
    closed["secret"] = errno.EACCES
    done = watched()
    assert done.arrived.documents == 3
    (line,) = done.refused
    assert line.startswith(f"{documents / 'secret'}: cannot be opened (Permission denied)")


def test_a_file_that_is_gone_when_its_turn_comes_is_told(documents, watched, monkeypatch):
    real = sources.files_in

    def then_gone(paths):
        found = real(paths)
        (documents / "kari.txt").unlink()
        return found

    monkeypatch.setattr(sources, "files_in", then_gone)
    done = watched()
    assert (done.files, done.refused) == (1, ())
    assert done.unsettled == (f"{documents / 'kari.txt'}: gone before it was read",)


# --- readers that fail ----------------------------------------------------------------------------


def failing(monkeypatch, name, error, after):
    """Let the reader of one file fail after so many records."""
    real = sources.read

    def _read(path):
        for number, record in enumerate(real(path)):
            if path.name == name and number == after:
                raise error
            yield record

    monkeypatch.setattr(sources, "read", _read)


@pytest.mark.parametrize("batch", [1, 500])
@pytest.mark.parametrize("error", [TypeError("no 'int'\nhere"), RecursionError(), SourceError("x: broken")])
def test_a_reader_that_fails_costs_what_is_behind_and_no_other_file(
    settings, documents, watched, monkeypatch, count, error, batch
):
    monkeypatch.setattr(steps.reading, "DOCUMENTS_A_BATCH", batch)
    (documents / "a.ris").write_text(
        "\n".join(RECORD.format(f"No {n}", n, f"Ward {n}.") for n in range(5)), "utf-8"
    )
    failing(monkeypatch, "a.ris", error, after=3)
    done = watched()
    assert (done.files, done.arrived.documents, done.quarantined, len(done.refused)) == (2, 6, 1, 1)
    ((source, record, reason, raw),) = rows(settings, "SELECT source, record, reason, raw FROM quarantine")
    assert (source, record, raw) == ("documents/a.ris", "", (documents / "a.ris").read_bytes())
    if not isinstance(error, SourceError):
        assert reason.startswith(f"documents/a.ris: the reader failed ({type(error).__name__}")
        assert "please report it" in reason
        assert "\n" not in reason
    before = count(settings.database_path)
    assert (watched().refused, count(settings.database_path)) == (done.refused, before)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
def test_what_is_no_fault_of_a_reader_stops_the_run_and_the_next_goes_on(
    documents, watched, monkeypatch, error
):
    with monkeypatch.context() as patch:
        failing(patch, "references.ris", error, after=1)
        with pytest.raises(type(error)):
            watched()
    assert watched().arrived.documents == 2


def test_a_document_that_cannot_be_cut_is_quarantined_with_its_text(settings, watched, monkeypatch):
    real = files.segment

    def stumble(document, options):
        if "hand hygiene" in document.title:
            raise ValueError(document.title)
        return real(document, options)

    monkeypatch.setattr(files, "segment", stumble)
    done = watched()
    assert (done.files, done.arrived.documents, done.quarantined) == (2, 2, 1)
    ((record, reason, raw),) = rows(settings, "SELECT record, reason, raw FROM quarantine")
    assert record == "2"
    assert "cutting it into passages failed (ValueError" in reason
    assert b"Local champions" in raw


@pytest.mark.parametrize("kind", sorted(ENDS))
@given(share=st.floats(0.05, 1))
@hypothesis(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_file_cut_short_all_whole_records_are_read(kind, share, tmp_path):
    (path,) = FIXTURES.glob(f"{kind}.*")
    raw = path.read_bytes()
    cut = tmp_path / path.name
    cut.write_bytes(raw[: int(len(raw) * share)])
    whole = [(r.record, getattr(r, "text", None)) for r in files.Records(path, "x")]
    records = files.Records(cut, "x")
    found = [(r.record, getattr(r, "text", None)) for r in records]
    ended = len(re.findall(ENDS[kind], cut.read_bytes()))
    assert found[:ended] == whole[:ended] or (ended == 0 and records.stopped)
    assert records.stopped is None or isinstance(records.stopped, SourceError)


@given(seed=st.integers(0, 10**9))
@hypothesis(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_of_every_kind_stop_no_run(seed, tmp_path_factory):
    folder, chance = tmp_path_factory.mktemp("damaged"), random.Random(seed)
    for path in FIXTURES.iterdir():
        raw = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 3, 30])):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        (folder / path.name).write_bytes(raw[: chance.choice([len(raw), chance.randrange(1, len(raw))])])
    (folder / "sound.ris").write_text(RECORD.format("Sound", 7, "Nobody had time."), "utf-8")
    settings = config.Config(folder)
    done = steps.ingest(settings, [folder])
    assert rows(settings, "SELECT title FROM documents_current WHERE doi = '10.5555/7'") == [("Sound",)]
    assert done.files + len(done.refused) == len(list(FIXTURES.iterdir())) + 1
    assert rows(settings, "SELECT reason FROM quarantine WHERE reason LIKE '%please report%'") == []


@pytest.mark.parametrize(
    ("name", "content", "documents"),
    [
        ("wide.csv", "title,abstract\nOne,Words.,,\n", 1),
        (
            "half.xml",
            "<records><record><titles><title>A &#xD800;&#57343; b</title></titles></record></records>",
            1,
        ),
    ],
)
def test_what_readers_once_fell_over(tmp_path, name, content, documents):
    (tmp_path / name).write_text(content, "utf-8")
    assert len(list(sources.read(tmp_path / name))) == documents


def test_every_record_a_reader_gives_can_be_stored(settings, documents, watched):
    """JSON may spell what no encoding can carry; it must not stop a run."""
    (documents / "odd.json").write_text(
        '{"resultList": {"result": [{"id": "\\ud800", "source": "\\udfff\\u0000", "title": "T\\ud800", '
        '"abstractText": "A\\ud800 b.", "doi": "10.5555/\\ud800x", "pubYear": "\\ud800", '
        '"journalInfo": {"volume": "\\ud800"}, "pageInfo": "\\u0000"}]}}',
        "utf-8",
    )
    done = watched()
    assert (done.files, done.arrived.documents, done.refused) == (3, 4, ())
    assert all(isinstance(one, Document | Rejected) for one in sources.read(documents / "odd.json"))
