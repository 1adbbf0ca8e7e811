"""The command line: every command, every format, and every mistake in one line."""

import csv
import io
import json
import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from qinlp import cli
from qinlp.errors import QinlpError

pytestmark = pytest.mark.store


@pytest.fixture
def run(run):
    """Return a function as in conftest, with the output as text where it is one."""

    def _run(*words):
        code, out, err = run(*words)
        return code, out if words and "parquet" in words else out.decode(), err

    return _run


def commands():
    """Return every command as the words that call it."""
    root = typer.main.get_command(cli.app)

    def below(group, words):
        for name, command in group.commands.items():
            if not hasattr(command, "commands") or command.invoke_without_command:
                yield (*words, name)
            if hasattr(command, "commands"):
                yield from below(command, (*words, name))

    return sorted(below(root, ()))


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(command):
    done = CliRunner().invoke(cli.app, [*command, "--help"])
    assert done.exit_code == 0
    example = f"Example: `qinlp {' '.join(command)}".replace("qinlp init", "qinlp --project ward-study init")
    assert example in " ".join(done.output.split())


def test_the_help_lists_every_command():
    out = CliRunner().invoke(cli.app, ["--help"]).output
    assert all(command[0] in out for command in commands())


def test_the_version_is_told(run):
    from qinlp import __version__

    assert run("--version") == (0, f"qinlp {__version__}\n", "")


# --- a project from beginning to end --------------------------------------------------------------


def test_init_makes_a_project_that_can_be_used(run, tmp_path):
    code, out, err = run("--project", tmp_path / "new", "init")
    assert (code, err) == (0, "")
    assert "qinlp.toml written" in out
    assert (tmp_path / "new" / "documents").is_dir()


def test_ingest_tells_what_came_in(run):
    code, out, err = run("ingest", "documents")
    assert (code, err) == (0, "")
    assert out.startswith(
        "2 files read (0 unchanged), 3 records: 3 new documents, 0 new versions, 0 duplicates, "
    )


def test_ingest_again_tells_that_nothing_is_new(run):
    run("ingest", "documents")
    assert run("ingest", "documents")[1] == "Nothing new: 2 files read before and unchanged.\n"


def test_code_tells_what_it_did_and_then_that_nothing_is_left(run, words):
    run("ingest", "documents")
    code, out, err = run("code")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"\d+ passages coded, \d+ codings, \d+ vectors computed \(counted words\)\.\n", out)
    assert run("code")[1].startswith("Nothing to code: 0 vectors computed")


def test_status_shows_counts_and_fits_a_terminal(run, coded):
    code, out, _ = run("status")
    assert code == 0
    assert re.search(r"3\s+documents *\n", out)
    assert fits(out)


def test_publish_writes_a_snapshot_where_it_is_told(run, coded, tmp_path):
    assert run("publish", "--to", tmp_path / "s.duckdb")[0] == 0
    assert (tmp_path / "s.duckdb").exists()
    assert run("publish")[0] == 0
    assert (coded / "qinlp.snapshot.duckdb").exists()


def test_the_project_is_chosen_by_the_option(run, coded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("status")[0] == 2
    assert run("--project", coded, "status")[0] == 0


def test_the_project_is_chosen_by_the_environment(run, coded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QINLP_PROJECT", str(coded))
    assert run("status")[0] == 0


def test_a_path_means_the_same_from_anywhere(run, project, tmp_path, monkeypatch):
    run("ingest", "documents")
    monkeypatch.chdir(tmp_path)
    out = run("--project", project, "ingest", project / "documents")[1]
    assert out.startswith("Nothing new")


# --- answers and formats --------------------------------------------------------------------------

SQL = (
    "SELECT kind, count(*) AS n, list(year ORDER BY year) AS years FROM documents GROUP BY kind ORDER BY kind"
)


def fits(out):
    return max(map(cell_len, out.splitlines())) <= 80


def test_a_table_fits_a_terminal_whatever_is_in_it(run, coded):
    code, out, _ = run("sql", "SELECT * FROM coded_passages")
    assert code == 0
    assert fits(out)


def test_csv_is_csv(run, coded):
    found = list(csv.DictReader(io.StringIO(run("sql", SQL, "--format", "csv")[1])))
    assert [(row["kind"], row["n"]) for row in found] == [("abstract", "2"), ("transcript", "1")]


def test_csv_keeps_line_breaks_and_quotes(run, coded):
    out = run("sql", "SELECT 'a\"b\nc' AS x, NULL AS y", "--format", "csv")[1]
    assert list(csv.reader(io.StringIO(out))) == [["x", "y"], ['a"b\nc', ""]]


def test_json_is_a_list_of_objects(run, coded):
    assert json.loads(run("sql", SQL, "--format", "json")[1]) == [
        {"kind": "abstract", "n": 2, "years": [2020, 2021]},
        {"kind": "transcript", "n": 1, "years": [None]},
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'NaN'::DOUBLE", None),
        ("'infinity'::DOUBLE", None),
        ("DATE '2024-05-01'", "2024-05-01"),
        ("'x'::BLOB", "78"),
        ("1.50::DECIMAL(4, 2)", 1.5),
        ("sum(2)", 2),
        ("{'a': [1, 2]}", {"a": [1, 2]}),
    ],
)
def test_json_is_json_whatever_the_value(run, coded, value, expected):
    def refuse(constant):
        raise ValueError(constant)

    out = run("sql", f"SELECT {value} AS x", "--format", "json")[1]
    assert json.loads(out, parse_constant=refuse) == [{"x": expected}]


def test_no_row_is_an_empty_list(run, coded):
    assert json.loads(run("sql", "SELECT 1 AS x WHERE false", "--format", "json")[1]) == []


def test_markdown_is_a_table_with_its_bars_escaped(run, coded):
    out = run("sql", "SELECT 'a|b' AS x, 1 AS y", "--format", "markdown")[1]
    assert out == "| x | y |\n|---|---|\n| a\\|b | 1 |\n"


def test_parquet_goes_to_a_file(run, coded, tmp_path):
    assert run("sql", SQL, "--format", "parquet", "-o", tmp_path / "x.parquet")[0] == 0
    assert pq.read_table(tmp_path / "x.parquet").column("n").to_pylist() == [2, 1]


def test_parquet_goes_into_a_pipe(run, coded):
    code, out, _ = run("sql", SQL, "--format", "parquet")
    assert code == 0
    assert pq.read_table(io.BytesIO(out)).num_rows == 2


@pytest.mark.parametrize("form", ["csv", "json", "markdown"])
def test_an_answer_goes_to_a_file(run, coded, tmp_path, form):
    said = run("sql", SQL, "--format", form)[1]
    assert run("sql", SQL, "--format", form, "-o", tmp_path / "x")[1] == ""
    assert (tmp_path / "x").read_text("utf-8") == said


def test_markup_in_a_passage_is_shown_as_it_is(run, coded):
    assert "[bold]x[/bold]" in run("sql", "SELECT '[bold]x[/bold]' AS x")[1]


def test_ask_lists_every_question(run):
    from qinlp.store.questions import questions

    out = run("ask")[1]
    assert all(name in out for name in questions())
    assert fits(out)


def test_ask_takes_parameters_in_both_spellings(run, coded):
    one = run("ask", "quotes", "--code", "barrier", "--limit=1", "--format", "json")[1]
    two = run("ask", "quotes", "--code=barrier", "--limit", "1", "--format=json")[1]
    assert one == two
    assert len(json.loads(one)) == 1


def test_a_projects_own_question_is_asked(run, coded):
    (coded / "questions").mkdir()
    (coded / "questions" / "mine.sql").write_text("-- Mine?\n-- $n = 3: a number\nSELECT $n AS n", "utf-8")
    assert json.loads(run("ask", "mine", "--n", "4", "--format", "json")[1]) == [{"n": "4"}]
    assert "mine" in run("ask")[1]


# --- codebooks, predict, train --------------------------------------------------------------------


def test_codebooks_are_listed(run):
    out = run("codebook", "list")[1]
    assert {"cfir", "npt", "tdf", "valence"} <= {line.split()[0] for line in out.splitlines() if line.strip()}
    assert fits(out)


def test_a_codebook_is_shown(run):
    out = run("codebook", "show", "npt")[1]
    assert "collective-action" in out
    assert fits(out)


def test_a_code_is_shown_with_its_examples(run):
    out = run("codebook", "show", "cfir", "inr.resources")[1]
    assert "cfir/inr.resources" in out
    assert "examples" in out


def test_good_codebooks_are_good(run):
    code, out, err = run("codebook", "check", "valence", "npt")
    assert (code, out, err) == (0, "valence: good\nnpt: good\n", "")


def test_a_bad_codebook_is_told_line_by_line(run, project):
    (project / "bad.yaml").write_text("id: bad\ntitel: x\ncodes: []\n", "utf-8")
    code, _, err = run("codebook", "check", "bad.yaml")
    assert code == 2
    assert "bad.yaml:2: " in err
    assert "titel" in err


def test_predict_answers_every_line_in_order(run, model_folder, monkeypatch, tmp_path):
    import fake
    from qinlp.coding import model

    monkeypatch.setattr(model, "named", lambda name: fake.model(model_folder))
    lines = [{"id": f"p{i}", "text": "There was no time.", "kind": "transcript"} for i in range(3)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    code, out, err = run("predict", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
    assert (code, err) == (0, "")
    assert "3 passages" in out
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["p0", "p1", "p2"]
    assert all(set(answer) == {"id", "probabilities", "decisions"} for answer in answers)


def test_train_writes_a_model_that_can_be_used(run, monkeypatch, tmp_path):
    import fake
    from qinlp import training
    from qinlp.coding.model import named

    monkeypatch.setattr(training, "encoder_named", lambda name: fake.Words())
    lines = [
        {"id": i, "text": f"{word} {i}", "labels": [f"valence/{code}"]}
        for i in range(30)
        for word, code in (("hard", "barrier"), ("easy", "enabler"))
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    code, out, _ = run("train", tmp_path / "rows.jsonl", "--name", "ward", "--to", tmp_path / "models")
    assert code == 0
    assert "README.md" in out
    assert set(named(str(tmp_path / "models" / "ward")).trained) == {"valence"}


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = [
    ("ingest documents/nowhere.ris", ["nowhere.ris", "check the spelling"]),
    ("ingest bad/paper.doc", ["paper.doc", ".docx"]),
    ("ingest bad/broken.xml", ["broken.xml"]),
    ("ingest bad/empty.ris", ["empty.ris", "empty"]),
    ("ingest bad/binary.txt", ["binary.txt"]),
    ("sql SELEC", ["SELEC", "qinlp ask tables"]),
    ("sql SELECT\u00a01 --format cvs", ["'cvs'", "'csv'"]),
    ("ask quote", ["'quote'", "'quotes'"]),
    ("ask quotes --cod x", ["'cod'", "'code'"]),
    ("ask quotes --code", ["--code", "has no value"]),
    ("ask quotes stray", ["'stray'", "--name value"]),
    ("codebook show cfri", ["'cfri'", "'cfir'"]),
    ("codebook show cfir inr.resorces", ["'inr.resorces'", "'inr.resources'"]),
    ("codebook show bad/none.yaml", ["none.yaml"]),
    ("codebook check bad/broken.yaml", ["broken.yaml"]),
    ("run nightli", ["'nightli'", "'nightly'"]),
    ("predict bad/none.jsonl -o out.jsonl", ["none.jsonl"]),
    ("predict bad/empty.ris -o out.jsonl", ["empty.ris", "no passage"]),
    ("predict bad/broken.xml -o out.jsonl", ["broken.xml:1"]),
    ("predict rows.jsonl -o none/out.jsonl --model {model}", ["none/out.jsonl", "another file"]),
    ("predict rows.jsonl -o out.jsonl --model qinlp-minlm", ["'qinlp-minlm'", "'qinlp-minilm'"]),
    ("train bad/none.jsonl", ["none.jsonl"]),
    ("train bad/unlabelled.jsonl", ["unlabelled.jsonl", "no labels"]),
    ("train bad/unknown.jsonl", ["'inr.resorces'", "'inr.resources'"]),
    ("--project none status", ["none", "init"]),
    ("init", ["qinlp.toml", "exists already"]),
    ("publish --to none/x.duckdb", ["none/x.duckdb", "--to"]),
    ("sql FROM\u00a0runs -o none/x.csv --format csv", ["none/x.csv", "another file"]),
    ("sql FROM\u00a0runs -o none/x --format parquet", ["none/x", "another file"]),
    ("sql FROM\u00a0runs -o bad --format csv", ["bad"]),
]


@pytest.fixture
def mistakes(coded):
    """Return a coded project with a folder of what cannot be used."""
    bad = coded / "bad"
    bad.mkdir()
    (bad / "paper.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    (bad / "broken.xml").write_text("<PubmedArticleSet><Pub", "utf-8")
    (bad / "empty.ris").write_text("", "utf-8")
    (bad / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (bad / "broken.yaml").write_text("id: [", "utf-8")
    (bad / "unlabelled.jsonl").write_text('{"id": 1, "text": "x"}\n', "utf-8")
    (bad / "unknown.jsonl").write_text('{"id": 1, "text": "x", "labels": ["cfir/inr.resorces"]}\n', "utf-8")
    (coded / "rows.jsonl").write_text('{"id": 1, "text": "x"}\n', "utf-8")
    return coded


def one_line(err, words):
    lines = err.rstrip("\n").split("\n")
    assert len(lines) == 1, err
    assert lines[0].startswith("qinlp: ") or ":" in lines[0]
    assert "Traceback" not in err
    assert all(word in err for word in words), err


@pytest.mark.parametrize(("command", "words"), MISTAKES, ids=[c.replace("\u00a0", " ") for c, _ in MISTAKES])
def test_a_mistake_is_one_line_with_the_value_and_a_remedy(
    mistakes, run, model_folder, command, words, monkeypatch
):
    import fake
    from qinlp.coding import model

    real = model.named
    monkeypatch.setattr(
        model, "named", lambda name: fake.model(model_folder) if name == str(model_folder) else real(name)
    )
    given = [word.replace("\u00a0", " ").replace("{model}", str(model_folder)) for word in command.split(" ")]
    code, _, err = run(*given)
    assert code == 2
    one_line(err, words)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[coding]\nmodell = 'x'\n", [":2:", "'coding.modell'", "'model'"]),
        ("[coding]\ncodebooks = ['cfri']\n", ["'cfri'", "'cfir'"]),
        ("name = \n", ["qinlp.toml"]),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(coded, run, toml, words):
    (coded / "qinlp.toml").write_text(toml, "utf-8")
    code, _, err = run("code")
    assert code == 2
    one_line(err, words)


def test_an_unknown_model_in_the_settings_is_one_line(project, run):
    run("ingest", "documents")
    (project / "qinlp.toml").write_text("[coding]\nmodel = 'qinlp-minlm'\n", "utf-8")
    code, _, err = run("code")
    assert code == 2
    one_line(err, ["'qinlp-minlm'", "'qinlp-minilm'"])


@pytest.mark.parametrize("command", ["code", "status", "publish", "sql FROM\u00a0runs", "ask quotes"])
def test_a_project_without_a_database_is_one_line(run, words, command):
    code, _, err = run(*(word.replace("\u00a0", " ") for word in command.split(" ")))
    assert code == 2
    one_line(err, ["qinlp.duckdb", "qinlp ingest PATH"])


def test_a_folder_with_a_broken_file_succeeds_and_says_so(run, project):
    (project / "documents" / "broken.xml").write_text("<PubmedArticleSet><Pub", "utf-8")
    code, out, err = run("ingest", "documents")
    assert code == 0
    one_line(err, ["broken.xml"])
    assert "in quarantine; `qinlp quarantine list` tells why" in out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device", "x.duckdb")])
def test_what_stops_a_command_is_one_line(run, monkeypatch, error):
    from qinlp import steps

    def stop(*given):
        raise error

    monkeypatch.setattr(steps, "ingest", stop)
    code, _, err = run("ingest", "documents")
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 2)
    one_line(err, ["committed"])


def test_no_word_of_an_error_is_lost_between_processes(qinlp, project):
    done = qinlp("--project", project, "status")
    assert (done.returncode, done.stdout) == (2, "")
    one_line(done.stderr, ["no database yet"])


def test_it_runs_as_a_program_of_its_own(project):
    done = subprocess.run(
        [sys.executable, "-m", "qinlp.cli", "--project", str(project), "codebook", "list"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "cfir" in done.stdout


def test_a_pipe_that_closes_early_is_no_error(coded, qinlp):
    asked = ["--project", str(coded), "sql", "FROM range(50000)", "--format", "csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "qinlp.cli", *asked],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=qinlp.environment,
    )  # fmt: skip
    assert process.stdout.readline() == "range\n"
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)


def test_every_error_of_ours_is_of_one_tree():
    from qinlp import errors

    ours = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(ours) > 5
    assert all(issubclass(e, QinlpError) for e in ours)
