# ruff: noqa: E501  # abstracts as sources have them, in long lines
"""Structured abstracts, identifiers and text cleaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qinlp.errors import SourceError
from qinlp.sources import identifiers
from qinlp.sources.abstracts import is_heading, structured
from qinlp.sources.text import clean, decode, squeezed


def parts(abstract):
    text, sections = structured(abstract)
    return text, [(section.name, text[section.start : section.end]) for section in sections]


@pytest.mark.parametrize(
    "abstract",
    [
        "BACKGROUND: Long wards. METHODS AND RESULTS: We asked.",
        "Background: Long wards. Methods and results: We asked.",
        "Background:Long wards.Methods and results:We asked.",
        "BACKGROUND Long wards. METHODS AND RESULTS We asked.",
        "Abstract\nBackground\nLong wards.\nMethods and results\nWe asked.",
        "<p><strong>Background: </strong>Long wards.</p><p><strong>Methods and results</strong> We asked.</p>",
        "<h4>Background</h4>Long wards.<h4>Methods and results</h4><p>We asked.</p>",
        (
            "<jats:title>Abstract</jats:title>"
            "<jats:sec><jats:title>Background</jats:title><jats:p>Long wards.</jats:p></jats:sec>"
            "<jats:sec><jats:title>Methods and results</jats:title><jats:p>We asked.</jats:p></jats:sec>"
        ),
        "&lt;b&gt;Background:&lt;/b&gt; Long wards. Methods and results: We asked. © 2020 The Authors.",
    ],
)
def test_headings_of_every_dress(abstract):
    text, found = parts(abstract)
    assert text.lower().replace("results", "Results").startswith("long wards.")
    assert [(name.lower(), words) for name, words in found] == [
        ("background", "Long wards."),
        ("methods and results", "We asked."),
    ]


def test_headings_without_colons_when_they_are_the_rule():
    _, found = parts(
        "Objective Our group asked. Methods Ten people. Main Outcome Measures The score. Results We saw it."
    )
    assert [name for name, _ in found] == ["Objective", "Methods", "Main Outcome Measures", "Results"]
    assert parts("Results Were good. It ended.")[1] == []


@pytest.mark.parametrize(
    "abstract",
    [
        "These are the main results: we saw it. Patients with asthma: a group.",
        "We say methods: three. Time, not money: that was it.",
        "PRISMA: a guideline. The ratio was 3:1 in p < 0.05 and q > 0.1.",
        "We used the Method. It worked.",
    ],
)
def test_no_heading_within_sentences(abstract):
    assert parts(abstract) == (abstract, [])


def test_words_before_the_first_heading_stay():
    text, found = parts("A lead sentence. Results: It worked.")
    assert text == "A lead sentence.\n\nIt worked."
    assert found == [("Results", "It worked.")]


@pytest.mark.parametrize("nothing", ["", "  ", "N/A", "[No abstract available]", "nan", "<p></p>"])
def test_no_abstract(nothing):
    assert structured(nothing) == ("", ())


def test_markup_is_stripped_and_comparisons_stay():
    assert (
        structured("CO<sub>2</sub> &amp; p&lt;0.05, x<y and <i>E. coli</i><br/>next")[0]
        == "CO2 & p<0.05, x<y and E. coli next"
    )


@pytest.mark.parametrize(
    "words", ["Design, setting, and participants", "Design/methodology/approach", "Aims"]
)
def test_is_heading(words):
    assert is_heading(words)


@pytest.mark.parametrize("words", ["", "The", "Interviewer", "and", "Jane Doe", "of methods", "study"])
def test_is_no_heading(words):
    assert not is_heading(words)


@given(st.text(max_size=300))
def test_any_text_is_an_abstract_with_sound_spans(words):
    text, sections = structured(words)
    for section in sections:
        assert text[section.start : section.end].strip() == text[section.start : section.end] != ""


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("10.1186/s12913-024-10985-2.", "10.1186/s12913-024-10985-2"),
        ("https://doi.org/10.1000/ABC(1)2", "10.1000/abc(1)2"),
        ("doi: 10.1002/14651858.CD013274.pub2. Cochrane", "10.1002/14651858.cd013274.pub2"),
        ("(10.1000/x)", "10.1000/x"),
        ("http://dx.doi.org/10.1016%2Fj.x.2", "10.1016/j.x.2"),
        ("10.1", ""),
        ("", ""),
        ("10.12/short", ""),
    ],
)
def test_doi(given_value, expected):
    assert identifiers.doi(given_value) == expected


def test_other_identifiers():
    assert identifiers.pmid("PMID: 00123") == "123"
    assert identifiers.pmid("https://pubmed.ncbi.nlm.nih.gov/456/") == "456"
    assert identifiers.pmid("123.0") == "123"
    assert identifiers.pmid("PMC123") == ""
    assert identifiers.pmcid("https://www.ncbi.nlm.nih.gov/pmc/articles/pmc1234/") == "PMC1234"
    assert identifiers.openalex("https://openalex.org/W123") == "W123"
    assert [identifiers.year(v) for v in ("2014//", "2019 Apr 3", "10 15", "n.d.", "20145", "1999.0")] == [
        2014, 2019, None, None, None, 1999
    ]  # fmt: skip
    assert identifiers.language("eng; fre") == "en"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_decode(encoding):
    words = "Zoë said “café” – then\nthe naïve team’s plan failed, step by step.\n" * 3
    assert decode(words.encode(encoding)) == words


def test_decode_other_scripts():
    words = "Медсёстры сказали, что времени на обучение не было. " * 10
    assert decode(words.encode("cp1251")) == words
    assert decode(words.encode("utf-16-le")) == words


def test_decode_a_file_of_two_encodings():
    assert decode("Zoë\n".encode() + "naïve\n".encode("cp1252")) == "Zoë\nnaïve\n"


def test_decode_binary():
    with pytest.raises(SourceError, match="binary"):
        decode(bytes(range(256)) * 10, "a.bin")


def test_clean():
    assert clean("a\r\nb\rc\u2028d\ufeff\u200b\u00ad") == "a\nb\nc\nd"
    assert clean("👩\u200d⚕️ e\u0301") == "👩\u200d⚕️ e\u0301"
    assert clean("x\ud800") == "x\ufffd"
    assert squeezed(" a\u00a0\n\tb ") == "a b"
