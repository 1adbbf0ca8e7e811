"""Health: what departs from its history is told, what does not is left in peace."""

import json
import random
import shutil
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import fake
from qinlp import cli, config, steps
from qinlp.analysis import drift, health
from qinlp.steps import measuring
from qinlp.store import Store

NOW = datetime(2026, 5, 1, 6, tzinfo=UTC)
LIMITS = {"departure": config.Health().departure, "least": config.Health().history}


# --- judging a share ------------------------------------------------------------------------------


def test_a_share_far_from_its_history_departs():
    before = [(share, 2000) for share in (0.02, 0.05, 0.03, 0.04, 0.03, 0.05, 0.02, 0.04)]
    found = drift.judge(before, (0.31, 2000), **LIMITS)
    assert (found.value, found.low, found.high, found.runs) == (0.31, 0.02, 0.05, 8)
    assert found.z > LIMITS["departure"]
    assert drift.judge(before, (0.06, 2000), **LIMITS) is None


def test_a_share_that_falls_departs_too():
    assert drift.judge([(0.5, 2000)] * 8, (0.1, 2000), **LIMITS).z < -LIMITS["departure"]


def test_too_few_runs_judge_nobody():
    assert drift.judge([(0.03, 2000)] * 4, (0.9, 2000), **LIMITS) is None
    assert drift.judge([(0.03, 2000)] * 5, (0.9, 2000), **LIMITS) is not None


@pytest.mark.parametrize("share", [0.0, 0.03, 1.0])
def test_a_constant_history_does_not_alarm_at_a_tiny_change(share):
    assert drift.judge([(share, 1000)] * 20, (abs(share - 0.002), 1000), **LIMITS) is None


def test_a_small_run_is_allowed_more_than_a_large_one():
    before = [(0.03, 3000)] * 20
    assert drift.judge(before, (0.10, 20), **LIMITS) is None
    assert drift.judge(before, (0.10, 3000), **LIMITS) is not None


def test_a_first_import_does_not_hide_what_comes_later():
    before = [(0.6, 1_000_000), *[(0.03 + i / 1000, 2000) for i in range(8)]]
    assert drift.judge(before, (0.3, 2000), **LIMITS) is not None
    assert drift.judge(before, (0.035, 2000), **LIMITS) is None


# --- judging the codes given ----------------------------------------------------------------------


CODES = [f"code-{i}" for i in range(20)]
USUAL = np.array([0.1, *np.geomspace(0.3, 0.002, 19)])


def drawn(generator, rates, sizes):
    return np.array([generator.binomial(n, rates) / n for n in sizes])


def shifted(generator, sizes, n, rates):
    before = drawn(generator, USUAL, sizes)
    found = drift.shift(
        CODES, before, sizes.astype(float), drawn(generator, rates, [n])[0], n, **LIMITS
    )  # fmt: skip
    return found.departs or bool(found.codes)


def test_runs_of_20_to_5000_passages_that_do_not_drift_hardly_alarm():
    generator = np.random.default_rng(5)
    alarms = 0
    for trial in range(300):
        sizes = np.exp(generator.uniform(np.log(20), np.log(5000), (5, 8, 30)[trial % 3] + 1)).astype(int)
        alarms += shifted(generator, sizes[:-1], int(sizes[-1]), USUAL)
    assert alarms / 300 < 0.01


def test_a_code_that_doubles_in_300_passages_is_told():
    generator = np.random.default_rng(6)
    doubled = USUAL.copy()
    doubled[0] = 0.2
    told = [shifted(generator, np.full(30, 300), 300, doubled) for _ in range(300)]
    assert np.mean(told) > 0.8


def test_the_codes_that_moved_are_named_with_their_shares():
    generator = np.random.default_rng(7)
    sizes = np.full(12, 500)
    new = USUAL.copy()
    new[3] = 0.9
    found = drift.shift(CODES, drawn(generator, USUAL, sizes), sizes.astype(float), new, 500, **LIMITS)
    assert found.departs
    assert found.distance > 0.1
    assert found.codes[0][0] == found.moved[0][0] == "code-3"
    assert found.moved[0][2] == 0.9


def test_the_distance_is_0_for_the_same_codes_and_1_for_others():
    one, other = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 0.4])
    sizes = np.array([100.0, 50.0])
    assert drift.distance(np.array([one, one]), sizes, one, 30) == pytest.approx(0)
    assert drift.distance(np.array([one, one]), sizes, other, 30) == pytest.approx(1)
    assert drift.distance(np.array([one, one]), sizes, other * 0, 30) == 0


# --- measuring ------------------------------------------------------------------------------------

USUALLY = ["nurse", "doctor", "funding", "time", "training", "support", "mandate", "coach", "ward", "staff"]


def bring(settings, name, papers=12, words=USUALLY, seed=0):
    """Ingest and code a night's file of papers."""
    generator = random.Random(f"{name} {seed}")
    out = [
        f"TY  - JOUR\nTI  - Paper {name} {n}\nPY  - 2020\nAB  - "
        + " ".join(f"The {' '.join(generator.choices(words, k=10))}." for _ in range(4))
        + f"\nDO  - 10.5555/{name}.{n}\nER  - \n"
        for n in range(papers)
    ]
    path = settings.folder / "documents" / f"{name}.ris"
    path.write_text("\n".join(out), "utf-8")
    steps.ingest(settings, [path])
    steps.code(settings)


def rows(settings, sql):
    with Store(settings.database_path).read() as con:
        return con.execute(sql).fetchall()


def reported(settings, now=None, **more):
    with Store(settings.database_path).read() as con:
        return health.report(con, settings, now or datetime.now(UTC), **more)


@pytest.fixture(scope="module")
def _quiet_once(tmp_path_factory, model_folder):
    """Make the project that `quiet` copies."""
    folder = fake.write_project(tmp_path_factory.mktemp("quiet") / "project")
    settings = config.load(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.coding, "find_model", lambda config: fake.model(model_folder))
        for night in range(8):
            bring(settings, f"night{night}")
            assert steps.measure(settings).departures == ()
    return folder


@pytest.fixture
def quiet(tmp_path, words, _quiet_once):
    """Return a project with eight measured nights alike."""
    return config.load(shutil.copytree(_quiet_once, tmp_path / "quiet"))


@pytest.mark.store
def test_words_are_letters_of_any_script_without_case():
    assert measuring.words("The STRAẞE is 12abc4 no été_ты Иванов") == [
        "the",
        "strasse",
        "abc",
        "été",
        "иванов",
    ]


@pytest.mark.store
def test_every_measuring_records_its_measures_once(coded, settings, count):
    done = steps.measure(settings)
    assert (done.runs, done.words > 50) == (2, True)
    found = {tuple(row) for row in rows(settings, "SELECT kind, codebook, measure FROM measures")}
    both = {(kind, book) for kind in ("abstract", "transcript") for book in ("npt", "valence")}
    assert {(*one, measure) for one in both for measure in ("code_rate", "to_review")} <= found
    assert ("transcript", "valence", "confidence") in found
    assert {measure for _, _, measure in found} == {"code_rate", "to_review", "confidence"}
    before, changed = count(settings.database_path), settings.database_path.stat().st_mtime_ns
    assert steps.measure(settings) == steps.Measured()
    assert count(settings.database_path) == before
    assert settings.database_path.stat().st_mtime_ns == changed


@pytest.mark.store
def test_rates_are_those_of_the_passages_coded(coded, settings):
    steps.measure(settings)
    wanted = rows(
        settings,
        "WITH p AS (SELECT DISTINCT passage_id, codebook, kind FROM coded JOIN passages USING (passage_id) "
        "JOIN documents USING (document_id)), k AS (SELECT kind, codebook, code, count(*) AS k FROM p "
        "JOIN codings USING (passage_id, codebook) JOIN codes USING (codebook, code) "
        "WHERE decision AND assignable GROUP BY ALL), n AS (SELECT kind, codebook, count(*) AS n FROM p "
        "GROUP BY ALL) SELECT kind, codebook, code, k / n FROM k JOIN n USING (kind, codebook) ORDER BY ALL",
    )
    assert wanted
    assert wanted == rows(
        settings,
        "SELECT kind, codebook, code, value FROM measures WHERE measure = 'code_rate' AND value > 0 "
        "ORDER BY ALL",
    )
    review = rows(settings, "SELECT codebook, count(*) FROM review_queue GROUP BY ALL ORDER BY ALL")
    assert review == rows(
        settings,
        "SELECT codebook, sum(round(value * n))::BIGINT AS k FROM measures WHERE measure = 'to_review' "
        "GROUP BY ALL HAVING k > 0 ORDER BY ALL",
    )


@pytest.mark.store
def test_the_vocabulary_grows_by_what_is_new(settings, words):
    bring(settings, "first")
    steps.measure(settings)
    held = {word for (word,) in rows(settings, "SELECT word FROM vocabulary")}
    assert held == {"the", *USUALLY}
    bring(settings, "second", words=[*USUALLY, "Ærlighet"])
    assert steps.measure(settings).words == 1
    ((value, n),) = rows(settings, "SELECT value, n FROM measures_current WHERE measure = 'new_words'")
    said = rows(settings, "SELECT p.text FROM passages p JOIN documents USING (document_id) "
                "WHERE source LIKE '%second%'")  # fmt: skip
    text = " ".join(t for (t,) in said)
    assert value == pytest.approx(text.count("Ærlighet") / len(measuring.words(text)))
    assert n == len(measuring.words(text))


@pytest.mark.store
def test_a_run_that_departs_is_flagged_and_a_quiet_one_is_not(quiet):
    assert reported(quiet) == ()
    bring(quiet, "odd", words=[f"weird{chr(97 + i)}{chr(97 + i // 3)}" for i in range(40)])
    done = steps.measure(quiet)
    found = reported(quiet)
    assert [str(one) for one in found] == list(done.departures)
    assert {one.level for one in found} == {"departure"}
    (words,) = [one for one in found if one.what == "new words (abstracts)"]
    assert "of the words were in no earlier document" in words.why
    with Store(quiet.database_path).read() as con:
        table = health.markdown(con)
    assert "| new words | abstracts |" in table


@pytest.mark.store
def test_a_new_model_starts_a_new_history(quiet, model_folder, tmp_path, monkeypatch):
    other = shutil.copytree(model_folder, tmp_path / "other")
    card = json.loads((other / "card.json").read_text("utf-8"))
    (other / "card.json").write_text(json.dumps({**card, "name": "other"}), "utf-8")
    monkeypatch.setattr(steps.coding, "find_model", lambda config: fake.model(other))
    steps.code(quiet)
    assert steps.measure(quiet).departures == ()
    assert rows(quiet, "SELECT count(DISTINCT coder) FROM measures WHERE coder <> ''")[0][0] >= 2
    assert rows(
        quiet, "SELECT count(*) FROM measures_current WHERE measure IN ('code_shift', 'new_words')"
    ) == [(0,)]


@pytest.mark.store
def test_a_measuring_that_is_killed_is_made_again(coded, settings, monkeypatch, count):
    before = count(settings.database_path)
    add = measuring.kept.add

    def stumble(*given):
        add(*given)
        raise MemoryError

    monkeypatch.setattr(measuring.kept, "add", stumble)
    with pytest.raises(MemoryError):
        steps.measure(settings)
    assert {n: k for n, k in count(settings.database_path).items() if n != "runs"} == {
        n: k for n, k in before.items() if n != "runs"
    }
    monkeypatch.undo()
    assert steps.measure(settings).runs == 2


@pytest.mark.store
def test_two_measurings_at_once_measure_once(coded, settings, monkeypatch):
    unknown, others = measuring.kept.unknown_words, []

    def another_is_first(con, words):
        con.close()
        if not others:
            others.append(None)
            others.append(steps.measure(settings))
        with Store(settings.database_path).read() as again:
            return unknown(again, words)

    monkeypatch.setattr(measuring.kept, "unknown_words", another_is_first)
    assert steps.measure(settings) == steps.Measured()
    assert others[1].runs == 2
    assert rows(settings, "SELECT count(*) FROM runs WHERE kind = 'measure'") == [(1,)]


# --- the works ------------------------------------------------------------------------------------


def change(settings, sql, *values):
    with Store(settings.database_path).write() as con:
        con.execute(sql, list(values))


@pytest.mark.store
def test_a_step_that_failed_or_was_killed_is_told(coded, settings):
    assert reported(settings) == ()
    change(
        settings, "UPDATE runs SET status = 'failed', counts = '{\"error\": \"no room\"}' WHERE kind = 'code'"
    )
    change(settings, "UPDATE runs SET status = 'running', finished_at = NULL WHERE kind = 'ingest'")
    (failed,) = reported(settings)
    assert (failed.level, failed.what, failed.why.endswith("no room")) == ("failure", "code", True)
    later = reported(settings, datetime.now(UTC) + timedelta(days=2))
    assert [(one.what, "killed" in one.why) for one in later] == [("code", False), ("ingest", True)]


@pytest.mark.store
def test_a_schedule_that_stands_still_while_files_wait_is_told(coded, project):
    later = datetime.now(UTC) + timedelta(days=4)
    toml = project / "qinlp.toml"
    assert reported(config.load(project), later) == ()
    toml.write_text(toml.read_text("utf-8") + "\n[schedule]\n", "utf-8")
    settings = config.load(project)
    assert reported(settings, later) == ()
    (project / "documents" / "new.ris").write_text("TY  - JOUR\n", "utf-8")
    assert reported(settings, datetime.now(UTC)) == ()
    (found,) = reported(settings, later)
    assert (found.level, "1 file wait" in found.why, "documents/new.ris" in found.why) == (
        "stale",
        True,
        True,
    )


@pytest.mark.store
def test_a_search_that_lags_or_was_never_asked_is_told(coded, project):
    toml = project / "qinlp.toml"
    one = '\n[[search]]\nname = "{}"\nsource = "pubmed"\nquery = "x"\n'
    toml.write_text(toml.read_text("utf-8") + "".join(map(one.format, ("a", "b", "c"))), "utf-8")
    settings = config.load(project)
    today = datetime.now(UTC)
    change(
        settings,
        "CREATE OR REPLACE VIEW watermarks AS FROM (VALUES "
        f"('a', 'pubmed', DATE '{(today - timedelta(days=8)).date()}'), "
        f"('b', 'pubmed', DATE '{(today - timedelta(days=12)).date()}')) w(search, source, until)",
    )
    found = reported(settings)
    assert [(one.level, one.what) for one in found] == [("search", "search b"), ("search", "search c")]
    assert "never asked" in found[1].why


@pytest.mark.store
def test_what_the_last_run_could_not_read_is_told(coded, settings, project):
    (project / "documents" / "broken.xml").write_text("<PubmedArticleSet><Pubmed", "utf-8")
    steps.ingest(settings, [project / "documents"])
    (found,) = reported(settings)
    assert (found.level, "documents/broken.xml" in found.why) == ("quarantine", True)


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.store
def test_check_ends_with_0_when_well_1_when_not_and_2_when_refused(coded, project, monkeypatch, capsys):
    def status(*more):
        monkeypatch.setattr(sys, "argv", ["qinlp", "--project", str(project), "status", *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code or 0, *capsys.readouterr())

    assert status("--check") == (0, "well\n", "")
    assert "Needs a look:" not in status()[1]
    (project / "documents" / "broken.xml").write_text("<PubmedArticleSet><Pubmed", "utf-8")
    steps.ingest(config.load(project), [project / "documents"])
    code, out, err = status("--check")
    assert (code, len(out.splitlines()), out[:12], err) == (1, 1, "quarantine: ", "")
    code, out, err = status("--check", "--format", "json")
    assert (code, [one["level"] for one in json.loads(out)], err) == (1, ["quarantine"], "")
    code, out, err = status()
    assert (code, "Needs a look:\n  quarantine: " in out) == (0, True)
    assert status("--format", "json")[0] == 2
    (project / "qinlp.duckdb").unlink()
    code, out, err = status("--check")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
