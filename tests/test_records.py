"""Records name themselves: ids that do not move, keys that find the same paper again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qinlp.errors import nearest
from qinlp.records import Document, Passage, content_hash, family_name, folded

PAPER = Document(
    "Text.", "abstract", title="A Title", authors=("Berg, Anna",), year=2020, doi="10.5555/ABC", pmid="12"
)
PASSAGE = Passage("doi:10.5555/abc", "t" * 32, 0, 5, "Text.", 0)


def test_a_paper_goes_by_its_identifiers_strongest_first_and_by_its_title():
    assert [key.partition(":")[0] for key in PAPER.keys] == ["doi", "pmid", "title"]


def test_a_doi_is_the_same_in_any_case():
    assert PAPER.keys[0] == replace(PAPER, doi="10.5555/abc").keys[0] == "doi:10.5555/abc"


@pytest.mark.parametrize("title", ["A  title", "a title!", "Á títle"])
def test_a_title_is_the_same_in_any_dress(title):
    assert replace(PAPER, title=title).keys[-1] == PAPER.keys[-1]


@pytest.mark.parametrize("change", [{"title": "Another"}, {"year": 2021}, {"authors": ("Lund, Per",)}])
def test_another_title_year_or_first_author_is_another_title_key(change):
    assert replace(PAPER, **change).keys[-1] != PAPER.keys[-1]


def test_what_has_no_identifier_is_known_by_its_text_and_its_place():
    talk = Document("Kari: Yes.", "transcript", source="a.txt")
    assert talk.keys[0].startswith("text:")
    assert talk.keys[1] == "file:a.txt"


def test_a_corrected_transcript_keeps_its_place_and_changes_its_text():
    first = Document("Kari: Yes.", "transcript", source="a.txt")
    second = replace(first, text="Kari: No.")
    assert set(first.keys) & set(second.keys) == {"file:a.txt"}


def test_a_title_names_no_transcript():
    assert not any(key.startswith("title:") for key in Document("x", "transcript", title="Ward 3").keys)


@pytest.mark.parametrize(
    "author",
    ["Schoot, R van de", "Schoot R", "R. Schoot", "Rens Schoot", "van de Schoot, Rens", "SCHOOT, R."],
)
def test_a_family_name_is_found_in_any_order(author):
    assert family_name(author) == "schoot"


def test_nobody_has_no_family_name():
    assert not family_name("")


def test_folded_drops_case_accents_punctuation_and_spaces():
    assert folded("  Été -- d'Œuvre ") == "ete d œuvre"


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert folded(folded(text)) == folded(text)


@given(st.text(), st.text())
def test_hash_parts_are_kept_apart(a, b):
    assert content_hash(a, "x", b) != content_hash(a + "x", b)


def test_a_hash_takes_what_is_no_unicode():
    assert len(content_hash("\udcff")) == 32


@pytest.mark.parametrize("change", [{"document_id": "other"}, {"text_hash": "u"}, {"start": 1}, {"end": 4}])
def test_another_place_is_another_passage(change):
    assert replace(PASSAGE, **change).passage_id != PASSAGE.passage_id


def test_an_encoder_reads_the_text_alone():
    assert replace(PASSAGE, context="before", document_id="other").input_hash == PASSAGE.input_hash
    assert replace(PASSAGE, text="Other.").input_hash != PASSAGE.input_hash


def test_the_nearest_known_word_is_named():
    assert nearest("barier", ["barrier", "enabler"]) == "did you mean 'barrier'?"


def test_all_known_words_are_named_where_none_is_near():
    assert nearest("xyz", ["b", "a"]) == "known: a, b"


def test_nothing_known_is_said():
    assert nearest("xyz", []) == "none is known"
