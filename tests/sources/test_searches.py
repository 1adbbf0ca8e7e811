"""Every search against the servers that stand for the services; a new search tests itself."""

import json
import math
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest

import services
from qinlp import sources
from qinlp.errors import SourceDown, SourceError
from qinlp.network import Budget, Client, Egress
from qinlp.records import Document, Rejected
from qinlp.sources import SEARCHES, europepmc, openalex, pubmed
from services import Chaos, Paper, Service, papers

DAY = date(2024, 1, 31)
NEXT = DAY + timedelta(days=1)
YEAR = date(2024, 1, 1), date(2024, 12, 31)


@pytest.fixture(params=SEARCHES)
def search(request, monkeypatch):
    for name in ("QINLP_EMAIL", "NCBI_EMAIL", "NCBI_API_KEY", "OPENALEX_API_KEY", "OPENALEX_DATES"):
        monkeypatch.delenv(name, raising=False)
    return SEARCHES[request.param]


@pytest.fixture
def small_pages(monkeypatch):
    for module in (europepmc, openalex, pubmed):
        monkeypatch.setattr(module, "A_PAGE", 20)


@pytest.fixture
def service(search):
    with Service(search.name) as running:
        yield running


def client(service, **more):
    asked = {"rate": math.inf, "budget": Budget(10_000, 5), "egress": Egress(), "patience": 0.001, **more}
    return Client(service.url, **asked)


def found(search, service, since, until, query="falls", **more):
    with client(service, **more) as asked:
        return [record for page in search.pages(asked, query, since, until) for record in page.records]


def numbers(documents):
    return sorted(int(one.title.rsplit("(", 1)[1].rstrip(").")) for one in documents)


def test_all_records_of_a_window_arrive_once_over_many_pages(search, service, small_pages):
    service.add(papers(1, 130, YEAR[0], 366))
    with client(service) as asked:
        pages = list(search.pages(asked, "falls", *YEAR))
        assert search.count(asked, "falls", *YEAR) == 130
    records = [record for page in pages for record in page.records]
    assert all(isinstance(one, Document) for one in records)
    assert numbers(records) == list(range(1, 131))
    assert len({one.record for one in records}) == 130
    assert {page.told for page in pages} == {130}
    assert [len(page.records) for page in pages if page.records] == [20] * 6 + [10]


def test_a_document_has_everything_that_was_said(search, service):
    paper = Paper(DAY, 7)
    service.add([paper])
    (one,) = found(search, service, DAY, DAY)
    assert (one.doi, one.pmid, one.year) == (paper.doi, paper.pmid, 2024)
    assert one.title.rstrip(".") == paper.title
    assert "p < 0.05" in one.text
    assert [section.name for section in one.sections] == ["Background", "Methods", "Results", "Conclusions"]
    assert len(one.authors) == len(paper.authors)
    assert one.journal == "Journal of Synthetic Care"
    assert one.language == "en"
    assert one.source == ""


def test_both_ends_of_a_window_belong_to_it(search, service):
    service.add([Paper(DAY + timedelta(days=n), 10 + n) for n in range(-1, 4)])
    assert numbers(found(search, service, DAY, DAY + timedelta(days=2))) == [10, 11, 12]
    assert numbers(found(search, service, DAY, DAY)) == [10]


@pytest.mark.parametrize("query", ["falls", "nothing"])
def test_a_window_without_records_is_one_empty_page(search, service, query):
    service.add(papers(1, 3, DAY) if query == "nothing" else [])
    with client(service) as asked:
        assert search.count(asked, query, DAY, DAY) == 0
        assert [(page.records, page.told) for page in search.pages(asked, query, DAY, DAY)] == [((), 0)]


def test_records_that_appear_while_pages_are_turned_do_not_shift_the_others(search, service, small_pages):
    service.add(papers(1, 110, DAY, 2))
    records = []
    with client(service) as asked:
        for number, page in enumerate(search.pages(asked, "falls", DAY, NEXT)):
            records += page.records
            service.add([Paper(DAY, -1 - number)])
    old = [one for one in numbers(records) if one > 0]
    assert old == list(range(1, 111))


def test_the_number_that_was_told_is_of_each_answer(search, service, small_pages):
    service.add(papers(1, 110, DAY))
    told = []
    with client(service) as asked:
        for page in search.pages(asked, "falls", DAY, DAY):
            told.append(page.told)
            if len(told) == 1:
                service.add([Paper(DAY, 5000)])
    assert told[0] == 110
    assert set(told[1:]) == {110 if search.name == "pubmed" else 111}  # PubMed tells once


@pytest.mark.parametrize("fault", services.FAULTS)
def test_what_passes_is_asked_again(search, service, fault):
    service.add(papers(1, 20, DAY))
    service.faults.extend([fault, fault])
    assert numbers(found(search, service, DAY, DAY)) == list(range(1, 21))
    assert not service.faults


@pytest.mark.parametrize("fault", services.FAULTS)
def test_what_does_not_pass_is_told(search, service, fault):
    service.add(papers(1, 20, DAY))
    service.faults.extend([fault] * 3)
    host = service.url.split("/")[2]
    with pytest.raises(
        SourceDown, match=rf"^{host}: 'falls': no answer in 3 tries, .*a later run catches up$"
    ):
        found(search, service, DAY, DAY, tries=3)
    assert len(service.requests) == 3


def test_a_third_of_requests_going_wrong_loses_nothing(search, service, small_pages):
    service.add(papers(1, 300, DAY, 3))
    service.chaos = Chaos(0.3, seed=3)
    assert numbers(found(search, service, DAY, DAY + timedelta(days=3), tries=15)) == list(range(1, 301))


def test_a_refusal_is_told_in_the_services_words_without_the_key(search, service, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    for name in ("NCBI_API_KEY", "OPENALEX_API_KEY"):
        monkeypatch.setenv(name, "s3cr3t/+key")
    service.key = "" if search.name == "europepmc" else "another"
    if search.name == "europepmc":
        with pytest.raises(SourceError, match=r"'\(falls': refused: 400 Invalid query syntax") as refused:
            found(search, service, DAY, DAY, "(falls")
    else:
        with pytest.raises(SourceError, match=r"'falls': refused: status 40\d, API key invalid") as refused:
            found(search, service, DAY, DAY)
        assert service.requests[-1].parameters["api_key"] == "s3cr3t/+key"
    assert not isinstance(refused.value, SourceDown)
    assert len(service.requests) == 1
    assert "s3cr3t" not in f"{refused.value}{caplog.text}{refused.value.__cause__}"
    assert "HTTP Request" in caplog.text


def test_a_record_that_the_parser_trips_over_is_rejected_with_its_bytes(search, service, monkeypatch):
    service.add(papers(1, 30, DAY))
    module = {"europepmc": europepmc, "pubmed": pubmed, "openalex": openalex}[search.name]
    parser = "_record" if search.name == "pubmed" else "document"
    sound = getattr(module, parser)

    def trips(raw, source, record):
        one = sound(raw, source, record)
        if "(13)" in one.title:
            raise KeyError("no such thing")
        return one

    monkeypatch.setattr(module, parser, trips)
    records = found(search, service, DAY, DAY)
    (bad,) = [one for one in records if isinstance(one, Rejected)]
    assert numbers(one for one in records if isinstance(one, Document)) == [*range(1, 13), *range(14, 31)]
    assert "KeyError" in bad.reason
    assert bad.record
    monkeypatch.setattr(module, parser, sound)
    again = search.reread(bad.raw, bad.record)
    assert numbers([again]) == [13]
    assert (again.record, again.source) == (bad.record, "")


def test_reading_again_what_is_still_broken_rejects_it_again(search):
    again = search.reread(b"{<broken", "7")
    assert (again.record, again.raw) == ("7", b"{<broken")


def test_a_spent_budget_stops_between_pages(search, service, small_pages):
    service.add(papers(1, 100, DAY))
    with client(service, budget=Budget(3, 5)) as asked:
        pages = search.pages(asked, "falls", DAY, DAY)
        arrived = [next(pages) for _ in range(2)]
        with pytest.raises(SourceDown, match=r"3 of 3 requests.*raise network\.requests"):
            list(pages)
    assert sum(len(page.records) for page in arrived) >= 20


def test_a_long_query_arrives_whole(search, service):
    query = " OR ".join(f'"barrier number {n}"' for n in range(150))
    with client(service) as asked:
        search.count(asked, query, DAY, DAY)
    assert query in json.dumps(service.requests[-1].parameters).replace('\\"', '"')


def test_a_preprint_and_its_article_name_each_other(search, service):
    service.add([Paper(DAY, 50, preprint_of=60), Paper(DAY, 60, preprint=50), Paper(DAY, 70)])
    records = {one.doi: one for one in found(search, service, DAY, DAY)}
    preprint, article, other = (
        records[f"10.5555/{name}"] for name in ("preprint.50", "paper.60", "paper.70")
    )
    preprints_id = {"europepmc": "epmc:PPR/PPR50", "pubmed": "pmid:30000050"}.get(
        search.name, "doi:10.5555/preprint.50"
    )
    articles_id = "doi:10.5555/paper.60" if search.name == "openalex" else "pmid:30000060"
    assert preprint.metadata["preprint"] is True
    assert preprint.metadata["related"] == [{"type": "preprint of", "id": articles_id}]
    assert "preprint" not in article.metadata
    assert article.metadata["related"] == [{"type": "published as", "id": preprints_id}]
    assert not {"preprint", "related"} & set(other.metadata)


def test_who_asks_is_told(search, service, monkeypatch):
    monkeypatch.setenv("QINLP_EMAIL", "me@example.org")
    found(search, service, DAY, DAY)
    asked = service.requests[-1]
    assert asked.headers["User-Agent"].startswith("qinlp/")
    assert "(mailto:me@example.org)" in asked.headers["User-Agent"]
    said = asked.parameters.get("mailto" if search.name == "openalex" else "email")
    assert said == "me@example.org"


def test_keys_and_rates_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("NCBI_API_KEY", raising=False)
    assert {name: search.rate() for name, search in SEARCHES.items()} == {
        "europepmc": 5, "pubmed": 3, "openalex": 10,
    }  # fmt: skip
    monkeypatch.setenv("NCBI_API_KEY", "k")
    assert SEARCHES["pubmed"].rate() == 10


@pytest.mark.parametrize("ending", ["absent", "same"])
def test_europe_pmc_ends_without_a_next_cursor_or_with_the_same(ending):
    with Service("europepmc", papers(1, 1000, DAY)) as service:
        service.last_cursor = ending
        assert len(found(SEARCHES["europepmc"], service, DAY, DAY)) == 1000
        assert len(service.requests) == {"absent": 2, "same": 3}[ending]


def test_openalex_takes_words_or_a_filter(monkeypatch):
    monkeypatch.delenv("OPENALEX_DATES", raising=False)
    search = SEARCHES["openalex"]
    dates = "from_publication_date:2024-01-31,to_publication_date:2024-01-31"
    with Service("openalex", papers(1, 2, DAY)) as service, client(service) as asked:
        assert search.count(asked, "barriers: a review", DAY, DAY) == 2
        assert search.count(asked, "title_and_abstract.search:falls,type:article", DAY, DAY) == 2
        monkeypatch.setenv("OPENALEX_DATES", "created")
        assert search.count(asked, "falls", DAY, DAY) == 2
        words, filtered, created = (request.parameters for request in service.requests)
        assert (words["search"], words["filter"]) == ("barriers: a review", dates)
        assert "search" not in filtered
        assert filtered["filter"] == f"title_and_abstract.search:falls,type:article,{dates}"
        assert created["filter"] == dates.replace("publication", "created")
        with pytest.raises(SourceError, match=r"refused: status 400, titel is not a valid field"):
            search.count(asked, "titel:falls", DAY, DAY)


def broken(number):
    return Paper(DAY, number, raw=b"<PubmedArticle><MedlineCitation><PMID>1</PMID")


@pytest.mark.parametrize("bad", [{77}, {77, 78}, {1, 200}, {201}])
def test_pubmed_records_that_break_an_answer_are_found_and_rejected(bad):
    kept = [paper for paper in papers(1, 230, DAY) if paper.number not in bad]
    with Service("pubmed", [*kept, *map(broken, bad)]) as service:
        records = found(SEARCHES["pubmed"], service, DAY, DAY, tries=2)
    assert numbers(one for one in records if isinstance(one, Document)) == [one.number for one in kept]
    rejected = [one for one in records if isinstance(one, Rejected)]
    assert {int(one.record) for one in rejected} == {30_000_000 + number for number in bad}
    assert all(b"<PubmedArticle><MedlineCitation>" in one.raw for one in rejected)
    assert [one.record for one in records] == sorted((one.record for one in records), reverse=True)


def test_pubmed_records_are_fetched_from_its_history_and_by_name_where_that_has_gone():
    with Service("pubmed", papers(1, 450, DAY)) as service, client(service, tries=2) as asked:
        pages = SEARCHES["pubmed"].pages(asked, "falls", DAY, DAY)
        records = list(next(pages).records)
        service.history.clear()
        records += [one for page in pages for one in page.records]
        fetched = [one.parameters for one in service.requests if one.path.endswith("efetch.fcgi")]
    assert len({one.record for one in records}) == 450
    assert ["id" in one for one in fetched] == [False, False, True, False, True]
    assert fetched[0]["WebEnv"]
    assert (fetched[0]["retstart"], fetched[0]["retmax"]) == ("0", "200")


def test_pubmed_giving_no_record_for_a_number_it_found_is_told():
    with Service("pubmed", papers(1, 20, DAY)) as service:
        del service._numbers[7]
        records = found(SEARCHES["pubmed"], service, DAY, DAY, tries=2)
    (rejected,) = [one for one in records if isinstance(one, Rejected)]
    assert (len(records), rejected.record) == (20, "30000007")


def test_pubmed_being_down_rejects_no_records():
    with Service("pubmed", papers(1, 200, DAY)) as service, client(service, tries=2) as asked:
        pages = SEARCHES["pubmed"].pages(asked, "falls", DAY, DAY)
        service.faults.extend(["", *["page"] * 1000])
        with pytest.raises(SourceDown, match="no answer in 3 tries, at last: a garbled answer"):
            list(pages)
        assert len(service.requests) < 50


def test_pubmed_holding_back_records_of_a_window_is_told():
    with Service("pubmed", papers(1, 10_001, DAY)) as service, client(service) as asked:
        search = SEARCHES["pubmed"]
        assert search.most == services.PUBMED_GIVES
        assert search.count(asked, "falls", DAY, DAY) == 10_001
        with pytest.raises(SourceError, match=r"10,001 records .* gives the first 9,999; narrow the query"):
            next(search.pages(asked, "falls", DAY, DAY))


def test_pubmed_not_knowing_a_phrase_is_no_error_but_logged(caplog):
    with Service("pubmed", papers(1, 3, DAY)) as service:
        with client(service) as asked:
            assert SEARCHES["pubmed"].count(asked, "nothing[tiab]", DAY, DAY) == 0
        assert "does not know a part of the query" in caplog.text
        with pytest.raises(SourceError, match="refused: Invalid query: unbalanced"):
            found(SEARCHES["pubmed"], service, DAY, DAY, "(falls")


def test_pubmed_links_versions_of_a_review_to_no_preprint():
    update = services._correction("UpdateOf", "Cochrane Database Syst Rev. 2016;12:CD005296", "27905673")
    raw = services._article(Paper(DAY, 5)).replace("</Article>", f"</Article>{update}").encode()
    with Service("pubmed", [Paper(DAY, 5, raw=raw)]) as service:
        (one,) = found(SEARCHES["pubmed"], service, DAY, DAY)
    assert "related" not in one.metadata


REAL = {
    "metasearch_europepmc.json": ("europepmc", lambda found: found["resultList"]["result"]),
    "metasearch_openalex.json": ("openalex", lambda found: found["results"]),
    "littriage_openalex_work.json": ("openalex", lambda found: [found]),
    "preprint_openalex_work.json": ("openalex", lambda found: [found]),
}


@pytest.mark.parametrize("file", REAL)
def test_real_records_are_read_as_from_a_file(file, shared):
    name, listed = REAL[file]
    path = shared / "exports" / file
    raw = listed(json.loads(path.read_text("utf-8")))
    with Service(name, [Paper(DAY, number, raw=one) for number, one in enumerate(raw)]) as service:
        searched = found(SEARCHES[name], service, DAY, DAY)
    assert bare(searched) == bare(sources.read(path))


def test_a_real_pubmed_record_is_read_as_from_a_file(shared):
    path = shared / "exports" / "biopython_pubmed4.xml"
    text = path.read_bytes()
    raw = text[text.index(b"<PubmedArticle>") : text.index(b"</PubmedArticle>") + len(b"</PubmedArticle>")]
    with Service("pubmed", [Paper(DAY, 27797938 - 30_000_000, raw=raw)]) as service:
        searched = found(SEARCHES["pubmed"], service, DAY, DAY)
    assert bare(searched) == bare(sources.read(path))


def bare(records):
    return [replace(one, source="", record="") for one in records]


def test_chaos_is_as_strong_as_asked_and_the_same_each_time():
    faults = [fault for _, fault in zip(range(2000), Chaos(0.25, seed=1), strict=False)]
    again = [fault for _, fault in zip(range(2000), Chaos(0.25, seed=1), strict=False)]
    assert faults == again
    counted = Counter(faults)
    assert 0.2 < 1 - counted[""] / 2000 < 0.3
    assert set(counted) == {"", *services.FAULTS}
