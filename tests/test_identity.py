"""One paper, one document: how records are compared, joined, linked, left to people, and parted again."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from qinlp import config, identity, sources, steps
from qinlp.errors import ConfigError
from qinlp.passages import segment
from qinlp.records import Document, Judgement
from qinlp.store import Store, append

FORMS = Path(__file__).parent / "fixtures" / "one_paper"
WORDS = (
    "Lamps were given to the night nurses of eight wards in two small hospitals by the sea and few of them "
    "were lit after the winter because nobody had the time to fill them at the change of the shift"
)
LAMPS = Document(
    f"{WORDS}.", "abstract", "Why night nurses left their lamps unlit", ("Fjellheim, Tove", "Zabel, Max"),
    2021, "Fictional Journal of Ward Studies", metadata={"volume": "14", "pages": "101-109"},
)  # fmt: skip


def compared(a, b):
    return identity.compare(identity.of(a, "a"), identity.of(b, "b"))


def decision(a, b):
    return compared(a, b).decision


# --- comparing ------------------------------------------------------------------------------------


def test_a_shared_identifier_is_the_same_paper_whatever_else_they_say():
    other = Document("Else.", "abstract", "Quite another title", ("Berg, A",), 1990, pmid="7")
    assert compared(replace(LAMPS, pmid="7"), other) == identity.Verdict("same", 1.0, "both are pmid:7")


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "WHY NIGHT NURSES LEFT THEIR LAMPS UNLIT."},
        {"title": "[Why night nurses left their lamps unlit]."},
        {"title": "<i>Why</i> night-nurses left their lamps unlit", "journal": "Fict J Ward Stud"},
        {"title": "Why night nurses left their lamps unlit: a qualitative study"},
        {"title": "Why night nurses left their lam"},
        {"title": "Why night nurses left thier lamps unlit"},
        {"authors": ("Fjellheim T", "Zabel M")},
        {"authors": ("T. Fjellheim",), "year": 2022},
        {"year": None, "journal": "", "text": ""},
        {"authors": (), "text": ""},
    ],
)
def test_what_databases_do_to_a_record_leaves_it_the_same_paper(changed):
    assert decision(LAMPS, replace(LAMPS, **changed)) == "same"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("β-blockers after infarction in older men", "Beta blockers after infarction in older men"),
        ("Behaviour change in paediatric wards at night", "Behavior change in pediatric wards at night"),
        ("CO<sub>2</sub> monitors in crowded wards", "CO2 monitors in crowded wards"),
        ("Nurses&#39; views of health care reform", "Nurses' views of healthcare reform"),
    ],
)
def test_spelling_markup_and_greek_letters_make_no_other_title(one, other):
    assert decision(replace(LAMPS, title=one), replace(LAMPS, title=other)) == "same"


@pytest.mark.parametrize(
    "other",
    [
        "Why night nurses left their lamps unlit: part II",
        "Why night nurses left their lamps unlit: study protocol",
        "Why night nurses left their lamps unlit: authors' reply",
        "Erratum: Why night nurses left their lamps unlit",
        "Why day nurses left their lamps unlit",
        "Why night nurses left their lamps lit",
    ],
)
def test_one_word_makes_another_paper(other):
    another = replace(LAMPS, title=other, text="Another text.", metadata={})
    assert decision(replace(LAMPS, metadata={}), another) in ("doubtful", "different")


def test_the_same_title_by_other_people_is_another_paper():
    other = replace(LAMPS, authors=("Berg, Anna", "Lund, Per"), text="", metadata={})
    assert decision(LAMPS, other) == "different"


def test_a_study_and_its_talk_years_before_are_for_people_to_tell():
    talk = replace(LAMPS, year=2018, journal="Proceedings of the Ward Meeting", text="", metadata={})
    assert compared(LAMPS, talk).decision == "doubtful"
    assert compared(LAMPS, talk).reason == "same title; author agrees; year, journal differ"


def test_a_title_that_many_papers_have_needs_more_than_its_author():
    one = replace(LAMPS, title="Editorial", text="", metadata={})
    assert decision(one, one) == "doubtful"
    placed = replace(one, metadata={"volume": "14", "pages": "101"})
    assert decision(placed, placed) == "same"


@pytest.mark.parametrize("scheme", ["doi", "pmid", "pmcid", "openalex"])
def test_two_identifiers_of_one_scheme_are_never_the_same(scheme):
    one, other = (replace(LAMPS, **{scheme: value}) for value in ("10.5555/1", "10.5555/2"))
    assert decision(one, other) == "doubtful"
    assert decision(one, replace(other, year=2015)) == "different"


@pytest.mark.parametrize(
    "preprint",
    [
        {"doi": "10.1101/2020.05.01.20000001"},
        {"doi": "10.21203/rs.3.rs-1/v1"},
        {"doi": "10.2139/ssrn.1"},
        {"doi": "10.48550/arxiv.1"},
        {"pmid": "9", "metadata": {"preprint": True}},
        {"metadata": {"epmc": "PPR/12"}},
        {"journal": "medRxiv : the preprint server for health sciences"},
    ],
)
def test_a_preprint_is_linked_to_its_article_and_not_the_same(preprint):
    early = replace(LAMPS, year=2019, **{"journal": "", "metadata": {}, **preprint})
    assert decision(early, replace(LAMPS, doi="10.5555/1")) == "preprint"


def test_a_journal_of_a_publisher_of_preprints_has_no_preprints():
    assert identity.nature(["doi:10.1101/gr.1"]) == "article"


def test_a_preprint_of_another_title_is_known_where_a_source_says_so():
    early = Document("", "abstract", "Lamps", doi="10.1101/1", metadata={
        "related": [{"type": "preprint of", "id": "doi:10.5555/X"}]
    })  # fmt: skip
    assert decision(early, replace(LAMPS, doi="10.5555/x")) == "preprint"
    assert decision(early, replace(LAMPS, doi="10.5555/y")) == "different"


def test_an_abstract_without_a_title_is_the_paper_with_that_abstract_and_author():
    pasted = Document(LAMPS.text, "abstract")
    assert decision(LAMPS, replace(pasted, authors=LAMPS.authors[:1])) == "same"
    assert decision(LAMPS, pasted) == "doubtful"
    assert decision(LAMPS, replace(pasted, text=WORDS[:60], year=2021)) == "doubtful"
    assert decision(LAMPS, replace(pasted, text=WORDS[60:])) == "different"


def test_relations_that_are_none_are_passed_over():
    assert identity.relations({"related": "x"}) == []
    assert identity.relations({"related": [{"type": "cites", "id": "pmid:1"}, 3]}) == []


words = st.lists(
    st.sampled_from(
        ["nurses", "lamps", "night", "ward", "I", "II", "men", "study", "of", "the", "reply", "2020"]
    ),
    max_size=8,
)
documents = st.builds(
    Document,
    text=st.sampled_from(["", WORDS, WORDS[::-1], WORDS.replace("lamps", "lamp")]),
    kind=st.just("abstract"),
    title=words.map(" ".join),
    authors=st.lists(st.sampled_from(["Berg, A", "Lund, P", "Moe, K"]), max_size=3).map(tuple),
    year=st.sampled_from([None, 2019, 2020, 2022]),
    journal=st.sampled_from(["", "Ward Studies", "Ward Stud", "bioRxiv"]),
    doi=st.sampled_from(["", "10.5555/1", "10.5555/2", "10.1101/1"]),
    pmid=st.sampled_from(["", "1", "2"]),
    metadata=st.sampled_from([{}, {"volume": "1", "pages": "5-9"}, {"volume": "1", "pages": "7"}]),
)


@settings(max_examples=300)
@given(documents, documents)
def test_it_does_not_matter_which_comes_first(a, b):
    one, other = identity.of(a, "a"), identity.of(b, "b")
    verdict = identity.compare(one, other)
    assert verdict == identity.compare(other, one)
    assert 0 <= verdict.score <= 1
    conflict = identity.conflict(a.keys, b.keys)
    assert not (verdict.decision == "same" and conflict)


@settings(max_examples=100)
@given(documents)
def test_a_record_with_an_identifier_is_the_same_as_its_copy(a):
    if identity.published(a.keys):
        assert decision(a, a) == "same"
    assert {*identity.blocks(identity.of(a, "a"))} & {*identity.blocks(identity.of(a, "a"))}


# --- joining --------------------------------------------------------------------------------------

pytestmark = pytest.mark.store


def rows(con, sql, *values):
    return con.execute(sql, list(values)).fetchall()


def add(con, *found, run="r1"):
    return append.add_documents(con, run, [(d, segment(d)) for d in found])


A = replace(LAMPS, doi="10.5555/1", title="Title as the publisher has it", source="a.ris")
B = replace(LAMPS, pmid="77", title="Title as the index has it", source="b.nbib", record="2")
C = replace(LAMPS, doi="10.5555/1", pmid="77", pmcid="PMC7", title="Title as a search has it", source="c")


@pytest.mark.parametrize("order", list(permutations((A, B, C))))
@pytest.mark.parametrize("batched", [False, True])
def test_a_record_with_identifiers_of_two_documents_makes_them_one(con, order, batched):
    if batched:
        add(con, *order)
    else:
        for one in order:
            add(con, one)
    assert rows(con, "SELECT doi, pmid, pmcid FROM documents_current") == [("10.5555/1", "77", "PMC7")]
    assert rows(con, "SELECT source, record FROM provenance_current ORDER BY ALL") == [
        ("a.ris", ""), ("b.nbib", "2"), ("c", ""),
    ]  # fmt: skip
    assert rows(con, "SELECT count(DISTINCT document_id) FROM provenance_current") == [(1,)]
    assert rows(con, "SELECT count(*) FROM passages_current") == [(len(segment(LAMPS)),)]
    before = rows(con, "SELECT count(*) FROM document_pairs")
    assert add(con, *order).documents == 0
    assert rows(con, "SELECT count(*) FROM document_pairs") == before


def test_a_later_record_finds_the_whole_paper(con):
    add(con, A, B, C)
    add(con, replace(B, openalex="W7", source="d.json"), replace(A, doi="", pmid="77", source="e"))
    assert rows(con, "SELECT doi, pmid, openalex FROM documents_current") == [("10.5555/1", "77", "W7")]
    assert rows(con, "SELECT count(*) FROM provenance_current") == [(5,)]


def test_a_title_joins_no_second_doi_to_a_paper_that_was_joined(con):
    add(con, A, B, C)
    add(con, replace(B, pmid="", doi="10.5555/2", source="d"))
    assert rows(con, "SELECT doi FROM documents_current ORDER BY doi") == [("10.5555/1",), ("10.5555/2",)]


def test_a_record_that_mixes_two_papers_joins_nothing(con):
    add(con, replace(A, pmid="1"), B, C)
    assert rows(con, "SELECT verdict, reason FROM document_pairs") == [
        ("doubtful", "one record carries identifiers of both, but they have two PMIDs")
    ]
    assert rows(con, "SELECT count(*) FROM documents_current") == [(2,)]


def test_a_record_with_identifiers_of_preprint_and_article_links_them(con):
    add(con, replace(A, doi="10.1101/1"), B, replace(C, doi="10.1101/1"))
    assert rows(con, "SELECT document_id, other_id, verdict FROM document_pairs") == [
        ("pmid:77", "doi:10.1101/1", "preprint")
    ]


def test_the_document_with_an_abstract_stands_for_those_without(con):
    add(con, replace(A, text=""), B, replace(C, text=""))
    assert rows(con, "SELECT document_id, text FROM documents_current") == [("pmid:77", B.text)]


def test_a_person_parts_what_a_record_joined_and_each_gets_its_own_back(con):
    add(con, A, B, C)
    append.add_pairs(con, None, "anna", [append.Pair("pmid:77", "doi:10.5555/1", "different", 1.0, "")])
    add(con, replace(C, source="again"))
    assert rows(con, "SELECT document_id, doi, pmid FROM documents_current ORDER BY ALL") == [
        ("doi:10.5555/1", "10.5555/1", None), ("pmid:77", None, "77"),
    ]  # fmt: skip
    append.add_pairs(con, None, "per", [append.Pair("pmid:77", "doi:10.5555/1", "same", 1.0, "")])
    assert rows(con, "SELECT count(*) FROM documents_current") == [(1,)]
    assert rows(con, "SELECT count(*) FROM document_pairs") == [(3,)]


def judge(con, document_id, ordinal, code, coder="anna", hour=1):
    passage = rows(
        con, "SELECT passage_id FROM passages WHERE document_id = ? AND ordinal = ?", document_id, ordinal
    )[0][0]
    at = datetime(2024, 5, 1, hour, tzinfo=UTC)
    append.add_judgements(con, [Judgement(passage, "valence", code, coder, True, at)])


TIME, HELPED = "Nobody had the time to fill them at night.", "A sister who lit hers first helped the others."


def test_the_document_that_people_judged_stands_for_the_other(con):
    add(con, A, replace(B, text=f"Other words are said of the same. {HELPED}"))
    judge(con, "pmid:77", 1, "barrier")
    add(con, C)
    assert rows(con, "SELECT document_id, text, decided_by FROM coded_passages") == [
        ("pmid:77", HELPED, "human")
    ]


def test_judgements_of_both_hold_where_the_words_are_the_same(con):
    text = f"The lamps of the ward went out in spring. {TIME} {HELPED}"
    add(con, replace(A, text=text), replace(B, text=f"We asked nurses of eight wards. {text}"))
    judge(con, "doi:10.5555/1", 1, "barrier")
    judge(con, "pmid:77", 1, "barrier")
    judge(con, "pmid:77", 3, "enabler", hour=2)
    add(con, C)
    shown = rows(con, "SELECT document_id, text, code FROM coded_passages ORDER BY ALL")
    assert shown == [
        ("pmid:77", HELPED, "enabler"),
        ("pmid:77", TIME, "barrier"),
        ("pmid:77", "The lamps of the ward went out in spring.", "barrier"),
    ]
    assert rows(con, "SELECT count(*) FROM judgements") == [(3,)]


def test_what_was_merged_away_is_neither_coded_nor_reviewed(con):
    from qinlp.store import pending

    add(con, A, B, C)
    todo = pending.uncoded(con, "m", "valence", "h", interviewer=True)
    assert len(todo) == len(segment(LAMPS))


# --- matching -------------------------------------------------------------------------------------


@pytest.fixture
def review(tmp_path):
    (tmp_path / "qinlp.toml").write_text("")
    return config.load(tmp_path)


def fill(review, *found):
    with Store(review.database_path).write() as con:
        append.start_run(con, "r1", "ingest", datetime(2024, 5, 1, tzinfo=UTC), "0", {})
        return add(con, *found)


def ask(review, sql, *values):
    with Store(review.database_path).read() as con:
        return rows(con, sql, *values)


def distinct(n, **more):
    """Return a paper of its own."""
    word = "abcdefghij"[n] * 7
    title, text = (" ".join(one + word for one in words.split()) for words in (LAMPS.title, WORDS))
    return replace(LAMPS, title=title, text=text, metadata={}, **more)


def test_duplicates_without_identifiers_are_found_in_one_source_and_over_batches(review, monkeypatch):
    monkeypatch.setattr(steps.matching, "DOCUMENTS_A_BATCH", 2)
    short = replace(distinct(1), title=distinct(1).title + ": a qualitative study", source="x", record="9")
    fill(review, *(distinct(n, source="x", record=str(n)) for n in range(5)), short)
    assert steps.match(review) == steps.Matched(compared=6, same=1)
    assert ask(review, "SELECT count(*) FROM documents_current") == [(5,)]
    assert ask(review, "SELECT kind, status FROM runs WHERE kind = 'match'") == [("match", "completed")]


def test_matching_again_writes_nothing(review, count):
    early = replace(LAMPS, doi="10.1101/1", journal="", metadata={})
    fill(review, LAMPS, replace(LAMPS, title=LAMPS.title + ": a study"), early, distinct(1, doi="10.5555/8"))
    steps.match(review)
    before = count(review.database_path)
    assert before["document_pairs"] == 2
    assert steps.match(review) == steps.Matched()
    assert count(review.database_path) == before


def test_a_project_without_a_paper_writes_nothing(review, count):
    fill(review)
    before = count(review.database_path)
    assert steps.match(review) == steps.Matched()
    assert count(review.database_path) == before


def test_what_is_matched_in_parts_is_what_is_matched_at_once(review, tmp_path):
    found = [*(distinct(n) for n in range(4)), *(replace(distinct(n), year=2022) for n in range(4))]
    fill(review, *found)
    at_once = steps.match(review)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "qinlp.toml").write_text("")
    parts, total = config.load(tmp_path / "parts"), steps.Matched()
    for one in found:
        fill(parts, one)
        total += steps.match(parts)
    assert total == at_once == steps.Matched(compared=8, same=4)


def test_a_record_without_a_doi_does_not_join_two_with(review):
    one, other = replace(LAMPS, doi="10.5555/1"), replace(LAMPS, doi="10.5555/2")
    fill(review, one, other, replace(LAMPS, year=2022))
    assert steps.match(review) == steps.Matched(compared=3, same=1, doubtful=1)
    assert len(ask(review, "SELECT * FROM documents_current")) == 2


def test_a_record_without_identifiers_does_not_join_a_preprint_to_its_article(review):
    early = replace(LAMPS, doi="10.1101/1", journal="", metadata={})
    bare = replace(LAMPS, title=LAMPS.title + ": a study", journal="", metadata={})
    fill(review, early, replace(LAMPS, pmid="5"), bare)
    done = steps.match(review)
    assert (done.same, done.preprints) == (1, 1)
    assert len(ask(review, "SELECT * FROM documents_current")) == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_preprint_is_linked_whichever_comes_first(review, order):
    early = replace(LAMPS, doi="10.1101/1", year=2020, journal="", metadata={})
    pair = (early, replace(LAMPS, doi="10.5555/1"))
    for place in order:
        fill(review, pair[place])
        steps.match(review)
    assert ask(review, "SELECT document_id, other_id, verdict FROM document_pairs") == [
        ("doi:10.5555/1", "doi:10.1101/1", "preprint")
    ]
    assert len(ask(review, "SELECT * FROM documents_current")) == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_a_source_says_of_preprints_holds_though_it_came_with_a_duplicate(review, order):
    early = Document("", "abstract", "Lamps in the night", doi="10.1101/1", source="a")
    late = replace(LAMPS, doi="10.5555/1", source="b")
    says = {"related": [{"type": "published as", "id": "doi:10.1101/1"}]}
    found = (early, late, replace(late, source="c", metadata=says))
    for place in order:
        fill(review, found[place])
        steps.match(review)
    assert ask(review, "SELECT document_id, other_id, verdict, decided_by FROM document_pairs") == [
        ("doi:10.5555/1", "doi:10.1101/1", "preprint", "identifier")
    ]
    assert steps.match(review) == steps.Matched()


def test_what_many_share_tells_nothing(review, monkeypatch):
    monkeypatch.setattr(steps.matching, "SHARED_BY", 3)
    fill(review, *(replace(LAMPS, title="Editorial", text="", year=2000 + n, metadata={}) for n in range(5)))
    assert steps.match(review).compared == 5
    assert ask(review, "SELECT * FROM document_pairs") == []


# --- people decide --------------------------------------------------------------------------------

TALK = replace(
    LAMPS, year=2018, journal="Proceedings of the Ward Meeting", text="", metadata={}, source="t.ris"
)


@pytest.fixture
def doubtful(review):
    """Return a project with one doubtful pair, and the ids of the two."""
    fill(review, replace(LAMPS, doi="10.5555/1", source="l.ris"), TALK)
    assert steps.match(review) == steps.Matched(compared=2, doubtful=1)
    return review, "doi:10.5555/1", TALK.keys[0]


def test_a_person_joins_a_doubtful_pair_and_parts_it_again(doubtful, qinlp):
    review, one, other = doubtful

    def run(*words):
        return qinlp("--project", review.folder, "duplicates", *words)

    assert run("find").stdout.startswith("Nothing to compare:")
    listed = run("list")
    assert listed.returncode == 0, listed.stderr
    for said in (
        one,
        "same title; author agrees; year, journal differ",
        "2018",
        "l.ris",
        "1 pair: doubtful.",
    ):
        assert said in listed.stdout
    assert run("same", other, one, "--coder", "anna").stdout == f"{other} and {one} are one document.\n"
    assert run("list").stdout == "0 pairs: doubtful.\n"
    assert "anna says so" in run("list", "--verdict", "same", "--format", "csv").stdout
    assert len(ask(review, "SELECT * FROM documents_current")) == 1
    assert run("different", one, other).stdout == f"{one} and {other} are two documents.\n"
    assert len(ask(review, "SELECT * FROM documents_current")) == 2
    assert steps.match(review) == steps.Matched()
    said = ask(review, "SELECT verdict, document_id FROM document_pairs")
    assert said == [("doubtful", other), ("same", other), ("different", other)]


def test_what_a_person_said_is_said_once(doubtful):
    review, one, other = doubtful
    for _ in range(2):
        steps.decide(review, "different", one, other, "anna")
    assert len(ask(review, "SELECT * FROM document_pairs WHERE decided_by = 'anna'")) == 1


def test_parting_two_that_a_third_holds_together_is_told(review):
    fill(review, *(distinct(n) for n in range(3)))
    a, b, c = (distinct(n).keys[0] for n in range(3))
    for one, other in ((a, b), (b, c), (a, c)):
        steps.decide(review, "same", one, other, "anna")
    assert steps.decide(review, "different", a, c, "anna") == (b,)
    assert len(ask(review, "SELECT * FROM documents_current")) == 1
    assert steps.decide(review, "different", b, c, "anna") == ()
    assert len(ask(review, "SELECT * FROM documents_current")) == 2


def test_rules_do_not_join_anew_what_a_person_parted(review):
    fill(review, replace(LAMPS, pmid="1"), replace(TALK, doi="10.5555/2"))
    steps.match(review)
    steps.decide(review, "different", "pmid:1", "doi:10.5555/2", "anna")
    bridge = replace(LAMPS, title=LAMPS.title + ": a study")
    fill(review, bridge)
    steps.match(review)
    assert len(ask(review, "SELECT * FROM documents_current")) == 2


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            "doi:10.5555/9",
            "doi:10.5555/1",
            "no document 'doi:10.5555/9'; `qinlp duplicates list` shows pairs",
        ),
        ("doi:10.5555/1", "doi:10.5555/1", "'doi:10.5555/1' twice; name two documents"),
    ],
)
def test_what_cannot_be_decided_is_told(doubtful, one, other, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        steps.decide(doubtful[0], "same", one, other, "anna")


def test_an_unknown_verdict_is_told_with_the_nearest(doubtful, qinlp):
    said = qinlp("--project", doubtful[0].folder, "duplicates", "list", "--verdict", "doubtfull")
    assert (said.returncode, said.stderr) == (2, "qinlp: verdict 'doubtfull'; did you mean 'doubtful'?\n")


# --- from end to end ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forms():
    return {path.name: [*sources.read(path)] for path in sorted(FORMS.iterdir())}


def test_the_five_forms_are_read(forms):
    assert {name: len(found) for name, found in forms.items()} == dict.fromkeys(
        ("europepmc.json", "openalex.json", "page.txt", "pubmed.xml", "reference.ris"), 1
    )
    assert not identity.published(forms["page.txt"][0].keys) | identity.published(
        forms["reference.ris"][0].keys
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Return a project whose database is made."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "qinlp.toml").write_text("")
    (folder / "documents").mkdir()
    with Store(folder / "qinlp.duckdb").write():
        return folder


@settings(max_examples=6, phases=(Phase.explicit, Phase.generate))
@given(order=st.permutations(range(5)), cuts=st.sets(st.integers(1, 4), max_size=3))
def test_one_paper_in_five_forms_is_one_document_in_any_order(order, cuts, empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("review") / "project"
    shutil.copytree(empty, folder)
    review, files = config.load(folder), sorted(FORMS.iterdir())
    ends = [*sorted(cuts), len(order)]
    for start, end in zip([0, *ends], ends, strict=False):
        new = [shutil.copy(files[number], folder / "documents") for number in order[start:end]]
        steps.ingest(review, [Path(path) for path in new])
        steps.match(review)
    assert ask(review, "SELECT doi, pmid, pmcid, openalex FROM documents_current") == [
        ("10.5555/lantern.2021.7", "99000001", "PMC9900001", "W9900000001")
    ]
    seen = ask(review, "SELECT source, count(*) FROM provenance_current GROUP BY ALL ORDER BY ALL")
    assert seen == [(f"documents/{path.name}", 1) for path in files]
    assert ask(review, "SELECT count(DISTINCT document_id) FROM passages_current") == [(1,)]
    assert steps.match(review) == steps.Matched()
