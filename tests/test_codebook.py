"""Codebooks: every shipped one tests itself; then reading, refusing, finding, comparing."""

import json
import pickle
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qinlp import codebook
from qinlp.codebook import Code, Codebook
from qinlp.errors import CodebookError

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(codebook.shipped_folder().glob("*.yaml"))
BOOKS = {path.stem: codebook.load(path) for path in SHIPPED}

GOLD = {
    "valence": "barrier enabler",
    "cfir": """
        inn.source inn.evidence inn.advantage inn.adaptability inn.trialability inn.complexity inn.design
        inn.cost out.critical-incidents out.local-attitudes out.local-conditions out.partnerships
        out.policies-laws out.financing out.external-pressure inr.structural inr.relational
        inr.communications inr.culture inr.tension-for-change inr.compatibility inr.relative-priority
        inr.incentives inr.mission-alignment inr.resources inr.knowledge-access ind.need ind.capability
        ind.opportunity ind.motivation ind.leaders ind.champions pro.teaming pro.assessing-needs
        pro.assessing-context pro.planning pro.tailoring pro.engaging pro.doing pro.reflecting pro.adapting
        """,
    "npt": "coherence cognitive-participation collective-action reflexive-monitoring",
}
SIX_EXAMPLES = {
    "cfir": GOLD["cfir"].split(),
    "npt": GOLD["npt"].split(),
    "tdf": [code.id for code in BOOKS["tdf"]],
}

SMALL = """\
id: handover
title: Handover
kind: theme
codes:
- id: place
  name: Place
  definition: Where it is done.
  assignable: false
  codes:
  - id: place.bed
    name: At the bed
    definition: Beside the patient.
    exclude: ["away from the patient [place.office]"]
    examples: [one one, two two, three three, four four]
  - id: place.office
    name: In the office
    definition: Behind a door.
    examples: [five five, six six, seven seven, eight eight]
"""


def write(folder: Path, text: str, name: str = "handover.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def small(**changes) -> Codebook:
    return replace(CODEBOOK, **changes)


def recoded(book: Codebook, code_id: str, **changes) -> Codebook:
    return replace(book, codes=tuple(replace(c, **changes) if c.id == code_id else c for c in book))


CODEBOOK = Codebook(
    id="handover",
    codes=(
        Code("place", "Place", "Where it is done.", assignable=False),
        Code("place.bed", "At the bed", "Beside the patient.", examples=("a", "b", "c", "d"), parent="place"),
        Code("place.office", "In the office", "Behind.", examples=("e", "f", "g", "h"), parent="place"),
    ),
)


# Every shipped codebook ------------------------------------------------------------------------


def test_codebooks_are_shipped():
    assert {"valence", "cfir", "npt", "tdf", "com-b"} <= {book.id for book in BOOKS.values()}


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def book(request) -> Codebook:
    return BOOKS[request.param.stem]


def test_shipped_has_no_problems(book):
    assert codebook.problems(book.path) == []
    assert codebook.check(book, BOOKS.values()) == []


def test_shipped_says_where_it_is_from(book):
    assert book.citation
    assert "qinlp" in book.licence
    assert re.fullmatch(r"(10\.\d{4,}/\S+)?", book.doi)
    assert Path(book.path).stem in {book.id, f"{book.id}-{book.version}"}


def test_shipped_codes_are_whole(book):
    ids = [code.id for code in book]
    assert len(ids) == len(set(ids))
    for code in book:
        assert code.line > 0
        assert 4 <= len(code.definition.split()) <= 90, code.id
        assert code.definition.endswith("."), code.id
        if code.parent and "." in code.id:
            assert code.id.startswith(code.parent + "."), code.id
        if code.assignable:
            assert code.include, code.id
            assert code.exclude, code.id
            assert code.synonyms, code.id
            assert len(code.examples) == len(set(code.examples)) <= 10
            wanted = 6 if code.id in SIX_EXAMPLES.get(book.id, ()) else codebook.ENOUGH_EXAMPLES
            assert len(code.examples) >= wanted, code.id
        for example in code.examples:
            assert 12 <= len(example.split()) <= 45, example


def test_shipped_examples_do_without_the_codes_name(book):
    for code in book.assignable:
        if book.kind in {"framework", "valence"} and len(code.name.split()) > 1:
            assert not any(code.name.casefold() in example.casefold() for example in code.examples), code.id


def test_shipped_tree(book):
    assert book.roots
    for code in book:
        assert all(child.parent == code.id for child in book.children(code.id))
        above = book.ancestors(code.id)
        assert [a.id for a in above[:1]] == ([code.parent] if code.parent else [])
        assert book.label(code) == f"{book.id}/{code.id}" == book.label(code.id)


def test_shipped_is_found_by_id_and_by_stem(book):
    assert codebook.find(book.id) == book
    assert codebook.find(Path(book.path).stem.upper()) == book
    assert codebook.available()[book.id] == Path(book.path)


def test_shipped_hash_stands_for_the_content(book, tmp_path):
    content = yaml.safe_load(Path(book.path).read_text(encoding="utf-8"))

    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    other = tmp_path / "other.yaml"
    other.write_text(json.dumps(turned(content), ensure_ascii=True), encoding="utf-8")
    again = codebook.load(other)
    assert again == book
    assert again.hash == book.hash
    assert re.fullmatch("[0-9a-f]{32}", book.hash)
    assert pickle.loads(pickle.dumps(book)).hash == book.hash
    assert recoded(book, book.codes[-1].id, definition="Another.").hash != book.hash


def test_no_example_stands_in_two_codebooks():
    seen: dict[str, str] = {}
    for each in BOOKS.values():
        for code in each:
            for example in code.examples:
                assert seen.setdefault(example, each.label(code)) == each.label(code)


@pytest.mark.parametrize("name", GOLD)
def test_the_codes_of_the_labelled_passages_are_there(name):
    assert not [code for code in GOLD[name].split() if not codebook.find(name).code(code).assignable]


def test_cfir_domains_are_headings():
    cfir = codebook.find("cfir")
    assert [code.id for code in cfir.roots] == ["inn", "out", "inr", "ind", "pro"]
    assert not any(code.assignable for code in cfir.roots)
    assert [code.id for code in cfir.ancestors("inr.culture.learning")] == ["inr.culture", "inr"]


def test_every_tdf_domain_maps_to_com_b():
    tdf, com_b = codebook.find("tdf"), codebook.find("com-b")
    assert len(tdf) == 14
    assert set(tdf.maps["com-b"]) == {code.id for code in tdf}
    reached = {target for targets in tdf.maps["com-b"].values() for target in targets}
    assert reached == {code.id for code in com_b.assignable}


def test_the_reading_page_is_current():
    docs = runpy.run_path(str(ROOT / "docs" / "make_codebooks.py"))
    current = (ROOT / "docs" / "codebooks.md").read_text(encoding="utf-8")
    assert current == docs["whole"](), "run python docs/make_codebooks.py"
    anchors = set(re.findall(r'<a id="([^"]+)">', current))
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", current) if "." in link} <= anchors


def test_the_pages_own_example_loads(tmp_path):
    page = (ROOT / "docs" / "codebooks.md").read_text(encoding="utf-8")
    lines = [line[4:] for line in page.splitlines() if line.startswith("    ")]
    assert codebook.load(write(tmp_path, "\n".join(lines))).id == "handover"


# Refusing --------------------------------------------------------------------------------------


def test_small_loads(tmp_path):
    path = write(tmp_path, SMALL)
    assert codebook.problems(path) == []
    book = codebook.load(path)
    assert [code.id for code in book.assignable] == ["place.bed", "place.office"]
    assert book.code("place.bed").siblings_named == ("place.office",)
    assert book.code("place.office").line == 15
    assert book.version == "1"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: theme", "kin: theme", 3, "unknown key 'kin' in the codebook; did you mean 'kind'?"),
        ("kind: theme", "kind: them", 3, "unknown kind 'them'; did you mean 'theme'?"),
        ("    exclude:", "    exclud:", 13, "unknown key 'exclud' in a code; did you mean 'exclude'?"),
        (
            "id: handover",
            "id: handover\nsource: {cite: x}",
            2,
            "unknown key 'cite' in source; known: citation, doi",
        ),
        ("id: place.office", "id: place.bed", 15, "'place.bed' stands twice (first in line 10)"),
        ("id: place.office", "id: Place office", 15, "use lower-case letters"),
        ("id: place.office\n    name", "name", 15, "a code has no 'id'"),
        ("id: handover", "id: hand/over", 1, "is no id"),
        ("id: handover\n", "", 1, "the codebook has no 'id'"),
        ("assignable: false", "assignable: no", 8, "'no' is neither true nor false"),
        ("name: At the bed", "name: [At, the bed]", 11, "text expected here"),
        ("name: At the bed", "name: At: the bed", 11, "not readable as YAML"),
        ("name: At the bed", "name: At the bed\n    name: Bed", 12, "key 'name' stands twice"),
        ("[one one, two two, three three, four four]", "one one", 14, "a list expected here"),
        ("[one one, two two, three three, four four]", "[one, '']", 14, "an empty list entry"),
        ("[one one, two two, three three, four four]", "*one", 14, "alias *one is not allowed"),
        ("codes:\n- id: place", "codes: [here]\nlicence: |\n  id: place", 4, "a code is no mapping"),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path, old, new, line, words):
    assert SMALL.count(old) == 1 or old == "codes:\n- id: place"
    path = write(tmp_path, SMALL.replace(old, new, 1))
    with pytest.raises(CodebookError) as caught:
        codebook.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert codebook.problems(path)[0] in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"# only a remark\n", "the file is empty"),
        (b"just text", "is no mapping"),
        (b"id: x\ncodes: []\n", "no code; add one"),
        (b"id: x\ntitle: caf\xe9\ncodes: []\n", ":2: not UTF-8 text; save the file as UTF-8"),
        (b"id: x\ntitle: \x00\n", "not readable as YAML"),
        (b"id: x\ncodes: " + b"[" * 500, "not readable as YAML"),
        (b"id: x\n---\nid: y\n", "not readable as YAML"),
    ],
)
def test_odd_files_are_refused_in_one_line(tmp_path, data, words):
    path = tmp_path / "odd.yaml"
    path.write_bytes(data)
    with pytest.raises(CodebookError, match=re.escape(words)) as caught:
        codebook.load(path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_refused(tmp_path_factory, data):
    for name in ("any.yaml", "any.csv"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(data)
        try:
            codebook.load(path)
        except CodebookError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_all_problems_of_a_file_are_told(tmp_path):
    path = write(tmp_path, SMALL.replace("kind:", "kin:").replace("definition: Behind", "definiton: Behind"))
    assert len(codebook.problems(path)) == 2
    with pytest.raises(CodebookError, match="and 1 more"):
        codebook.load(path)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("definition: Behind a door.", "definition:", 15, "has no definition"),
        (", four four", "", 10, "has 3 examples; give it at least 4"),
        ("[place.office]", "[place.offise]", 10, "unknown code [place.offise]; did you mean 'place.office'?"),
        ("[place.office]", "[place.bed]", 10, "excludes itself"),
        ("five five", "One one!", 15, "same example as 'place.bed' ('One one!')"),
        ("two two", "one one", 10, "has one example twice ('one one')"),
        ("name: In the office", "name: at the  BED", 15, "same name as its sibling 'place.bed'"),
        ("definition: Behind", "assignable: false\n    definition: Behind", 15, "has no codes below it"),
        ("definition: Behind", "maps: {npt: []}\n    definition: Behind", 15, "maps to nothing in 'npt'"),
        (
            "definition: Behind",
            "maps: {npt: [coherense]}\n    definition: Behind",
            15,
            "maps to the unknown code npt/coherense; did you mean 'coherence'?",
        ),
    ],
)
def test_check_names_file_line_and_remedy(tmp_path, old, new, line, words):
    assert SMALL.count(old) == 1
    path = write(tmp_path, SMALL.replace(old, new))
    codebook.load(path)
    (found,) = codebook.problems(path)
    assert found.startswith(f"{path}:{line}: code ")
    assert words in found


def test_check_of_a_codebook_made_in_python():
    assert codebook.check(CODEBOOK) == []
    assert "codebook 'handover': unknown kind 'them'" in codebook.check(small(kind="them"))[0]
    (found,) = codebook.check(recoded(CODEBOOK, "place.bed", parent="plaice"))
    assert "'plaice' of 'place.bed' does not come before it; did you mean 'place'?" in found
    (found,) = codebook.check(small(codes=(*CODEBOOK.codes[1:], CODEBOOK.codes[0])))[:1]
    assert "put it before its children" in found
    assert "no code" in codebook.check(small(codes=()))[0]


# Finding ---------------------------------------------------------------------------------------


def test_an_unknown_code_names_the_nearest():
    cfir = codebook.find("cfir")
    with pytest.raises(CodebookError, match=r"codebook 'cfir' has no code 'cost'; did you mean 'inn.cost'\?"):
        cfir.code("cost")
    with pytest.raises(CodebookError, match=r"did you mean 'inr.compatibility'"):
        cfir.children("inr.compatability")
    with pytest.raises(CodebookError, match="no code"):
        cfir.label("nothing")
    assert "inn.cost" in cfir
    assert "cost" not in cfir


def test_an_unknown_codebook_names_the_nearest():
    with pytest.raises(CodebookError, match=r"unknown codebook 'cfri'; did you mean 'cfir'\?"):
        codebook.find("cfri")
    with pytest.raises(CodebookError, match=r"known: .*valence"):
        codebook.load("zzzzz")
    with pytest.raises(CodebookError, match=r"nowhere.yaml: cannot be read \(no such file\); check the path"):
        codebook.load("nowhere.yaml")
    with pytest.raises(CodebookError, match=r"a codebook is a file ending in .yaml, .yml, .csv"):
        codebook.load(Path("codes.docx"))


def test_own_codebooks_go_before_the_shipped(tmp_path):
    path = write(tmp_path, SMALL.replace("id: handover", "id: 'npt' # ours"), "mine.yaml")
    own = codebook.find("npt", [tmp_path / "missing", tmp_path])
    assert own.path == str(path)
    assert codebook.available([tmp_path])["npt"] == path
    assert codebook.load("npt", tmp_path) == codebook.load("mine.yaml", tmp_path) == own
    assert codebook.find("npt") != own
    assert "valence" in codebook.available([tmp_path])


def test_the_newest_version_is_found_by_id(tmp_path):
    for version in ("2", "10", "9"):
        write(
            tmp_path,
            SMALL.replace("id: handover", f"id: handover\nversion: {version}"),
            f"handover-{version}.yaml",
        )
    assert codebook.find("handover", [tmp_path]).version == "10"
    assert codebook.find("handover-9", [tmp_path]).version == "9"


def test_a_broken_own_codebook_does_not_hide_the_others(tmp_path):
    write(tmp_path, "id: [", "broken.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"id: latin\ntitle: caf\xe9\n")
    assert codebook.find("valence", [tmp_path]).id == "valence"
    with pytest.raises(CodebookError, match="UTF-8"):
        codebook.find("latin", [tmp_path])


# Comparing -------------------------------------------------------------------------------------


def test_diff_of_the_same_is_empty():
    assert not codebook.diff(CODEBOOK, CODEBOOK)
    assert str(codebook.diff(CODEBOOK, CODEBOOK)) == "no code changed"


def test_diff_tells_each_kind_of_change():
    fresh = Code("time", "Time", "When it is done.")
    after = small(codes=(fresh, *CODEBOOK.codes[:2]))
    found = codebook.diff(CODEBOOK, after)
    assert [code.id for code in found.added] == ["time"]
    assert [code.id for code in found.removed] == ["place.office"]
    assert (found.renamed, found.moved, found.redefined) == ((), (), ())

    (change,) = codebook.diff(CODEBOOK, recoded(CODEBOOK, "place.bed", name="Bedside")).renamed
    assert (change.before.name, change.after.name, change.fields) == ("At the bed", "Bedside", ("name",))
    (change,) = codebook.diff(CODEBOOK, recoded(CODEBOOK, "place.bed", id="place.bedside")).renamed
    assert (change.before.id, change.after.id) == ("place.bed", "place.bedside")
    (change,) = codebook.diff(CODEBOOK, recoded(CODEBOOK, "place.office", parent="place.bed")).moved
    assert change.after.parent == "place.bed"
    (change,) = codebook.diff(CODEBOOK, recoded(CODEBOOK, "place.bed", definition="x", examples=())).redefined
    assert change.fields == ("definition", "examples")


def test_diff_does_not_count_children_of_a_renamed_code_as_moved():
    codes = [replace(c, parent="spot") if c.parent else replace(c, id="spot") for c in CODEBOOK]
    found = codebook.diff(CODEBOOK, small(codes=tuple(codes)))
    assert len(found.renamed) == 1
    assert not found.moved


def test_diff_in_words():
    after = recoded(
        recoded(CODEBOOK, "place.bed", name="Bedside", definition="New."), "place.office", parent=None
    )
    assert str(codebook.diff(CODEBOOK, after)).splitlines() == [
        "renamed place.bed (At the bed) to place.bed (Bedside)",
        "moved place.office from place to the top",
        "redefined place.bed: definition",
    ]


# Tables ----------------------------------------------------------------------------------------

TABLE = """\
name,description,parent
In the office,"Behind a door,
with the phone",Place
Place,Where it is done,
Time,When it is done,
Other,Another place,Place
Other,Another time,Time
"""


def test_csv(tmp_path):
    book = codebook.load(write(tmp_path, TABLE, "Bedside handover.csv"))
    assert (book.id, book.title, book.kind) == ("bedside-handover", "Bedside handover", "theme")
    assert [(code.id, code.parent, code.line) for code in book] == [
        ("place", None, 4),
        ("in-the-office", "place", 2),
        ("place.other", "place", 6),
        ("time", None, 5),
        ("time.other", "time", 7),
    ]
    assert book.code("in-the-office").definition == "Behind a door, with the phone"
    assert codebook.find("bedside-handover", [tmp_path]) == book


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_as_spreadsheets_write_it(tmp_path, delimiter):
    text = (
        "\ufeffName;Description;Parent;Examples\r\n"
        "Übergabe am Bett;Am Bett;;eins | zwei\r\n"
        ";;;\r\n"
        "日勤;x;;\r\n"
    )
    path = tmp_path / "x.csv"
    path.write_bytes(text.replace(";", delimiter).encode())
    book = codebook.load(path)
    assert [code.id for code in book] == ["ubergabe-am-bett", "日勤"]
    assert book.codes[0].examples == ("eins", "zwei")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the file is empty"),
        ("name,descripton\nA,x\n", 1, "unknown column 'descripton'; did you mean 'description'?"),
        ("description,parent\nx,y\n", 1, "no column 'name'"),
        ("name,name\nA,B\n", 1, "stands twice"),
        ("name,parent\nA,\nB,Aa\n", 3, "parent 'Aa' is no code of this file"),
        ("name,parent\nA,B\nB,A\n", 2, "'A' is below itself"),
        ("name,parent\nA,A\n", 2, "'A' is below itself"),
        ("name,parent\nA,\nA,\nB,A\n", 4, "is the name of 2 codes"),
        ("name,parent\nA,\na,\n", 3, "stands twice (first in line 2)"),
        ("name,parent\n???,\n", 2, "is no id"),
        ("name,description\n,x\n", 2, "a row without a name"),
        ("name,description\nA,x,y,z\n", 2, "put texts with commas in quotes"),
        ('name,description\nA,"x" y\n', 2, "check the quotation marks"),
        ("name,parent\n\n", 1, "no code"),
    ],
)
def test_csv_errors_name_file_line_and_remedy(tmp_path, text, line, words):
    path = write(tmp_path, text, "codes.csv")
    with pytest.raises(CodebookError) as caught:
        codebook.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert words in str(caught.value)
