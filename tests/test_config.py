"""qinlp.toml: what is accepted, and how every mistake is told."""

import pytest

from qinlp import config
from qinlp.errors import ConfigError
from qinlp.passages import Segmentation


@pytest.fixture
def read(tmp_path):
    def _read(text):
        (tmp_path / "qinlp.toml").write_text(text, "utf-8")
        return config.load(tmp_path)

    return _read


def test_an_empty_file_is_a_project_with_every_default(read, tmp_path):
    assert read("") == config.Config(folder=tmp_path)


def test_a_written_file_says_the_defaults(tmp_path):
    config.write(tmp_path / "new")
    made = config.load(tmp_path / "new")
    assert made == config.Config(folder=tmp_path / "new", name="new")


def test_what_is_given_is_kept(read):
    found = read('database = "x.duckdb"\n[ingest]\npaths = ["a", "b"]\n[coding]\nkeep_from = 1\n')
    assert found.database_path.name == "x.duckdb"
    assert found.ingest.paths == ("a", "b")
    assert found.coding.keep_from == 1.0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('nmae = "x"', 1, ["nmae", "did you mean 'name'?"]),
        ('\n[codng]\nmodel = "x"', 2, ["codng", "did you mean 'coding'?"]),
        ('[coding]\n\nmodell = "x"', 3, ["coding.modell", "did you mean 'model'?"]),
        ("[passages]\nturn_words = 'many'", 2, ["turn_words", "'many'"]),
        ("[passages]\nturn_words = true", 2, ["turn_words", "True"]),
        ("[passages]\nturn_words = 3.5", 2, ["turn_words", "3.5"]),
        ("[coding]\ninterviewer = 1", 2, ["interviewer", "1"]),
        ('[coding]\ncodebooks = "cfir"', 2, ["codebooks", "a list of texts"]),
        ("[coding]\ncodebooks = [1]", 2, ["codebooks", "a list of texts"]),
        ("coding = 3", 1, ["coding", "[coding]"]),
    ],
)
def test_a_mistake_is_told_with_its_line_its_value_and_a_remedy(read, text, line, words):
    with pytest.raises(ConfigError) as caught:
        read(text)
    said = str(caught.value)
    assert f"qinlp.toml:{line}:" in said
    assert all(word in said for word in words)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[passages]\nturn_words = 4", ["passages.turn_words = 4", "allowed"]),
        ("[coding]\nkeep_from = 1.5", ["coding.keep_from = 1.5", "0 to 1"]),
        ("[coding]\ncodebooks = []", ["coding.codebooks", "at least one"]),
        ("name = ]", ["line 1"]),
    ],
)
def test_a_value_that_cannot_be_is_refused(read, text, words):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert all(word in str(caught.value) for word in words)


def test_every_accepted_number_of_words_can_be_cut_by(read):
    accepted = []
    for n in range(25):
        try:
            accepted.append(read(f"[passages]\nturn_words = {n}").passages.turn_words)
        except ConfigError:
            continue
    assert accepted
    assert [Segmentation(turn_words=n).turn_words for n in accepted] == accepted


def test_no_file_is_told_with_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"no qinlp\.toml here; make a project with `qinlp --project"):
        config.load(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "qinlp.toml").write_bytes('name = "Tromsø"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(tmp_path)


def test_a_project_is_not_written_over(tmp_path):
    config.write(tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        config.write(tmp_path)


def test_a_folder_name_with_quotes_makes_a_readable_file(tmp_path):
    config.write(tmp_path / 'a "b" \\ c')
    assert config.load(tmp_path / 'a "b" \\ c').name == 'a "b" \\ c'


def test_the_project_is_chosen_by_option_then_environment_then_place(tmp_path, monkeypatch):
    monkeypatch.setenv("QINLP_PROJECT", str(tmp_path / "b"))
    assert config.project_folder(tmp_path / "a") == tmp_path / "a"
    assert config.project_folder(None) == tmp_path / "b"
    monkeypatch.delenv("QINLP_PROJECT")
    assert str(config.project_folder(None)) == "."


def test_searches_are_tables_with_dates(tmp_path):
    (tmp_path / "qinlp.toml").write_text(
        '[[search]]\nname = "falls"\nsource = "pubmed"\nquery = "falls[tiab]"\nsince = 2024-01-31\n', "utf-8"
    )
    (one,) = config.load(tmp_path).search
    assert (one.name, one.since.isoformat(), one.overlap_days) == ("falls", "2024-01-31", 7)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[search]\nname = "a"', r"these are tables: write \[\[search\]\]"),
        ('[[search]]\nname = "a"\nsource = "pubmed"', "search.query is missing"),
        ('[[search]]\nname = "a"\nsource = "pubmed"\nquery = "x"\nsince = "2024"', "a date is needed"),
        ('[[search]]\nname = "a"\nsource = "pubmed"\nquery = "x"\noverlap_days = 0', "allowed: 1 and more"),
        ('[[search]]\nname = "a b"\nsource = "pubmed"\nquery = "x"', "search.1.name = 'a b'"),
        ('[[search]]\nname = "a"\nsource = "pubmed"\nquery = "x"\n' * 2, "allowed: each once"),
        ('[compute]\nrunner = "ray"', "allowed: thread or dask"),
    ],
)
def test_a_wrong_search_is_refused_with_the_remedy(tmp_path, lines, said):
    (tmp_path / "qinlp.toml").write_text(lines, "utf-8")
    with pytest.raises(ConfigError, match=said):
        config.load(tmp_path)
