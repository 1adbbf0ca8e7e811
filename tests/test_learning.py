"""The model learns from what people judged, where it is better; a simulated project tells."""

import random
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

import fake
from qinlp import cli, config, learning, steps
from qinlp.codebook import find as find_codebook
from qinlp.coding import heads
from qinlp.coding import model as models
from qinlp.errors import ModelError
from qinlp.store import Store, append, questions
from qinlp.store.desk import Act, of

pytestmark = pytest.mark.store

DOCUMENTS = 24
WARD = ["ward", "night", "nurse", "shift", "record", "chart", "visit", "door", "clinic", "letter"]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def corpus(seed=0):
    """Return RIS: what hinders says `gizmo`, what helps `widget`; the model knows neither."""
    draw = random.Random(seed)
    for n in range(DOCUMENTS):
        sentences = [
            f"The {draw.choice(WARD)} had the {word} by the {draw.choice(WARD)} of {draw.choice(WARD)} {n}."
            for word in ("gizmo", "widget", "table", "gizmo", "widget", "window")
        ]
        yield (
            f"TY  - JOUR\nTI  - Study number {n} of {draw.choice(WARD)}\nAU  - Berg, Anna\nPY  - 2021\n"
            f"DO  - 10.5555/{n}\nAB  - {' '.join(sentences)}\nER  - \n"
        )


@pytest.fixture(scope="module")
def _coded(tmp_path_factory, model_folder):
    folder = tmp_path_factory.mktemp("learning") / "study"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "papers.ris").write_text("\n".join(corpus()), "utf-8")
    (folder / "qinlp.toml").write_text('[coding]\nmodel = "words"\ncodebooks = ["valence"]\n', "utf-8")
    shutil.copytree(model_folder, folder / "models" / "words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "encoder_named", lambda name: fake.Words())
        steps.ingest(config.load(folder), [folder / "documents"])
        steps.code(config.load(folder))
    return folder


@pytest.fixture
def study(_coded, tmp_path, monkeypatch):
    """Return the settings of a coded project whose model is found as any project's is."""
    monkeypatch.setattr(models, "encoder_named", lambda name: fake.Words())
    folder = shutil.copytree(_coded, tmp_path / "study")
    return config.load(folder)


@pytest.fixture(scope="module")
def _learned(_coded, tmp_path_factory):
    folder = shutil.copytree(_coded, tmp_path_factory.mktemp("learned") / "study")
    settings = config.load(folder)
    review(settings, truth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "encoder_named", lambda name: fake.Words())
        return folder, learning.learn(settings)


@pytest.fixture
def learned(_learned, tmp_path, monkeypatch):
    """Return the settings of a project whose model was replaced by one that learned, and how it came."""
    monkeypatch.setattr(models, "encoder_named", lambda name: fake.Words())
    folder, done = _learned
    return config.load(shutil.copytree(folder, tmp_path / "learned")), done


def passages(study):
    with Store(study.database_path).read() as con:
        return con.execute(
            "SELECT passage_id, text, document_id FROM passages ORDER BY document_id, ordinal"
        ).fetchall()


def truth(text):
    return [code for word, code in (("gizmo", "barrier"), ("widget", "enabler")) if word in text]


def review(study, said, coder="anna", rows=None, *, days=0, **more):
    """Let a coder go through passages whole, at their desk, and carry it over."""
    acts = []
    for n, (name, text, _) in enumerate(rows or passages(study)):
        body = {"present": said(text), "absent": [], **more}
        at = BEGAN + timedelta(days=days, seconds=n)
        acts.append(Act(f"{coder}-{days}-{n}", coder, "review", body, at, name, "valence"))
    of(study.database_path).add(acts)
    steps.carry(study)


def ask(study, sql):
    with Store(study.database_path).read() as con:
        return con.execute(sql).fetchall()


def changed(study, **given):
    with Store(study.database_path).read() as con:
        return questions.ask(con, questions.find("changed-codings"), given).to_pylist()


def test_a_model_that_judgements_contradict_is_replaced_and_what_changed_is_told(learned):
    study, done = learned
    assert done.model.startswith("study-20"), done.why
    assert steps.find_model(study).name == done.model
    assert done.comparison["valence"]["low"] > 0
    card = steps.find_model(study).card
    assert card["compared"]["valence"]["documents"] == DOCUMENTS
    assert "## What it learned from judgements" in (
        study.folder / "models" / done.model / "README.md"
    ).read_text("utf-8")
    assert not changed(study)
    steps.code(study)
    rows = changed(study, limit="1000")
    assert rows
    assert {row["coder"].partition("@")[0] for row in rows} == {done.model}
    assert {row["coder_before"].partition("@")[0] for row in rows} == {"words"}
    for row in rows:
        assert row["before"] is not row["now"]
        assert row["why"] in {"probability moved", "threshold moved", "both moved"}
        assert (row["probability"] or 0) >= row["threshold"] or not row["now"]
    right = [(row["code"] in truth(row["text"])) is row["now"] for row in rows]
    assert sum(right) > 0.9 * len(right)
    assert {row["code"] for row in changed(study, codebook="npt")} == set()


def test_noise_is_not_promoted_and_the_reason_is_told_and_kept(study):
    draw = random.Random(1)
    review(study, lambda text: [code for code in ("barrier", "enabler") if draw.random() < 0.3])
    done = learning.learn(study)
    assert not done.model
    assert done.why.startswith("words stays, ")
    assert "valence macro-F1" in done.why
    assert steps.find_model(study).name == "words"
    assert [p.name for p in (study.folder / "models").iterdir()] == ["words"]
    assert ask(study, "SELECT counts->>'why', counts->>'promoted' FROM runs WHERE kind = 'train'") == [
        (done.why, "")
    ]


def test_the_same_judgements_are_tried_once(learned, count):
    study, _ = learned
    there = count(study.database_path)
    again = learning.learn(study)
    assert not again.model
    assert "nothing was judged since" in again.why
    assert count(study.database_path) == there


def test_too_little_is_told_and_not_tried(study, count):
    review(study, truth, rows=passages(study)[:30])
    there = count(study.database_path)
    assert "valence 30 of 50 passages, 5 of 10 documents" in learning.learn(study).why
    assert count(study.database_path) == there


def test_a_rollback_brings_the_model_before_and_its_codings_back(learned):
    study, done = learned
    said = "SELECT passage_id, code, probability, decision FROM codings_current ORDER BY ALL"
    before, new = ask(study, said), done.model
    steps.code(study)
    assert ask(study, said) != before
    assert steps.rollback(study, "anna").replaces == new
    assert steps.find_model(study).name == "words"
    assert steps.code(study).passages == len(passages(study))
    assert ask(study, said) == before
    assert not steps.code(study).passages
    assert {row["coder"].partition("@")[0] for row in changed(study)} == {"words"}
    with pytest.raises(ModelError, match="none was promoted since"):
        steps.rollback(study, "anna")
    steps.promote(study, new, "anna")
    assert steps.find_model(study).name == new
    assert [row[0] for row in ask(study, "SELECT why FROM promotions ORDER BY run_id")] == [
        "better",
        "rollback",
        "by hand",
    ]
    assert ask(study, "SELECT model, promoted_by FROM model_in_use") == [(new, "anna")]


def test_who_names_another_model_in_the_settings_has_the_last_word(learned):
    study, done = learned
    other = study.folder / "models" / "other"
    shutil.copytree(study.folder / "models" / "words", other)
    path = study.folder / "qinlp.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"words"', '"other"'), "utf-8")
    assert steps.find_model(config.load(study.folder)).name == "other"
    path.write_text(text, "utf-8")
    assert steps.find_model(config.load(study.folder)).name == done.model


def test_a_promoted_model_that_is_gone_is_refused_with_the_way_back(learned):
    study, done = learned
    shutil.rmtree(study.folder / "models" / done.model)
    with pytest.raises(ModelError, match="qinlp model rollback"):
        steps.code(study)
    steps.rollback(study, "anna")
    assert steps.find_model(study).name == "words"


def test_what_coders_dispute_is_left_out_until_somebody_decides(study):
    rows = passages(study)
    review(study, lambda text: ["barrier"], rows=rows[:4])
    review(study, lambda text: [], "per", rows=rows[:3], days=1)
    found = {row.id: row for row in steps.labelled(study)}
    assert found[rows[0][0]].disputed == {"valence/barrier"}
    assert found[rows[0][0]].labels == frozenset()
    present, counted = learning.cells_of(find_codebook("valence"), [found[rows[0][0]], found[rows[3][0]]])
    codes = [code.id for code in find_codebook("valence").codes]
    assert not counted[0][codes.index("barrier")]
    assert counted[0][codes.index("enabler")]
    assert present[1][codes.index("barrier")]
    assert counted[1].all()
    review(study, lambda text: [], "gold", rows=rows[:1], days=2, adjudicates=True)
    decided = {row.id: row for row in steps.labelled(study)}[rows[0][0]]
    assert decided.labels == decided.disputed == frozenset()
    assert decided.codebooks == {"valence"}
    assert decided.kind == "abstract"


def test_what_was_taken_back_or_only_skipped_is_no_label(study):
    rows = passages(study)
    review(study, truth, rows=rows[:2])
    desk = of(study.database_path)
    desk.add([Act("u", "anna", "undo", {}, BEGAN, undoes="anna-0-0")])
    desk.add([Act("s", "per", "skip", {"why": "unsure"}, BEGAN, rows[2][0], "valence")])
    steps.carry(study)
    assert [row.id for row in steps.labelled(study)] == [rows[1][0]]


def test_a_code_that_the_coder_could_not_know_is_left_out(study):
    row = passages(study)[0]
    with Store(study.database_path).write() as con:
        con.execute("INSERT INTO codes VALUES ('old', 'valence', 'barrier', 'Barrier', NULL, 0, true, '')")
        act = Act("r", "anna", "review", {"present": [], "codebook_hash": "old"}, BEGAN, row[0], "valence")
        append.add_review(con, "run", act)
    (found,) = steps.labelled(study)
    assert found.disputed == {"valence/enabler"}


def test_documents_are_never_split_and_nothing_scored_was_seen(study, monkeypatch):
    """Each fold's answers come from coders whose passages share no document with the fold."""
    review(study, truth)
    taught, asked = [], []
    learn, said = learning.Taught.learn, learning.Taught.said

    def remember(self, at):
        taught.append({self.groups[i] for i in at})
        return learn(self, at)

    def compare(self, coder, at):
        asked.append({self.groups[i] for i in at})
        assert not asked[-1] & taught[-1]
        return said(self, coder, at)

    monkeypatch.setattr(learning.Taught, "learn", remember)
    monkeypatch.setattr(learning.Taught, "said", compare)
    learning.learn(study)
    assert len(asked) == 2 * learning.FOLDS
    assert set().union(*asked[::2]) == {document for _, _, document in passages(study)}
    assert sum(map(len, asked[::2])) == DOCUMENTS


def test_a_model_that_learned_is_not_flattered_by_what_it_learned(study, monkeypatch):
    """The second time the one in use is stood in for by heads that have not seen the document either."""
    review(study, truth, rows=passages(study)[: 6 * 20])
    first = learning.learn(study).model
    assert first
    review(study, truth, rows=passages(study)[6 * 20 :], days=1)
    second = learning.learn(study)
    before = second.comparison["valence"]["before"]
    assert before < 1
    assert abs(second.comparison["valence"]["difference"]) < 0.2  # it learned the same from a little more
    assert before > 0.6
    if second.model:
        assert steps.find_model(study).card["base"] == "words"
        assert steps.find_model(study).card["replaces"] == first


def test_killed_between_the_folder_and_the_promotion_the_old_model_stays(study, monkeypatch):
    review(study, truth)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "note_attempt", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            learning.learn(study)
    (left,) = {p.name for p in (study.folder / "models").iterdir()} - {"words"}
    assert steps.find_model(study).name == "words"
    assert not ask(study, "FROM promotions")
    written = (study.folder / "models" / left / "card.json").stat().st_mtime_ns
    assert learning.learn(study).model == left
    assert (study.folder / "models" / left / "card.json").stat().st_mtime_ns == written
    assert steps.find_model(study).name == left


def test_what_is_not_learned_keeps_its_coder_and_is_not_coded_anew(study):
    path = study.folder / "qinlp.toml"
    path.write_text(path.read_text("utf-8").replace('["valence"]', '["valence", "npt"]'), "utf-8")
    settings = config.load(study.folder)
    steps.code(settings)
    old = steps.find_model(settings).coder_name(find_codebook("npt"))
    review(settings, truth)
    assert learning.learn(settings).model
    assert steps.find_model(settings).coder_name(find_codebook("npt")) == old
    steps.code(settings)
    assert {book for (book,) in ask(settings, "SELECT DISTINCT codebook FROM coding_changes")} == {"valence"}
    assert ask(settings, "SELECT count(DISTINCT coder) FROM coded WHERE codebook = 'npt'") == [(1,)]


def test_why_a_coding_changed_is_said(study):
    """Thresholds and probabilities moved by hand, one case each."""
    name = passages(study)[0][0]
    cases = {
        "probability moved": (0.3, 0.8, 0.5, 0.5),
        "threshold moved": (0.4, 0.4, 0.5, 0.3),
        "both moved": (0.4, 0.6, 0.7, 0.5),
        "other codes": (0.2, 0.3, 0.5, 0.5),
    }
    with Store(study.database_path).write() as con:
        con.executemany(
            "INSERT INTO coded VALUES (?, ?, 'b', '', ?)", [["1", name, "m@1"], ["2", name, "m@2"]]
        )
        for code, (p, q, t, u) in cases.items():
            for run, coder, given, from_ in (("1", "m@1", p, t), ("2", "m@2", q, u)):
                con.execute("INSERT INTO thresholds VALUES (?, 'b', ?, ?, 0, 0, '')", [coder, code, from_])
                con.execute(
                    "INSERT INTO codings VALUES (?, ?, 'b', ?, ?, ?)", [run, name, code, given, run == "2"]
                )
        con.execute("INSERT INTO thresholds VALUES ('m@2', 'b', 'new', 0.5, 0, 0, '')")
        con.execute("INSERT INTO codings VALUES ('2', ?, 'b', 'new', 0.9, true)", [name])
    found = dict(ask(study, "SELECT code, why FROM coding_changes WHERE codebook = 'b'"))
    assert found == {case: case for case in cases} | {"new": "only one of them knows the code"}


def test_training_falls_due_after_so_many_reviews(learned):
    study, _ = learned
    settings = replace(study, review=replace(study.review, retrain_after=100))
    assert not steps.due(settings)
    review(settings, truth, "per", rows=passages(study)[:99])
    assert not steps.due(settings)
    review(settings, truth, "per", rows=passages(study)[99:100], days=1)
    assert steps.due(settings)
    assert not steps.due(study)


def test_a_refit_leaves_alone_what_was_not_given_often_enough(model_folder):
    old = models.load_heads(model_folder / "heads" / "valence.skops")
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(80, fake.DIMENSION)).astype(np.float32)
    codes = list(old.codes)
    present = np.zeros((80, len(codes)), bool)
    present[:, 0] = vectors[:, 0] > 0
    present[:3, 1] = True
    groups = [str(i // 4) for i in range(80)]
    new, learned = heads.refit(old, codes, vectors, present, np.ones_like(present), groups)
    assert learned == {codes[0]}
    assert np.array_equal(new.probabilities(vectors)[:, 1], old.probabilities(vectors)[:, 1])
    assert new.threshold[1] == old.threshold[1]
    right = (new.probabilities(vectors)[:, 0] >= new.threshold[0]) == present[:, 0]
    before = (old.probabilities(vectors)[:, 0] >= old.threshold[0]) == present[:, 0]
    assert right.mean() > 0.8 > before.mean()


def test_the_command_line_trains_lists_promotes_and_goes_back(learned):
    study, _ = learned

    def qinlp(*words):
        done = CliRunner().invoke(cli.app, ["--project", str(study.folder), *words], env={"COLUMNS": "200"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    assert "nothing was judged since the last training" in qinlp("train", "--judgements")
    new = steps.find_model(study).name
    listed = qinlp("model", "list")
    assert f"{new}" in listed
    assert "better" in listed
    assert "144 passages" in listed
    assert f"words is in use again instead of {new}" in qinlp("model", "rollback")
    assert f"{new} is in use instead of words" in qinlp("model", "promote", new)
    qinlp("code")
    assert "moved" in qinlp("ask", "changed-codings", "--format", "json")


@pytest.mark.flows
def test_nightly_learns_when_enough_was_reviewed_and_tells(coded, qinlp):
    path = coded / "qinlp.toml"
    path.write_text(path.read_text("utf-8") + "[review]\nretrain_after = 2\n", "utf-8")
    settings = config.load(coded)
    review(settings, truth, rows=passages(settings)[:2])
    done = qinlp("--project", coded, "run", "nightly")
    assert done.returncode == 0, done.stderr
    assert "too little is judged: valence 2 of 50 passages, 1 of 10 documents" in done.stdout


def test_heads_without_a_code_can_learn(model_folder):
    old = models.load_heads(model_folder / "heads" / "valence.skops")
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(80, fake.DIMENSION)).astype(np.float32)
    none = np.zeros((80, 2), bool)
    groups = [str(i // 4) for i in range(80)]
    empty = heads.train("valence", "", list(old.codes), vectors, none, ~none, groups).heads
    assert empty.codes == ()
    present = np.column_stack([vectors[:, 0] > 0, none[:, 0]])
    new, learned = heads.refit(empty, list(old.codes), vectors, present, ~none, groups)
    assert learned == set(new.codes) == {old.codes[0]}
