"""What leaves the machine: questions to the searched services, no word of a document; and it is counted."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus, urlsplit

import pytest

import fake
from qinlp.store import Store
from services import Service, papers

pytestmark = pytest.mark.flows

SITE = """
import json, os, sys

def note(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        with open(os.environ["CONNECTED"], "a") as out:
            out.write(json.dumps([str(args[1][0]), args[1][1]]) + chr(10))

sys.addaudithook(note)
"""
"""Notes every address that a process connects to, Prefect's own processes too."""


class Proxy:
    """Passes requests on and keeps every byte of them."""

    def __init__(self):
        self.seen = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                to = urlsplit(self.path)
                head = f"{self.command} {self.path}\n{self.headers}\n"
                proxy.seen.append((to.netloc, head.encode() + body))
                con = http.client.HTTPConnection(to.netloc, timeout=60)
                try:
                    headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
                    con.request(self.command, to._replace(scheme="", netloc="").geturl(), body, headers)
                    answer = con.getresponse()
                    told = answer.read()
                except OSError:  # Prefect asks its server from the moment that it starts it
                    self.send_error(503)
                    return
                finally:
                    con.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.pass_on
                raise AttributeError(name)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def spoken(text, n=4):
    """Return every run of `n` words of a text."""
    words = re.findall(r"\w+", text.casefold())
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def plain(request):
    """Return what a request says, as words: percent signs and JSON escapes undone."""
    text = unquote_plus(request.decode("utf-8", "replace"))
    return " ".join(re.findall(r"\w+", text.replace("\\n", " ").casefold()))


@pytest.fixture(scope="module")
def night(tmp_path_factory, model_folder):
    """Run a night behind a recording proxy; return the project, what went out, where to, and the services."""
    home = tmp_path_factory.mktemp("egress")
    project = fake.write_project(home / "project")
    day = datetime.now(UTC).date()
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(SITE, "utf-8")
    own = fake.environment(model_folder, home)
    own = {k: v for k, v in own.items() if not k.lower().endswith("_proxy")}
    paths = [str(home / "site"), os.environ.get("PYTHONPATH", "")]
    with (
        Proxy() as proxy,
        Service("europepmc", papers(1, 9, day)) as one,
        Service("pubmed", papers(5, 9, day)) as two,
    ):
        with (project / "qinlp.toml").open("a") as out:
            for service in (one, two):
                out.write(
                    f'[[search]]\nname = "falls-{service.name}"\nsource = "{service.name}"\n'
                    f'query = "fall prevention"\nsince = {day}\nbase_url = "{service.url}"\n'
                )
        own |= {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)), "CONNECTED": str(home / "connected"),
            "HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "QINLP_EMAIL": "me@example.org",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, fake.__file__, "--project", project, "run", "nightly"],
            env=own, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        services = {urlsplit(s.url).netloc: len(s.requests) for s in (one, two)}
    connected = [json.loads(line) for line in (home / "connected").read_text("utf-8").splitlines()]
    return project, proxy.seen, connected, services


def test_the_night_brought_papers_and_interviews(night):
    project, _, _, _ = night
    with Store(project / "qinlp.duckdb").read() as con:
        counted = dict(con.execute("SELECT kind, count(*) FROM documents_current GROUP BY ALL").fetchall())
    assert counted == {"abstract": 2 + 13, "transcript": 1}


def test_no_request_carries_text_of_a_document(night):
    project, seen, _, _ = night
    with Store(project / "qinlp.duckdb").read() as con:
        texts = con.execute("SELECT text FROM documents").fetchall()
    said = set().union(*(spoken(text) for (text,) in texts))
    assert len(said) > 300
    assert "we never got the" in said
    assert said & spoken(plain(b"?q=We%20never+got the\\nequipment"))  # it would be found
    assert [found for _, request in seen if (found := said & spoken(plain(request)))] == []


def test_every_connection_stays_on_this_machine(night):
    _, _, connected, _ = night
    assert connected
    assert {host for host, _ in connected} <= {"127.0.0.1", "localhost", "::1"}


def test_every_host_contacted_is_in_the_store_with_its_requests(night):
    project, seen, _, services = night
    with Store(project / "qinlp.duckdb").read() as con:
        rows = con.execute(
            "SELECT host, sum(requests), sum(bytes_out), sum(bytes_in) FROM egress GROUP BY ALL"
        ).fetchall()
    through = Counter(host for host, _ in seen)
    assert {host: n for host, n, _, _ in rows} == services
    assert {host: through[host] for host in services} == services
    for host, _, bytes_out, bytes_in in rows:
        sent = sum(len(request) for place, request in seen if place == host)
        assert 0.5 * sent < bytes_out < 2 * sent  # the proxy's lines differ a little from what was sent to it
        assert bytes_in > 1000
