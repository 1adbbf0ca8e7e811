"""Pages that are made are current; what says nothing of itself fails; links lead somewhere."""

import re
import sys
import tomllib

import duckdb
import pytest
import typer

from qinlp.store.dictionary import Column, Relation, dictionary, page
from qinlp.store.migrate import migrate

MAKE = sys.modules["docs_make"]
DOCS = sorted([MAKE.ROOT / "README.md", *MAKE.DOCS.rglob("*.md")])


@pytest.fixture(scope="module")
def store():
    with duckdb.connect() as con:
        migrate(con)
        yield con


@pytest.mark.parametrize("path", list(MAKE.pages()), ids=lambda path: path.name)
def test_make_docs_changes_nothing(path, make):
    assert path.read_text("utf-8") == make.pages()[path], "run make docs"


def test_everything_in_the_store_has_a_meaning(store):
    relations = dictionary(store)
    assert not [name for relation in relations for name in relation.without_meaning]
    assert {"coded_passages", "documents", "runs"} <= {r.name for r in relations}
    for relation in relations:
        assert relation.meaning.startswith("One row "), relation.name


def test_a_view_takes_the_meaning_of_the_table_it_reads():
    with duckdb.connect() as con:
        con.execute("""
            CREATE TABLE a (x INT, y INT, z INT); CREATE TABLE b (x INT, y INT);
            COMMENT ON TABLE a IS 'One row an a.';
            COMMENT ON COLUMN a.x IS 'x of a'; COMMENT ON COLUMN b.x IS 'x of b';
            COMMENT ON COLUMN a.y IS 'y'; COMMENT ON COLUMN b.y IS 'y';
            CREATE VIEW a_current AS SELECT a.* FROM a JOIN b USING (y);
            CREATE VIEW pair AS SELECT a.x, a.y, b.x AS other FROM a_current a JOIN b USING (y);
            COMMENT ON VIEW pair IS 'One row a pair.';
            COMMENT ON COLUMN pair.other IS 'Said here.';
        """)
        found = {r.name: r for r in dictionary(con)}
    assert [c.meaning for c in found["a_current"].columns] == ["x of a", "y", ""]
    assert [c.meaning for c in found["pair"].columns] == ["", "y", "Said here."]
    assert found["pair"].without_meaning == ("pair.x",)
    assert found["a_current"].without_meaning == ("a_current", "a_current.z")
    assert found["b"].without_meaning == ("b",)
    assert [r.kind for r in found.values()] == ["view", "view", "table", "table"]


def test_the_page_keeps_tables_whole():
    text = page([Relation("t", "table", "One row a t.", (Column("c", "INT", "this | that"),))])
    assert "| `c` | INT | this \\| that |" in text
    assert "| [`t`](#t) | a t. |" in text


def _app(function):
    app = typer.Typer()
    app.command()(function)
    app.command("other")(_fine)
    return app


def _fine():
    """Do it.

    Example: `qinlp other`
    """


def test_an_undocumented_command_fails(make):
    def silent():
        pass

    def without_example():
        """Do it."""

    def silent_option(depth: int = 3):
        """Do it.

        Example: `qinlp silent-option`
        """

    for function, complaint in (
        (silent, "silent: no help text"),
        (without_example, "without-example: no example"),
        (silent_option, "silent-option: depth has no help text"),
    ):
        with pytest.raises(make.Undocumented, match=complaint):
            make.commands(_app(function))


def test_every_command_is_on_the_page(make):
    text = (make.DOCS / "commands.md").read_text("utf-8")
    for command in ("init", "ingest", "code", "ask", "sql", "codebook check"):
        assert f"\n## qinlp {command}\n" in text


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.exists(), target
        if anchor and to.suffix == ".md":
            assert anchor in _anchors(to.read_text("utf-8")), target


def _anchors(text):
    named = set(re.findall(r'<a id="([^"]+)"', text))
    return named | {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_every_dependency_has_its_reason():
    project = tomllib.loads((MAKE.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (MAKE.DOCS / "dependencies.md").read_text("utf-8")
    named = {re.match(r"[\w-]+", d)[0] for d in project["dependencies"]}
    assert not [name for name in named if f"`{name}`" not in text and f"`{name} " not in text]


def test_the_picture_is_well_formed_and_follows_the_theme():
    from lxml import etree

    svg = (MAKE.DOCS / "pictures" / "flow.svg").read_bytes()
    assert etree.fromstring(svg).tag.endswith("svg")
    assert b"prefers-color-scheme: dark" in svg


def test_the_readme_is_short():
    assert len((MAKE.ROOT / "README.md").read_text("utf-8").splitlines()) < 90
