"""Europe PMC, PubMed and OpenAlex on this machine: real servers that answer as their documentation says.

    with Service("pubmed", papers(1, 500, day)) as service:
        service.url        # the base URL of a search
        service.add(...)   # records that are taken in while it runs
        service.requests   # what it was asked
        service.faults     # what goes wrong with the next requests, one after another
        service.chaos      # what goes wrong at random

A paper is a number and the day it was taken in; its words are made when they are asked for, so that
fifty thousand take no room. The same paper in several services has the same identifiers.
As a program: `python tests/services.py pubmed --records 50000`, which prints its URL and runs.
"""

import argparse
import base64
import json
import random
import re
import threading
from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

TOPICS = (
    "fall prevention", "hand hygiene", "early warning scores", "shared decision making", "sepsis bundles",
    "telehealth follow-up", "medication review", "discharge planning", "stroke care",
    "delirium care",
)  # fmt: skip
SETTINGS = ("nursing homes", "surgical wards", "primary care", "community clinics", "emergency departments")
BARRIERS = (
    "Staff had no time to fill in the forms at night.",
    "The equipment that was promised never came.",
    "Managers changed twice, and nobody knew who was responsible.",
    "Clinicians doubted that the new routine would do more good than the old one.",
    "The electronic record had no field for it, so the work was done twice.",
)
ENABLERS = (
    "Local champions reminded their colleagues and made the change easier.",
    "A clear mandate from the management helped the teams to carry on.",
    "Weekly feedback on their own figures kept people interested.",
    "Training at the bedside gave nurses the confidence to begin.",
    "Peers who had tried it themselves convinced the doubtful.",
)
FAMILIES = ("Berg", "Lund", "Okafor", "Nguyen", "García", "Müller", "Silva", "Kowalska", "Tanaka", "Haddad")


@dataclass(frozen=True, order=True, slots=True)
class Paper:
    """One record of a service."""

    day: date
    """When the service took it in."""
    number: int
    """Names it, here and in its identifiers."""
    preprint_of: int = field(default=0, compare=False)
    """The number of the paper that this preprint became."""
    preprint: int = field(default=0, compare=False)
    """The number of the preprint that became this paper."""
    bare: bool = field(default=False, compare=False)
    """Whether it carries the service's own identifier alone, no DOI."""
    raw: Any = field(default=None, compare=False)
    """Given out as it is, in the place of what is made: a dict or other JSON value, or XML as bytes."""

    @property
    def own(self):
        """The paper whose words it says: a preprint says what the article says."""
        return self.preprint_of or self.number

    @property
    def doi(self):
        return f"10.5555/{'preprint' if self.preprint_of else 'paper'}.{self.number}"

    @property
    def pmid(self):
        return str(30_000_000 + self.number)

    @property
    def ppr(self):
        return f"PPR{self.number}"

    @property
    def work(self):
        return f"W{4_000_000_000 + self.number}"

    @property
    def title(self):
        chance = random.Random(self.own)
        return f"Implementing {chance.choice(TOPICS)} in {chance.choice(SETTINGS)}: a study ({self.own})"

    @property
    def abstract(self):
        """About 150 words in four parts."""
        chance = random.Random(self.own)
        topic, place = chance.choice(TOPICS), chance.choice(SETTINGS)
        said = [*chance.sample(BARRIERS, 3), *chance.sample(ENABLERS, 3)]
        chance.shuffle(said)
        return (
            f"Background: Much is known about {topic}, and little about why it is not done in {place}. "
            f"Methods: We interviewed {chance.randint(10, 60)} people in {place} and analysed what they said "
            f"with the Consolidated Framework for Implementation Research. Results: {' '.join(said)} "
            f"Conclusions: {topic.capitalize()} in {place} asks for time and for leaders who stay. "
            f"Record {self.own} was written for a test & says p < 0.05."
        )

    @property
    def authors(self):
        chance = random.Random(-self.own)
        return [(chance.choice(FAMILIES), chance.choice("ABCDEFG")) for _ in range(chance.randint(1, 5))]

    @property
    def year(self):
        return self.day.year


def papers(first, count, since, days=1, **more):
    """Make so many papers, numbered from `first`, spread over the days from `since`."""
    return [
        Paper(since + timedelta(days=place * days // count), first + place, **more) for place in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Request:
    """What a service was asked."""

    method: str
    path: str
    parameters: dict
    headers: dict


FAULTS = ("throttled", "failing", "truncated", "page", "dropped")
"""429 with Retry-After; 500; an answer cut off in its middle; an HTML page with status 200; no answer."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """What share of requests goes wrong, in which ways, by chance."""

    share: float
    seed: int = 0
    faults: tuple = FAULTS

    def __iter__(self):
        """Yield what goes wrong with one request after another, "" for nothing."""
        chance = random.Random(self.seed)
        while True:
            yield chance.choice(self.faults) if chance.random() < self.share else ""


class Service:
    """One of the three, on a free port of this machine; it runs inside a `with` statement."""

    def __init__(self, name, records=(), *, chaos=None, retry_after="0", port=0):
        self.name = name
        self.retry_after = retry_after
        self.requests = []
        self.gone_wrong = 0
        """How many of them were answered wrongly on purpose."""
        self.faults = deque()
        self.chaos = chaos
        self.key = ""
        """Where it is set, a request with another api_key is refused."""
        self.history = {}
        """What PubMed's history server keeps; a test that clears it lets it expire."""
        self.last_cursor = "absent"
        """How Europe PMC ends a search: no next cursor, or the `same` one again after an empty page."""
        self._lock = threading.RLock()
        self._records = []
        self._numbers = {}
        self.add(records)
        self._api = {"europepmc": _europepmc, "pubmed": _pubmed, "openalex": _openalex}[name]
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._server.service = self

    def __enter__(self):
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}{_BASES[self.name]}"

    @property
    def chaos(self):
        return self._chaos

    @chaos.setter
    def chaos(self, chaos):
        self._chaos = chaos
        self._chances = iter(chaos) if chaos else None

    def add(self, records):
        """Take records in, each on its day."""
        with self._lock:
            for record in records:
                insort(self._records, record)
                self._numbers[record.number] = record

    @property
    def papers(self):
        """All that it has taken in."""
        with self._lock:
            return list(self._records)

    def window(self, since, until):
        """Return the records of these days, both included, in order."""
        with self._lock:
            start = bisect_left(self._records, since, key=lambda one: one.day)
            end = bisect_right(self._records, until, key=lambda one: one.day)
            return self._records[start:end]

    def by_number(self, number):
        with self._lock:
            return self._numbers.get(number)

    def answer(self, request):
        """Return status, content type, body and fault for one request."""
        with self._lock:
            self.requests.append(request)
            fault = self.faults.popleft() if self.faults else next(self._chances) if self._chances else ""
            self.gone_wrong += bool(fault)
        if fault == "throttled":
            return 429, "application/json", json.dumps(_THROTTLED[self.name]).encode(), fault
        if fault == "failing":
            return 500, "text/html", b"<html><body><h1>Internal Server Error</h1></body></html>", fault
        if fault == "page":
            return 200, "text/html", b"<!DOCTYPE html><html><body>We are down for maintenance", fault
        if self.key and request.parameters.get("api_key", "") != self.key:
            said = {"error": "API key invalid", "api-key": request.parameters.get("api_key", "")}
            return 401 if self.name == "openalex" else 400, "application/json", json.dumps(said).encode(), ""
        return *self._api(self, request), fault


_BASES = {"europepmc": "/europepmc/webservices/rest", "pubmed": "/entrez/eutils", "openalex": ""}
_THROTTLED = {
    "europepmc": {"errCode": 429, "errMsg": "Too many requests"},
    "pubmed": {"error": "API rate limit exceeded", "api-key": "127.0.0.1", "count": "4", "limit": "3"},
    "openalex": {"error": "Rate limit exceeded", "message": "Too many requests per second"},
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer's head and body go out together

    def do_GET(self):
        self._answer({})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(parse_qs(body.decode(), keep_blank_values=True))

    def _answer(self, form):
        service = self.server.service
        parts = urlsplit(self.path)
        asked = {
            key: values[0]
            for key, values in {**parse_qs(parts.query, keep_blank_values=True), **form}.items()
        }
        path = parts.path.removeprefix(_BASES[service.name])
        request = Request(self.command, path, asked, dict(self.headers))
        status, kind, body, fault = service.answer(request)
        if fault == "dropped":
            self.close_connection = True
            return
        if fault == "truncated":
            body = body[: len(body) // 2]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-RateLimit-Limit", "10")
        self.send_header("X-RateLimit-Remaining", "0" if status == 429 else "9")
        if status == 429:
            self.send_header("Retry-After", service.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _json(found, status=200):
    return status, "application/json;charset=utf-8", json.dumps(found, ensure_ascii=False).encode()


def _finds(query):
    """Return whether the words of a query find the records of a window: all, unless it says `nothing`."""
    return "nothing" not in query


def _balanced(query):
    return query.count("(") == query.count(")") and query.count('"') % 2 == 0


def _cursor(paper):
    return base64.b64encode(f"{paper.day}/{paper.number}".encode()).decode()


def _after(found, cursor):
    """Return what comes after the record that a cursor names; new ones before it are not seen."""
    if cursor == "*":
        return found
    day, number = base64.b64decode(cursor).decode().split("/")
    return found[bisect_right(found, Paper(date.fromisoformat(day), int(number))) :]


def _europepmc(service, request):
    """Answer /search: https://europepmc.org/RestfulWebService."""
    asked = request.parameters
    version = {"version": "6.9"}
    query = asked.get("query", "")
    if request.path not in {"/search", "/searchPOST"}:
        return _json({**version, "errCode": 404, "errMsg": "The requested resource is not available"}, 404)
    if not query or not _balanced(query):
        return _json({**version, "errCode": 400, "errMsg": f"Invalid query syntax: {query}"})
    size = int(asked.get("pageSize", "25"))
    if not 1 <= size <= 1000:
        return _json({**version, "errCode": 400, "errMsg": "pageSize must be between 1 and 1000"})
    window = re.search(r"FIRST_IDATE:\[(\S+) TO (\S+)\]", query)
    found = service.window(*map(date.fromisoformat, window.groups())) if window and _finds(query) else []
    cursor = asked.get("cursorMark", "*")
    rest = _after(found, cursor)
    page = rest[:size]
    answer = {**version, "hitCount": len(found)}
    last = len(rest) <= size
    if page and not (last and service.last_cursor == "absent"):
        answer["nextCursorMark"] = _cursor(page[-1])
    elif not page and service.last_cursor == "same":
        answer["nextCursorMark"] = cursor
    answer["request"] = {
        "queryString": query,
        "resultType": asked.get("resultType", "lite"),
        "pageSize": size,
    }
    kind = _europepmc_result if asked.get("resultType") == "core" else _europepmc_id
    return _json({**answer, "resultList": {"result": [kind(paper) for paper in page]}})


def _europepmc_id(paper):
    if paper.preprint_of:
        return {"id": paper.ppr, "source": "PPR"}
    return {"id": paper.pmid, "source": "MED", "pmid": paper.pmid}


def _europepmc_result(paper):
    if paper.raw is not None:
        return paper.raw
    links = []
    if paper.preprint_of:
        published = Paper(paper.day, paper.preprint_of).pmid
        links = [{"id": published, "source": "MED", "type": "Preprint of", "orderIn": 10001}]
    elif paper.preprint:
        links = [{"id": f"PPR{paper.preprint}", "source": "PPR", "type": "Preprint in", "orderIn": 10002}]
    return {
        **_europepmc_id(paper),
        **({} if paper.bare else {"doi": paper.doi}),
        "title": f"{paper.title}.",
        "authorString": ", ".join(f"{family} {first}" for family, first in paper.authors) + ".",
        "authorList": {
            "author": [
                {
                    "fullName": f"{family} {first}",
                    "firstName": first,
                    "lastName": family,
                    "initials": first,
                }
                for family, first in paper.authors
            ]
        },
        **(
            {"bookOrReportDetails": {"publisher": "medRxiv"}}
            if paper.preprint_of
            else {
                "journalInfo": {
                    "volume": "1",
                    "journal": {"title": "Journal of Synthetic Care", "issn": "0000-0000"},
                }
            }
        ),
        "pubYear": str(paper.year),
        "abstractText": escape(paper.abstract),
        "language": "eng",
        "pubTypeList": {"pubType": ["Preprint" if paper.preprint_of else "Journal Article"]},
        "keywordList": {"keyword": ["Implementation"]},
        **({"commentCorrectionList": {"commentCorrection": links}} if links else {}),
        "firstIndexDate": paper.day.isoformat(),
        "firstPublicationDate": paper.day.isoformat(),
    }


PUBMED_GIVES = 9_999


def _pubmed(service, request):
    """Answer esearch and efetch: https://www.ncbi.nlm.nih.gov/books/NBK25499/."""
    asked = request.parameters
    if asked.get("db") != "pubmed":
        return _json({"error": "Invalid db name specified"}, 400)
    if request.path == "/esearch.fcgi":
        return _esearch(service, asked)
    if request.path == "/efetch.fcgi":
        return _efetch(service, asked)
    return 404, "text/html", b"<html><body>Not Found</body></html>"


def _esearch(service, asked):
    def told(result):
        return _json({"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result})

    term = asked.get("term", "")
    start, most = int(asked.get("retstart", "0")), int(asked.get("retmax", "20"))
    if start >= PUBMED_GIVES:
        return told(
            {
                "ERROR": "Search Backend failed: Exception:\n'retstart' cannot be larger than 9998. "
                "For PubMed, ESearch can only retrieve the first 9,999 records matching the query."
            }
        )
    if not _balanced(term):
        return told({"ERROR": f"Invalid query: unbalanced parentheses or quotes in {term}"})
    window = re.search(r'"(\d+)/(\d+)/(\d+)"\[crdt\] : "(\d+)/(\d+)/(\d+)"\[crdt\]', term)
    found = []
    if window and _finds(term):
        year, month, day, *until = map(int, window.groups())
        found = service.window(date(year, month, day), date(*until))[::-1]  # the newest first
    result = {
        "count": str(len(found)),
        "retmax": str(min(most, len(found))),
        "retstart": str(start),
        "idlist": [paper.pmid for paper in found[:PUBMED_GIVES][start : start + most]],
        "translationset": [],
        "querytranslation": term,
    }
    if asked.get("usehistory") == "y":
        key = f"MCID_{len(service.history):024x}"
        service.history[key] = [paper.pmid for paper in found[:PUBMED_GIVES]]
        result |= {"querykey": "1", "webenv": key}
    if not _finds(term):
        result["errorlist"] = {"phrasesnotfound": ["nothing"], "fieldsnotfound": []}
        result["warninglist"] = {"phrasesignored": [], "outputmessages": ["No items found."]}
    return told(result)


def _efetch(service, asked):
    pmids = asked.get("id", "").split(",")
    if key := asked.get("WebEnv"):
        if key not in service.history or asked.get("query_key") != "1":
            said = f"<ERROR>Cannot retrieve history data. query_key: 1, WebEnv: {key}</ERROR>"
            return 400, "text/xml", f"<eFetchResult>{said}</eFetchResult>".encode()
        start, most = int(asked.get("retstart", "0")), int(asked.get("retmax", "20"))
        pmids = service.history[key][start : start + most]
    numbers = [int(pmid) - 30_000_000 for pmid in pmids if pmid.isdecimal()]
    found = [paper for number in numbers if (paper := service.by_number(number))]
    if not found:
        return (
            400,
            "text/xml",
            b"<eFetchResult><ERROR>ID list is empty! Possibly it has no correct IDs.</ERROR></eFetchResult>",
        )
    head = (
        '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC '
        '"-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
    )
    body = b"\n".join(paper.raw if paper.raw is not None else _article(paper).encode() for paper in found)
    return 200, "text/xml; charset=UTF-8", head.encode() + body + b"\n</PubmedArticleSet>\n"


def _article(paper):
    parts = re.findall(r"(\w+): (.*?)(?= \w+: |$)", paper.abstract)
    abstract = "".join(
        f'<AbstractText Label="{label.upper()}">{escape(words)}</AbstractText>' for label, words in parts
    )
    people = "".join(
        f'<Author ValidYN="Y"><LastName>{family}</LastName><ForeName>{first}</ForeName>'
        f"<Initials>{first}</Initials></Author>"
        for family, first in paper.authors
    )
    doi = "" if paper.bare else f'<ArticleId IdType="doi">{paper.doi}</ArticleId>'
    link = ""
    if paper.preprint_of:
        other = Paper(paper.day, paper.preprint_of)
        link = _correction("UpdateIn", f"J Synth Care. {paper.year};1. doi: {other.doi}", other.pmid)
    elif paper.preprint:
        other = Paper(paper.day, paper.preprint, preprint_of=paper.number)
        link = _correction("UpdateOf", f"medRxiv. {paper.year} Jan 1. doi: {other.doi}.", other.pmid)
    day = f"<Year>{paper.day.year}</Year><Month>{paper.day.month:02}</Month><Day>{paper.day.day:02}</Day>"
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{paper.pmid}</PMID>'
        f"<DateRevised>{day}</DateRevised>"
        f'<Article PubModel="Print"><Journal><ISSN IssnType="Electronic">0000-0000</ISSN><JournalIssue '
        f'CitedMedium="Internet"><Volume>1</Volume><PubDate><Year>{paper.year}</Year></PubDate></JournalIssue>'
        f"<Title>{'medRxiv' if paper.preprint_of else 'Journal of Synthetic Care'}</Title></Journal>"
        f"<ArticleTitle>{escape(paper.title)}.</ArticleTitle><Abstract>{abstract}</Abstract>"
        f'<AuthorList CompleteYN="Y">{people}</AuthorList><Language>eng</Language><PublicationTypeList>'
        f"<PublicationType>{'Preprint' if paper.preprint_of else 'Journal Article'}</PublicationType>"
        f"</PublicationTypeList></Article>{link}</MedlineCitation><PubmedData><History>"
        f'<PubMedPubDate PubStatus="entrez">{day}</PubMedPubDate></History><ArticleIdList>'
        f'<ArticleId IdType="pubmed">{paper.pmid}</ArticleId>{doi}</ArticleIdList></PubmedData>'
        "</PubmedArticle>"
    )


def _correction(kind, cited, pmid):
    return (
        f'<CommentsCorrectionsList><CommentsCorrections RefType="{kind}"><RefSource>{cited}</RefSource>'
        f'<PMID Version="1">{pmid}</PMID></CommentsCorrections></CommentsCorrectionsList>'
    )


def _openalex(service, request):
    """Answer /works: https://developers.openalex.org/guides/page-through-results."""
    asked = request.parameters
    if request.path != "/works":
        return _json({"error": "Not found", "message": "The requested URL was not found"}, 404)
    filters = dict(one.split(":", 1) for one in asked.get("filter", "").split(",") if ":" in one)
    known = r"(from|to)_(publication|created)_date|title_and_abstract\.search|type|language"
    for name in filters:
        if not re.fullmatch(known, name):
            said = f"{name} is not a valid field. Valid fields are: type, language, ..."
            return _json({"error": "Invalid query parameters error.", "message": said}, 400)
    size = int(asked.get("per_page", "25"))
    if not 1 <= size <= 100:
        return _json({"error": "Pagination error.", "message": "per_page must be between 1 and 100"}, 400)
    kind = "created" if "from_created_date" in filters else "publication"
    since, until = (date.fromisoformat(filters[f"{end}_{kind}_date"]) for end in ("from", "to"))
    words = asked.get("search", "") + filters.get("title_and_abstract.search", "")
    found = service.window(since, until) if _finds(words) else []
    meta = {"count": len(found), "db_response_time_ms": 3, "page": None, "per_page": size}
    page = found[:size]
    if "cursor" in asked:
        page = _after(found, asked["cursor"])[:size]
        meta["next_cursor"] = _cursor(page[-1]) if page else None
    return _json({"meta": meta, "results": [_work(paper) for paper in page], "group_by": []})


def _work(paper):
    if paper.raw is not None:
        return paper.raw
    index = {}
    for place, word in enumerate(paper.abstract.split()):
        index.setdefault(word, []).append(place)
    journal = {"display_name": "Journal of Synthetic Care", "type": "journal"}
    server = {"display_name": "medRxiv", "type": "repository"}
    published = {"version": "publishedVersion", "source": journal}
    submitted = {"version": "submittedVersion", "source": server}
    own = {
        **(submitted if paper.preprint_of else published),
        "landing_page_url": f"https://doi.org/{paper.doi}",
    }
    locations = [own]
    if paper.preprint_of:
        other = Paper(paper.day, paper.preprint_of)
        locations.append({**published, "landing_page_url": f"https://doi.org/{other.doi}"})
    elif paper.preprint:
        other = Paper(paper.day, paper.preprint, preprint_of=paper.number)
        locations.append({**submitted, "landing_page_url": f"https://doi.org/{other.doi}"})
    ids = {"openalex": f"https://openalex.org/{paper.work}"}
    if not paper.bare:
        ids |= {
            "doi": f"https://doi.org/{paper.doi}",
            "pmid": f"https://pubmed.ncbi.nlm.nih.gov/{paper.pmid}",
        }
    return {
        "id": f"https://openalex.org/{paper.work}",
        "doi": None if paper.bare else f"https://doi.org/{paper.doi}",
        "title": paper.title,
        "display_name": paper.title,
        "publication_year": paper.year,
        "publication_date": paper.day.isoformat(),
        "ids": ids,
        "language": "en",
        "primary_location": own,
        "locations": locations,
        "type": "preprint" if paper.preprint_of else "article",
        "authorships": [{"author": {"display_name": f"{first} {family}"}} for family, first in paper.authors],
        "cited_by_count": 0,
        "biblio": {"volume": "1", "issue": None},
        "keywords": [{"display_name": "Implementation"}],
        "abstract_inverted_index": index,
        "created_date": paper.day.isoformat(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", choices=sorted(_BASES))
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1, help="the number of the first record")
    parser.add_argument("--since", type=date.fromisoformat, default=date(2024, 1, 1))
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--chaos", type=float, default=0.0, help="share of requests that go wrong")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    made = papers(given.first, given.records, given.since, given.days)
    chaos = Chaos(given.chaos) if given.chaos else None
    with Service(given.name, made, chaos=chaos, port=given.port) as service:
        print(service.url, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
