# ruff: noqa: E501  # records as files have them, in long lines
"""Readers of papers: what the fields of each format become."""

import pytest

from qinlp import sources
from qinlp.records import Rejected
from qinlp.sources.papers import names, terms


def documents(path):
    return [record for record in sources.read(path) if not isinstance(record, Rejected)]


def test_ris(examples):
    full, bare, rejected = sources.read(examples["ris"])
    assert full.doi == "10.5555/jic.2021.4"
    assert full.year == 2021
    assert full.authors == ("Okafor, Ngozi", "Lindqvist, Per")
    assert full.keywords == ("huddles", "staffing", "wards")
    assert [section.name for section in full.sections] == ["Background", "Methods", "Results", "Conclusions"]
    assert full.text.startswith("Huddles were new")
    assert full.metadata["pages"] == "10-19"
    assert full.metadata["issn"] == ["1234-5678"]
    assert full.language == "en"
    assert (bare.text, bare.year, bare.doi) == ("", None, "")
    assert bare.metadata["year"] == "10 15"
    assert bare.metadata["doi"] == "10.1"
    assert rejected == Rejected(
        str(examples["ris"]),
        "3",
        "the record has neither title nor abstract",
        b"TY  - JOUR\nAU  - Nobody, Anne\nER  -",
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  - ", " - "),
        lambda text: "Provider: X\n\n" + text,
    ],
)
def test_ris_dialects_read_alike(change, examples, write):
    text = examples["ris"].read_text()
    plain = list(sources.read(write("a.ris", text)))
    for name in ("b.ris", "b.txt"):
        changed = list(sources.read(write(name, change(text))))
        assert [getattr(one, "title", None) for one in changed] == [
            getattr(one, "title", None) for one in plain
        ]
        assert changed[0].text == plain[0].text


def test_ris_record_without_type_is_kept(write):
    (one,) = sources.read(
        write("a.ris", "T1  - Kept\nPY  - 2001/09/01/\nUR  - http://dx.doi.org/10.5555/A:1\nER  -\n")
    )
    assert (one.title, one.year, one.doi) == ("Kept", 2001, "10.5555/a:1")


def test_ris_pubmed_ids(write):
    text = "TY  - JOUR\nTI  - A\nAN  - 21553931\nDP  - NLM\nER  - \nTY  - JOUR\nTI  - B\nN1  - PMID: 123456\nER  - \n"
    assert [one.pmid for one in sources.read(write("a.ris", text))] == ["21553931", "123456"]


def test_nbib(examples):
    full, bare = sources.read(examples["nbib"])
    assert full.title == "Bedside checklists in a fictional maternity unit."
    assert full.authors == ("Abara, Chidi", "Moss, Ulla")
    assert (full.doi, full.pmid, full.pmcid, full.year) == ("10.5555/nbib.1", "90000001", "PMC900001", 2020)
    assert full.mesh == ("Checklist", "Midwifery/standards")
    assert full.text.endswith("nobody had asked them.")
    assert bare.text == ""
    assert bare.title


def test_pubmed_xml(examples):
    full, rejected = sources.read(examples["pubmed"])
    assert full.title == "Handover with SBAR in a night clinic"
    assert full.text == "To see whether SBAR took hold.\n\nStaff liked it (p<0.05), H2O aside."
    assert [section.name for section in full.sections] == ["Aims", "Results"]
    assert full.authors == ("Vega, Luz", "The Night Group")
    assert (full.doi, full.pmcid, full.pmid) == ("10.5555/pm.11", "PMC900011", "90000011")
    assert full.mesh == ("Patient Handoff/standards",)
    assert isinstance(rejected, Rejected)
    assert b"90000012" in rejected.raw


def test_pubmed_xml_before_a_fault_is_rescued(examples, write):
    text = examples["pubmed"].read_text()
    cut = text[: text.index("<PMID>90000012") + 10]
    found = list(sources.read(write("cut.xml", cut)))
    assert found[0].pmid == "90000011"


def test_pubmed_xml_resolves_no_entity(write, tmp_path):
    (tmp_path / "secret").write_text("SECRET")
    text = (
        f'<!DOCTYPE PubmedArticleSet [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><PubmedArticleSet><PubmedArticle>'
        "<MedlineCitation><Article><ArticleTitle>T &x;</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
        "</PubmedArticleSet>"
    )
    assert "SECRET" not in repr(list(sources.read(write("x.xml", text))))


def test_endnote_xml(examples):
    (one,) = sources.read(examples["endnote"])
    assert one.authors == ("Roe, Richard", "Doe, Jo")
    assert (one.pmid, one.doi, one.year) == ("90000021", "10.5555/en.1", 2019)
    assert one.text == "Visits were rare.\n\nTravel time stood in the way."


def test_bibtex(examples):
    found = list(sources.read(examples["bibtex"]))
    full = found[0]
    assert full.title == "Telehealth in Spain: café talks & more"
    assert full.authors == ("García, José", "Müller, Ulf", "The Invented Group")
    assert full.record == "garcia2020"
    assert full.text.endswith("30% of homes had no signal.")
    assert found[-1].title == "An entry after a broken one"
    assert any(isinstance(one, Rejected) for one in found)


def test_europepmc(examples):
    full, rejected = sources.read(examples["europepmc"])
    assert full.authors == ("Wong, M", "Kumar, A")
    assert full.text == "Rounds were <monthly.\n\nDoctors valued them; rota gaps did not help."
    assert full.journal == "Invented Ageing"
    assert isinstance(rejected, Rejected)


def test_openalex(examples):
    (one,) = sources.read(examples["openalex"])
    assert one.text == "Peers helped people who helped others."
    assert (one.openalex, one.doi, one.pmid) == ("W900000041", "10.5555/oa.41", "90000041")
    assert (one.journal, one.authors) == ("Invented Stroke", ("Mina Sato",))


def test_table(examples):
    full, bare, *rejected = sources.read(examples["table"])
    assert (full.title, full.doi, full.year) == ("Ward pharmacists, at last", "10.5555/tb.1", 2017)
    assert full.authors == ("Ito, Kei", "Park, Min")
    assert full.metadata == {"Included": "1"}
    assert (full.record, bare.record) == ("row 2", "row 3")
    assert bare.metadata["year"] == "n.d."
    assert [one.record for one in rejected] == ["row 4", "row 5"]
    assert "quotes" in rejected[1].reason


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_table_separators_and_encodings(separator, encoding, write):
    rows = [["TI ", "AB", "Year"], ["Café “quality”", "It’s – fine", "2014//"]]
    text = "\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    (one,) = sources.read(write("a.csv", text.encode(encoding)))
    assert (one.title, one.text, one.year) == ("Café “quality”", "It’s – fine", 2014)


def test_table_workbook_with_a_title_row(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ["My export"],
        [],
        ["Article Title", "Abstract", "Publication Year"],
        ["A", "Words.", 2014.0],
        [None],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    (one,) = sources.read(tmp_path / "a.xlsx")
    assert (one.title, one.text, one.year, one.record) == ("A", "Words.", 2014, "row 4")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("['Marx, Karl', 'Lindgren, Astrid']", ["Marx, Karl", "Lindgren, Astrid"]),
        ("Marx, Karl; Lindgren, Astrid", ["Marx, Karl", "Lindgren, Astrid"]),
        ("Liu R., Adler D.G.", ["Liu R.", "Adler D.G."]),
        ("Ana Ruiz, Tom Hall and Bo Li", ["Ana Ruiz", "Tom Hall", "Bo Li"]),
        ("Smith, J., Doe, A.", ["Smith, J.", "Doe, A."]),
        ("Marx, Karl", ["Marx, Karl"]),
        ("Marx, K and Lindgren, A", ["Marx, K", "Lindgren, A"]),
        ("", []),
        ("[not a list", ["[not a list"]),
    ],
)
def test_names(field, expected):
    assert names(field) == expected


def test_terms():
    assert terms("['a', 'b']") == ["a", "b"]
    assert terms("a, b; c") == ["a, b", "c"]
    assert terms("a, b (c, d)") == ["a", "b (c, d)"]


def test_keywords_at_the_end_of_an_abstract(write):
    (one,) = sources.read(write("a.csv", 'title,abstract\nA,"It worked. Keywords: one; two."\n'))
    assert (one.text, one.keywords) == ("It worked.", ("one", "two"))


def test_table_without_columns_for_year_and_doi(write):
    text = "Title,Source,Open URL Link\nA,Invented J (2014) 3:3 (1-9).,http://x.org/?id=doi:10.5555%2FX-1&atitle=A\n"
    (one,) = sources.read(write("a.csv", text))
    assert (one.journal, one.year, one.doi) == ("Invented J", 2014, "10.5555/x-1")
