"""Real files, where they are present; every number here was counted by other means (grep, csv)."""

import csv
import re
import time
from collections import Counter

import pytest

from qinlp import sources
from qinlp.records import Rejected

EXPORTS = {  # records that begin, of them with an abstract, rejected
    "asreview_baseline_zotero.ris": (100, 98, 0),
    "asreview_duplicate_records.csv": (14, 10, 4),
    "asreview_embase.csv": (6, 6, 0),
    "asreview_embase.ris": (6, 6, 0),
    "asreview_faulty_year.ris": (1, 1, 0),
    "asreview_generic_column_names_with_spaces.csv": (2, 2, 0),
    "asreview_generic_semicolon.csv": (2, 2, 0),
    "asreview_generic_tab.tsv": (2, 2, 0),
    "asreview_missing_values.csv": (4, 2, 0),
    "asreview_pubmed_endnote.txt": (6, 6, 0),
    "asreview_pubmed_zotero.ris": (6, 6, 0),
    "asreview_ris_issue_992.txt": (19, 8, 0),
    "asreview_scopus.ris": (6, 6, 0),
    "biopython_pubmed4.xml": (1, 1, 0),
    "jabref_MedlineImporterTestMalformedEntry.xml": (1, 0, 1),
    "jabref_NbibImporterTest.nbib": (1, 1, 0),
    "jabref_RisImporterCorrupted.ris": (1, 0, 0),
    "littriage_openalex_work.json": (1, 1, 0),
    "metasearch_europepmc.json": (2, 0, 0),
    "metasearch_openalex.json": (2, 0, 0),
    "preprint_openalex_work.json": (1, 1, 0),
    "revtools_restoration_pubmed.nbib": (104, 96, 0),
}


def test_every_export_is_counted(shared):
    assert {path.name for path in (shared / "exports").iterdir()} == set(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
def test_export(name, shared, sound):
    records = list(sources.read(shared / "exports" / name))
    documents = sound(records)
    with_text = sum(bool(document.text) for document in documents)
    assert (len(records), with_text, len(records) - len(documents)) == EXPORTS[name]
    assert not any("<" in document.title or "{" in document.title for document in documents)


def test_faulty_values_are_kept_aside(shared):
    (one,) = sources.read(shared / "exports" / "asreview_faulty_year.ris")
    assert (one.year, one.metadata["year"]) == (None, "10 15")
    (one,) = sources.read(shared / "exports" / "jabref_RisImporterCorrupted.ris")
    assert (one.year, one.doi, one.authors) == (2001, "10.1023/a:1017379030770", ("Harrison, Warren",))
    (one,) = sources.read(shared / "exports" / "jabref_MedlineImporterTestMalformedEntry.xml")
    assert isinstance(one, Rejected)
    assert b"wrong format" in one.raw
    found = [
        one
        for one in sources.read(shared / "exports" / "asreview_duplicate_records.csv")
        if not isinstance(one, Rejected)
    ]
    assert {one.doi for one in found} == {""}
    assert found[0].metadata["doi"] == "10.1"


def seed(shared, number, sound):
    (path,) = (shared / "seeds").glob(f"{number:03}_*.txt")
    assert sources.reader_for(path).name == "page"
    (document,) = sound(sources.read(path))
    return document


def test_seed_pages(shared, sound):
    zero, one, two, three, four = (seed(shared, number, sound) for number in range(5))
    assert zero.title == ""
    assert len(re.findall(r"[.](?:\s|$)", zero.text)) == 12
    assert zero.text.count("Quality improvement plays") == 1
    assert "Click" not in zero.text
    assert one.title.startswith("Beyond clinical engagement")
    assert (len(one.authors), one.year, one.journal) == (3, 2015, "BMJ Quality & Safety")
    assert one.text.count("Clinical engagement is not") == 1
    assert "\n" not in one.text
    assert (two.doi, two.year, len(two.sections)) == ("10.1186/s12913-024-10985-2", 2024, 4)
    assert len(two.keywords) == 6
    assert len(two.mesh) == 9
    assert (three.pmid, three.doi, len(three.sections)) == ("27309190", "10.1097/hmr.0000000000000114", 5)
    assert "eScreening" not in three.text + three.title
    assert (len(four.authors), four.doi, four.year, len(four.sections)) == (
        5,
        "10.1177/13558196241231169",
        2024,
        4,
    )
    assert "unique opportunity" not in four.text
    assert "<" not in four.text
    assert all(character < "\u2e80" for character in four.text)


def test_four_thousand_abstracts_in_ten_seconds(shared, sound):
    path = shared / "corpora" / "abstracts.csv"
    began = time.process_time()
    documents = sound(sources.read(path))
    assert time.process_time() - began < 10
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(documents) == len(rows) == 4052
    assert [one.metadata["record_id"] for one in documents] == [row["record_id"] for row in rows]
    assert sum(bool(one.sections) for one in documents) > 2500


HEARINGS = {
    "2024-03-19": 46,
    "2025-02-05": 45,
    "2025-06-30": 64,
    "2025-07-07": 681,
    "2025-07-09": 693,
    "2025-07-10": 994,
    "2025-07-15": 776,
    "2025-07-17": 562,
    "2025-07-22": 740,
    "2025-07-23": 725,
    "2025-07-24": 569,
    "2025-07-28": 747,
    "2025-07-30": 853,
}


@pytest.mark.parametrize("day", HEARINGS)
def test_hearing(day, shared, sound):
    path = shared / "corpora" / "transcripts" / f"care-sector-hearing-{day}.txt"
    (document,) = sound(sources.read(path))
    names = re.findall(r"^\*\*([^*]+)\*\*:", path.read_text(), re.MULTILINE)
    assert len(names) == HEARINGS[day]
    merged = sum(name != before for before, name in zip(["", *names], names, strict=False))
    assert len(document.turns) == merged
    assert {turn.speaker for turn in document.turns} == set(names)
    assert not re.search(r"\*\*|\^\^\^|====", document.text)
    assert document.title[0].isdigit()


def test_water_interviews(shared, sound):
    path = shared / "corpora" / "transcripts" / "water-services-interviews.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    documents = sound(sources.read(path))
    assert len(documents) == len({(row["Set"], row["Interview"]) for row in rows}) == 32
    roles = Counter(turn.role for document in documents for turn in document.turns)
    assert roles["interviewer"] > 900
    assert roles["participant"] > 1000
    words = sum(len(row["Text"].split()) for row in rows)
    read = sum(len(one.text[turn.start : turn.end].split()) for one in documents for turn in one.turns)
    assert read == pytest.approx(words, rel=0.001)
