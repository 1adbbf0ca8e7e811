"""The steps: from files to codings, once, whatever happens in between."""

import shutil

import pytest

from qinlp import config, steps
from qinlp.errors import SourceError
from qinlp.shipped import folder
from qinlp.store import Store

pytestmark = pytest.mark.store


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


def ingest(settings, *names):
    return steps.ingest(settings, [settings.folder / (name or "documents") for name in names or [""]])


def test_files_become_documents_and_passages(settings):
    done = ingest(settings)
    assert (done.files, done.records, done.arrived.documents, done.quarantined) == (2, 3, 3, 0)
    assert rows(settings, "SELECT kind, count(*) FROM documents GROUP BY ALL ORDER BY ALL") == [
        ("abstract", 2),
        ("transcript", 1),
    ]
    assert done.arrived.passages == rows(settings, "SELECT count(*) FROM passages")[0][0] > 6


def test_passages_become_codings(coded, settings):
    found = rows(settings, "SELECT DISTINCT codebook, coder FROM coded ORDER BY ALL")
    assert [book for book, _ in found] == ["npt", "valence"]
    assert all(coder.startswith("words@") for _, coder in found)
    assert rows(settings, "SELECT count(*) FROM coded_passages")[0][0] > 0


def test_every_participants_passage_is_coded_and_no_interviewers(coded, settings):
    said = dict(rows(settings, "SELECT coalesce(\"role\", 'paper'), count(*) FROM passages GROUP BY ALL"))
    done = dict(
        rows(settings, "SELECT coalesce(\"role\", 'paper'), count(DISTINCT passage_id) FROM coded "
             "JOIN passages USING (passage_id) GROUP BY ALL")
    )  # fmt: skip
    assert "interviewer" in said
    assert done == {role: n for role, n in said.items() if role != "interviewer"}


def test_a_second_run_writes_nothing_and_computes_nothing(coded, settings, words, count):
    before, changed = count(settings.database_path), settings.database_path.stat().st_mtime_ns
    words.encoded.clear()
    done = ingest(settings)
    assert (done.files, done.unchanged, done.arrived.documents) == (0, 2, 0)
    assert steps.code(settings) == steps.Coded()
    assert words.encoded == []
    assert count(settings.database_path) == before
    assert settings.database_path.stat().st_mtime_ns == changed


def test_a_changed_file_is_a_new_version_and_old_codings_are_kept(coded, settings, project, words):
    before = rows(settings, "SELECT count(*) FROM codings")[0][0]
    path = project / "documents" / "kari.txt"
    path.write_text(path.read_text("utf-8").replace("rang", "called"), "utf-8")
    known = {text for (text,) in rows(settings, "SELECT text FROM passages")}
    words.encoded.clear()
    done = ingest(settings)
    assert (done.files, done.arrived.documents, done.arrived.versions) == (1, 0, 1)
    assert steps.code(settings).vectors == 1
    assert not known & set(words.encoded)
    assert rows(settings, "SELECT count(*) FROM codings")[0][0] > before
    assert rows(settings, "SELECT max(version) FROM documents_current WHERE kind = 'transcript'") == [(2,)]


def test_a_moved_transcript_is_no_new_document(coded, settings, project, words):
    (project / "documents" / "kari.txt").rename(project / "documents" / "moved.txt")
    assert ingest(settings) == steps.Ingested(unchanged=1, moved=1)
    assert steps.code(settings).vectors == 0


def test_a_project_that_is_moved_knows_its_files(coded, project, words):
    moved = config.load(shutil.move(project, project.parent / "elsewhere"))
    assert ingest(moved).unchanged == 2


def test_a_broken_file_in_a_folder_is_quarantined_and_the_rest_goes_on(settings, project):
    (project / "documents" / "broken.xml").write_text("<PubmedArticleSet><Pubmed", "utf-8")
    (project / "documents" / "empty.ris").write_text("", "utf-8")
    done = ingest(settings)
    assert (done.files, done.arrived.documents, done.quarantined, len(done.refused)) == (2, 3, 2, 2)
    assert rows(settings, "SELECT source, record, length(reason) > 20 FROM quarantine ORDER BY ALL") == [
        ("documents/broken.xml", "", True),
        ("documents/empty.ris", "", True),
    ]


def test_a_broken_file_is_quarantined_once(settings, project, count):
    (project / "documents" / "broken.xml").write_text("<PubmedArticleSet><Pubmed", "utf-8")
    ingest(settings)
    before = count(settings.database_path)
    assert (ingest(settings).quarantined, count(settings.database_path)) == (0, before)


def test_a_file_that_is_mended_comes_in(settings, project):
    path = project / "documents" / "paper.ris"
    path.write_text("", "utf-8")
    ingest(settings)
    path.write_text("TY  - JOUR\nTI  - Mended\nAB  - We mended the file and went on.\nER  - \n", "utf-8")
    assert ingest(settings).arrived.documents == 1


def test_a_path_that_is_not_there_writes_nothing(settings):
    with pytest.raises(SourceError, match="no such file or folder"):
        ingest(settings, "documents", "nowhere")
    assert not settings.database_path.exists()


def test_every_run_is_recorded_with_what_it_did(coded, settings):
    found = rows(
        settings,
        "SELECT kind, status, finished_at >= started_at, counts->>'codings' FROM runs ORDER BY run_id",
    )
    codings = str(rows(settings, "SELECT count(*) FROM codings")[0][0])
    assert found == [("ingest", "completed", True, None), ("code", "completed", True, codings)]


def test_a_step_that_fails_between_batches_is_gone_on_with(settings, words, monkeypatch, count):
    ingest(settings)
    monkeypatch.setattr(steps.coding, "INPUTS_A_BATCH", 3)
    encode, calls = words.encode, []

    def stumble(texts, progress=None):
        calls.append(texts)
        if len(calls) == 2:
            raise MemoryError
        return encode(texts, progress)

    monkeypatch.setattr(words, "encode", stumble)
    with pytest.raises(MemoryError):
        steps.code(settings)
    assert count(settings.database_path)["vectors"] == 3
    steps.code(settings)
    wanted = rows(
        settings,
        "SELECT count(DISTINCT input_hash) FROM passages WHERE \"role\" IS DISTINCT FROM 'interviewer'",
    )
    assert [(count(settings.database_path)["vectors"],)] == wanted
    assert all(calls.count(texts) <= 2 for texts in calls)


def test_no_connection_is_held_while_vectors_are_computed(settings, words, monkeypatch):
    ingest(settings)
    encode = words.encode

    def write_meanwhile(texts, progress=None):
        with Store(settings.database_path, wait=0).write():
            return encode(texts, progress)

    monkeypatch.setattr(words, "encode", write_meanwhile)
    assert steps.code(settings).vectors > 0


def test_watching_never_goes_backwards_and_ends_at_the_end(settings, words):
    ingest(settings)
    told = {}
    steps.code(settings, lambda what, done, of: told.setdefault(what, []).append((done, of)))
    assert set(told) == {"encoding", "coding with valence", "coding with npt"}
    for steps_told in told.values():
        assert steps_told == sorted(steps_told)
        assert steps_told[-1][0] == steps_told[-1][1]


def test_a_passage_that_came_in_after_the_encoding_is_coded_next_time(settings, words, monkeypatch):
    encoded = steps.coding._encode

    def ingest_after(*given, **options):
        n = encoded(*given, **options)
        ingest(settings)
        return n

    ingest(settings, "documents/kari.txt")
    steps.code(settings)
    with monkeypatch.context() as patch:
        patch.setattr(steps.coding, "_encode", ingest_after)
        assert steps.code(settings).passages == 0
    assert steps.code(settings).passages > 0


def test_a_threshold_keeps_improbable_codings_out(project, settings, words):
    ingest(settings)
    (project / "qinlp.toml").write_text('[coding]\ncodebooks = ["valence"]\nkeep_from = 0.3\n', "utf-8")
    steps.code(config.load(project))
    assert rows(settings, "SELECT count(*) FROM codings WHERE probability < 0.3 AND NOT decision") == [(0,)]


def test_predict_codes_without_a_project(words, model_folder):
    import fake
    from qinlp.records import Labelled

    rows = [
        Labelled(str(i), text, "abstract", frozenset())
        for i, text in enumerate(
            ["Lack of time and funding was a barrier.", "Support from champions helped."]
        )
    ]
    answers = list(steps.predict(fake.model(model_folder), rows))
    assert [answer["id"] for answer in answers] == ["0", "1"]
    for answer in answers:
        assert set(answer["probabilities"]) >= {"valence/barrier", "valence/enabler"}
        assert all(0 <= p <= 1 for p in answer["probabilities"].values())
        assert set(answer["decisions"]) <= set(answer["probabilities"])


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Return the bundled sample corpus, read by the real readers."""
    settings = config.Config(tmp_path_factory.mktemp("sample"))
    done = steps.ingest(settings, [folder("data/sample") / name for name in ("abstracts", "transcripts")])
    return settings, done


def test_the_sample_corpus_is_read_whole(sample):
    _, done = sample
    assert (done.refused, done.quarantined) == ((), 2)  # two records have neither title nor abstract
    assert done.arrived.duplicates > 0
    assert done.arrived.documents > 20


def test_every_passage_of_the_sample_is_its_span_in_code_points(sample):
    settings, _ = sample
    found = rows(
        settings,
        'SELECT d.text, p."start", p."end", p.text FROM passages p '
        "JOIN documents d USING (document_id, text_hash)",
    )
    assert len(found) == rows(settings, "SELECT count(*) FROM passages")[0][0] > 200
    assert [p for text, start, end, p in found if text[start:end] != p] == []


def test_code_points_are_no_bytes_and_no_utf_16(settings):
    ingest(settings)
    found = rows(
        settings,
        'SELECT d.text, p."start", p."end", p.text FROM passages p '
        "JOIN documents d USING (document_id, text_hash) "
        "WHERE p.text LIKE '%laugh%' OR p.text LIKE '%l\u00e3ugh%'",
    )
    text, start, end, passage = found[0]
    assert "𝓦" in passage
    assert text[start:end] == passage
