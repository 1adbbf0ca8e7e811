# ruff: noqa: E501  # pages as sites lay them out, in long lines
"""Pages as people paste them: invented papers on pages laid out as real sites lay theirs out."""

import pytest

from qinlp import sources
from qinlp.sources import page

BODY = (
    "We asked forty nurses in nine invented clinics why the new triage form was used or left aside. Lack of time and of"
    " training stood in the way. A nurse with protected hours made it work, and managers who used the figures helped."
)
STRUCTURED = (
    "Background: Triage forms are rarely kept up once a project ends.\n"
    "Methods: We asked forty nurses in nine invented clinics.\n"
    "Results: Lack of time stood in the way. A nurse with protected hours helped.\n"
    "Conclusions: Forms need somebody whose job they are.\n"
)
TITLE = "Keeping a triage form alive: an interview study in nine clinics"

PAGES = {
    "index of papers with similar ones": (
        f"""Save
Cite
Share
Invented J Nurs. 2021 May 4;12(3):45-60. doi: 10.5555/ijn.2021.3. Epub 2021 Apr 1.
{TITLE}
Ana Ruiz 1 2, Tom Hall 3, Bo Li 1
Affiliations
1 Department of Invention, University of Nowhere, Nowhere.
PMID: 90000051 PMCID: PMC900051 DOI: 10.5555/ijn.2021.3
Abstract
{STRUCTURED}
Keywords: nurses; triage; implementation.

© 2021 The Authors. Invented Journal published by Nobody Ltd.

Conflict of interest statement
The authors declare that they have no conflict of interest.

Figures
Figure 1
Flow of clinics through the study.

Similar articles
Another study of forms in wards far away.
Doe J, Roe R.
Invented J Nurs. 2019;10(1):1-9. doi: 10.5555/other.1.
PMID: 90000052
References
Roe R. We never found the time to read this. Invented Press; 2001.
""",
        {
            "title": TITLE,
            "doi": "10.5555/ijn.2021.3",
            "pmid": "90000051",
            "pmcid": "PMC900051",
            "year": 2021,
            "journal": "Invented J Nurs",
            "authors": ("Ana Ruiz", "Tom Hall", "Bo Li"),
            "keywords": ("nurses", "triage", "implementation"),
            "sections": 4,
        },
    ),
    "european index": (
        f"""{TITLE}

Ruiz A , Hall T , Li B

Invented Journal of Nursing, 04 May 2021, 12(3):45-60
https://doi.org/10.5555/ijn.2021.3 PMID: 90000051 PMCID: PMC900051

Free full text in Europe

Abstract
{STRUCTURED}
Free full text
References
Articles referenced by this article (40)
We never found the time to read this, and nobody else did so either.
""",
        {
            "title": TITLE,
            "doi": "10.5555/ijn.2021.3",
            "pmid": "90000051",
            "year": 2021,
            "journal": "Invented Journal of Nursing",
            "authors": ("Ruiz, A", "Hall, T", "Li, B"),
            "sections": 4,
        },
    ),
    "publisher with highlights": (
        f"""Invented Journal of Triage
Volume 12, Issue 3, May 2021, 104501
Invented Journal of Triage
{TITLE}
Author links open overlay panel
Ana Ruiz a, Tom Hall b, Bo Li a
Show more
Add to Mendeley
Share
Cite
https://doi.org/10.1016/j.ijt.2021.104501
Get rights and content
Highlights
•Forms die when projects end.
•Nurses need hours for them.
Abstract
{BODY}

Keywords
Nurses
Triage
Implementation

Introduction
It is widely known that forms are important, and this first paragraph of the article goes on and on.
Section snippets
Methods
We asked people. There were many of them in the clinics that we went to.
References (40)
""",
        {
            "title": TITLE,
            "doi": "10.1016/j.ijt.2021.104501",
            "year": 2021,
            "journal": "Invented Journal of Triage",
            "text": BODY,
            "authors": ("Ana Ruiz", "Tom Hall", "Bo Li"),
            "keywords": ("Nurses", "Triage", "Implementation"),
        },
    ),
    "search engine": (
        f"""DOI:10.5555/ijn.2021.3
Corpus ID: 900000051
{TITLE}
Ana Ruiz, T. Hall, Bo Li
Published in Invented Journal of Nursing 4 May 2021
Medicine
TLDR
Forms die when nobody minds them, a machine says of this paper about forms and nurses. Expand
Abstract
{BODY}
View via Publisher
Save to Library
Create Alert
Cite
40 Citations
Topics
Triage
Nursing
References
Forms in hospitals: nobody knows how they get there or why they stay.
""",
        {
            "title": TITLE,
            "doi": "10.5555/ijn.2021.3",
            "year": 2021,
            "text": BODY,
            "authors": ("Ana Ruiz", "T. Hall", "Bo Li"),
        },
    ),
    "network of researchers": (
        f"""Article
PDF Available
{TITLE}
May 2021 · Invented Journal of Nursing 12(3):45-60
DOI:10.5555/ijn.2021.3
License · CC BY 4.0
Authors:
Ana Ruiz
Tom Hall
Download full-text PDF
Read full-text
Abstract
{BODY}
Discover the world's research
25+ million members
""",
        {
            "title": TITLE,
            "doi": "10.5555/ijn.2021.3",
            "year": 2021,
            "journal": "Invented Journal of Nursing",
            "text": BODY,
            "authors": ("Ana Ruiz", "Tom Hall"),
        },
    ),
    "repository": (
        f"""Please use this identifier to cite or link to this item: http://hdl.handle.net/00000/1
Title:\t{TITLE}
Authors:\tRuiz, Ana
Hall, Tom
Keywords:\tnurses, triage
Issue Date:\t4-May-2021
Publisher:\tNobody Ltd
Citation:\tInvented Journal of Nursing. 2021;12(3):45-60
Abstract:\t{BODY}
URI:\thttp://hdl.handle.net/00000/1
ISSN:\t1111-2222
Appears in Collections:\tNursing
""",
        {
            "title": TITLE,
            "year": 2021,
            "text": BODY,
            "authors": ("Ruiz, Ana", "Hall, Tom"),
            "keywords": ("nurses", "triage"),
        },
    ),
    "open access publisher": (
        f"""Skip to main content
Research article
Open Access
Published: 04 May 2021
{TITLE}
Ana Ruiz ORCID: orcid.org/0000-0000-0000-0000, Tom Hall & Bo Li
Invented Nursing volume 12, Article number: 45 (2021) Cite this article
1234 Accesses
5 Citations
Abstract
Background
Triage forms are rarely kept up once a project ends.

Methods
We asked forty nurses in nine invented clinics.

Results
Lack of time stood in the way. A nurse with protected hours helped.

Conclusions
Forms need somebody whose job they are.

Peer Review reports
Background
It is widely known that forms are important, and this first paragraph of the article goes on.
""",
        {"title": TITLE, "year": 2021, "journal": "Invented Nursing", "sections": 4},
    ),
    "two languages": (
        f"""{TITLE}
RESUMEN
Preguntamos a cuarenta enfermeras de nueve centros por qué no usaban el formulario. Les faltaba tiempo y formación.
Palabras clave: triaje
ABSTRACT
{BODY}
Keywords: triage
""",
        {"title": TITLE, "text": BODY, "keywords": ("triage",)},
    ),
    "lines broken and text twice": (
        f"{TITLE}\n\nAbstract\n"
        + "\n".join(BODY.replace("nine ", "nine\n").replace("way. ", "way. \n").split("\n"))
        + f"\n{BODY}\n",
        {"title": TITLE, "text": BODY},
    ),
    "title and abstract alone": (f"{TITLE}\n\n{BODY}\n", {"title": TITLE, "text": BODY}),
    "title and structured abstract alone": (f"{TITLE}\n{STRUCTURED}", {"title": TITLE, "sections": 4}),
    "an abstract alone": (BODY, {"title": "", "text": BODY}),
    "a broken abstract alone": (
        BODY.replace(" in nine", "\nin nine").replace("training stood", "training\nstood"),
        {"title": "", "text": BODY},
    ),
    "reference and abstract": (
        f"Ruiz A, Hall T. {TITLE}. Invented J Nurs. 2021;12(3):45-60. doi:10.5555/ijn.2021.3\n\n{BODY}",
        {"doi": "10.5555/ijn.2021.3", "year": 2021, "text": BODY},
    ),
    "data of the site": (
        (
            f'{TITLE}\n{{"title": "{TITLE}", "authors": "Ana Ruiz, Tom Hall", "doi": "10.5555/ijn.2021.3",'
            f' "abstract": "<p>{BODY}</p>", "journal": {{"name": "Invented J Nurs"}}, "publicationDate": "2021-05-04"}}\n'
            "被引用次数: 3\n期刊介绍:\nThe journal prints invented studies that nobody has read and nobody will read, ever."
        ),
        {
            "title": TITLE,
            "doi": "10.5555/ijn.2021.3",
            "year": 2021,
            "text": BODY,
            "authors": ("Ana Ruiz", "Tom Hall"),
            "journal": "Invented J Nurs",
        },
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_page(name, write):
    text, expected = PAGES[name]
    path = write("page.txt", text)
    assert sources.reader_for(path).name == "page"
    (document,) = sources.read(path)
    expected = dict(expected)
    if sections := expected.pop("sections", None):
        assert [section.name for section in document.sections] == [
            "Background",
            "Methods",
            "Results",
            "Conclusions",
        ][:sections]
        expected.setdefault(
            "text", "\n\n".join(line.split(": ")[1] for line in STRUCTURED.strip().split("\n"))
        )
    assert {key: getattr(document, key) for key in expected} == expected
    assert document.record == ""


@pytest.mark.parametrize("rule", ["\n==========\n", "\n\n-----\n\n", "\f", "\n\n=====\n"])
def test_several_pages_in_one_file(rule, write):
    first, second = sources.read(
        write("pages.txt", f"{TITLE}\n\n{BODY}{rule}Another paper\n\nAbstract\n{STRUCTURED}")
    )
    assert (first.title, first.text, first.record) == (TITLE, BODY, "1")
    assert (second.title, second.record, len(second.sections)) == ("Another paper", "2", 4)


def test_an_underlined_title_is_no_rule(write):
    (document,) = sources.read(write("page.md", f"{TITLE}\n==========\n\n{BODY}"))
    assert (document.title, document.text) == (TITLE, BODY)


def test_a_lead_cut_short_goes_with_its_call(write):
    text = f"{BODY[:100]}… Click to show full abstract\n{BODY}\n   \nClick one of the above tabs to view related content."
    (document,) = sources.read(write("page.txt", text))
    assert (document.title, document.text) == ("", BODY)
    only = page.from_text(f"Abstract\n{BODY[:120]}… Read more", "x")
    assert only.text == BODY[:120].rstrip() + "…"


def test_a_page_in_another_script_is_read(write):
    text = "Триаж в девяти клиниках\n\nМы спросили сорок медсестёр, почему форма не прижилась. Времени на неё не было совсем."
    (document,) = sources.read(write("page.txt", text))
    assert document.title == "Триаж в девяти клиниках"
    assert document.text.startswith("Мы спросили")


def test_an_article_in_pdf(tmp_path):
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    for number in (1, 2, 3):
        pdf.add_page()
        pdf.cell(0, 8, f"Invented J Nurs 2021;12:{number}", new_x="LMARGIN", new_y="NEXT")
        if number == 1:
            for words in (
                TITLE,
                "Ana Ruiz, Tom Hall",
                "https://doi.org/10.5555/ijn.2021.3",
                "Abstract",
                BODY,
                "Keywords: nurses; forms",
            ):
                pdf.multi_cell(0, 8, words, new_x="LMARGIN", new_y="NEXT")
        pdf.cell(0, 8, "1. Introduction", new_x="LMARGIN", new_y="NEXT")
        pdf.multi_cell(
            0,
            8,
            f"Part {number} of the article goes on for long. It is no abstract.",
            new_x="LMARGIN",
            new_y="NEXT",
        )
    pdf.output(str(tmp_path / "article.pdf"))
    (document,) = sources.read(tmp_path / "article.pdf")
    assert (document.title, document.text, document.doi) == (TITLE, BODY, "10.5555/ijn.2021.3")
    assert (document.authors, document.keywords) == (("Ana Ruiz", "Tom Hall"), ("nurses", "forms"))


def test_abstracts_pasted_into_word(tmp_path):
    import docx

    document = docx.Document()
    for line in (TITLE, "", BODY, "==========", "Another paper", "", "Abstract", *STRUCTURED.split("\n")):
        document.add_paragraph(line)
    document.save(str(tmp_path / "pasted.docx"))
    first, second = sources.read(tmp_path / "pasted.docx")
    assert (first.title, first.text) == (TITLE, BODY)
    assert (second.title, len(second.sections)) == ("Another paper", 4)
