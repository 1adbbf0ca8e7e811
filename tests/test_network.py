"""The one way out, against real sockets on this machine."""

import gzip
import math
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from qinlp import network
from qinlp.errors import SourceDown, SourceError
from qinlp.network import Budget, Client, Egress, Garbled, Refused, Traffic


@pytest.fixture(scope="module")
def running():
    with HTTPServer("127.0.0.1") as server:
        yield server


@pytest.fixture
def server(running):
    running.clear()
    return running


@pytest.fixture
def slept(monkeypatch):
    """Replace sleeping between tries; return what would have been slept."""
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    return waits


def client(url, **more):
    asked = {"rate": math.inf, "budget": Budget(1000, 5), "egress": Egress(), "patience": 0.001, **more}
    return Client(url, **asked)


def text(body):
    return body.decode()


@contextmanager
def raw_server(*answers):
    """Answer each connection with given bytes and close it; yield the address and what came and went."""
    seen = {"in": 0, "out": 0}
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    got = b""
                    while b"\r\n\r\n" not in got:
                        got += connection.recv(65536)
                    head, _, body = got.partition(b"\r\n\r\n")
                    length = re.search(rb"content-length: (\d+)", head.lower())
                    while length and len(body) < int(length[1]):
                        more = connection.recv(65536)
                        got, body = got + more, body + more
                    seen["in"] += len(got)
                    connection.sendall(answer)
                    seen["out"] += len(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
        thread.join(5)


def answer(body=b"ok", status=b"200 OK", *headers):
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_what_is_counted_is_what_a_socket_sees():
    packed = gzip.compress(b"word " * 1000)
    answers = [
        answer(b"x" * 5000),
        answer(b"down", b"503 Service Unavailable", b"Retry-After: 0"),
        answer(packed, b"200 OK", b"Content-Encoding: gzip"),
        answer(b"ok"),
    ]
    egress = Egress()
    with raw_server(*answers) as (url, seen), client(url, egress=egress) as asked:
        assert asked.fetch("long/path", {"q": "a b&c", "empty": ""}, len) == 5000
        assert asked.fetch("", {}, len) == 5000
        assert asked.fetch("form", {"term": "æøå " * 500}, text, post=True) == "ok"
    assert egress.take() == (Traffic(url.removeprefix("http://"), 4, seen["in"], seen["out"]),)
    assert egress.take() == ()


def test_a_request_that_fails_is_counted():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    egress = Egress()
    host = f"127.0.0.1:{port}"
    with (
        client(f"http://{host}", egress=egress, tries=2) as asked,
        pytest.raises(SourceDown, match=f"{host}: 'falls': no answer in 2 tries, at last: ConnectError"),
    ):
        asked.fetch("search", {}, text, asking="falls")
    assert egress.take() == (Traffic(host, 2, 0, 0),)
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    with raw_server(cut) as (url, seen), client(url, egress=egress, tries=1) as asked:
        with pytest.raises(SourceDown, match="RemoteProtocolError"):
            asked.fetch("", {}, text)
        (counted,) = egress.take()
    assert (counted.requests, counted.bytes_out, counted.bytes_in) == (1, seen["in"], len(cut))


def test_egress_is_exact_when_threads_share_it():
    egress = Egress()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(lambda: [egress.add("a", 1, 2) for _ in range(1000)])
    assert egress.take() == (Traffic("a", 8000, 8000, 16000),)


def test_waits_grow_and_vary(server, slept):
    server.expect_request("/").respond_with_data("down", status=500)
    with client(server.url_for(""), tries=6, patience=1.0) as asked, pytest.raises(SourceDown):
        asked.fetch("", {}, text)
    assert len(slept) == 5
    for wait, least in zip(slept, [1, 2, 4, 8, 16], strict=True):
        assert least <= wait <= least + 1
    assert len({wait % 1 for wait in slept}) == 5


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_the_wait_that_is_asked_for_is_kept(server, slept, kind, caplog):
    caplog.set_level("INFO")
    then = datetime.now(UTC) + timedelta(seconds=20)
    header = "20" if kind == "seconds" else format_datetime(then, usegmt=True)
    busy = Response("slowly", status=429, headers={"Retry-After": header})
    server.expect_ordered_request("/").respond_with_response(busy)
    server.expect_ordered_request("/").respond_with_data("ok")
    with client(server.url_for("")) as asked:
        assert asked.fetch("", {}, text) == "ok"
    assert len(slept) == 1
    assert 18 < slept[0] <= 20
    assert "status 429, slowly; asked again in " in caplog.text


def test_a_shorter_wait_than_ours_is_no_reason_to_hurry(server, slept):
    for _ in range(2):
        busy = Response("slowly", status=503, headers={"Retry-After": "0"})
        server.expect_ordered_request("/").respond_with_response(busy)
    server.expect_ordered_request("/").respond_with_data("ok")
    with client(server.url_for(""), patience=4.0) as asked:
        asked.fetch("", {}, text)
    assert slept[0] >= 4
    assert slept[1] >= 8


def test_a_wait_longer_than_what_is_left_is_not_waited_for(server, slept):
    busy = Response('{"message": "Daily limit exceeded"}', status=429, headers={"Retry-After": "7200"})
    server.expect_request("/").respond_with_response(busy)
    with (
        client(server.url_for(""), budget=Budget(1000, 5)) as asked,
        pytest.raises(SourceDown, match=r"a wait of 7200 s is asked for, and .* of 5 minutes"),
    ):
        asked.fetch("", {}, text)
    assert slept == []
    assert len(server.log) == 1


def test_a_budget_counts_repetitions_and_every_client(server):
    server.expect_request("/down").respond_with_data("", status=500)
    server.expect_request("/up").respond_with_data("ok")
    budget = Budget(5, 5)
    with client(server.url_for(""), budget=budget, tries=3) as one:
        with (
            client(server.url_for(""), budget=budget) as other,
            pytest.raises(SourceDown, match="in 3 tries"),
        ):
            other.fetch("down", {}, text, tries=3)
        assert [one.fetch("up", {}, text) for _ in range(2)] == ["ok", "ok"]
        with pytest.raises(
            SourceDown, match=r"'q': the run's budget is spent: 5 of 5 requests, 0.0 of 5 min"
        ):
            one.fetch("up", {}, text, asking="q")
    assert len(server.log) == 5


def test_minutes_count_from_the_first_request(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(network, "monotonic", lambda: now[0])
    budget = Budget(10, 2)
    now[0] += 1000
    budget.spend()
    now[0] += 119
    budget.spend()
    budget.wait(0.5)
    with pytest.raises(SourceDown, match="a wait of 2 s"):
        budget.wait(2)
    now[0] += 1
    with pytest.raises(SourceDown, match=r"2 of 10 requests, 2\.0 of 2 minutes"):
        budget.spend()


def test_two_clients_of_a_service_keep_its_rate_together(server):
    server.expect_request("/").respond_with_data("ok")
    times = []

    def ask(_):
        with client(server.url_for(""), rate=5.0) as asked:
            for _ in range(3):
                asked.fetch("", {}, text)
                times.append(time.monotonic())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, range(2)))
    times.sort()
    assert len(times) == 6
    assert times[5] - times[0] > 0.7  # the sixth waits until the first is a second old


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '{"error": "Invalid query", "message": "Unknown filter field: titel"}',
            "Unknown filter field: titel",
        ),
        ('{"errCode": 400, "errMsg": "bad syntax"}', "bad syntax"),
        ("<html><head><title>x</title></head><body><h1>No</h1>such place</body></html>", "No such place"),
        ("<eFetchResult><ERROR>ID list is empty!</ERROR></eFetchResult>", "ID list is empty!"),
        ("many\nwords " * 100, "many words many words"),
    ],
)
def test_a_refusal_is_told_once_in_the_services_words(server, body, words):
    server.expect_request("/").respond_with_data(body, status=400)
    with client(server.url_for("")) as asked, pytest.raises(SourceError) as refused:
        asked.fetch("", {}, text, asking="titel:falls")
    said = str(refused.value)
    assert f"'titel:falls': refused: status 400, {words}" in said
    assert said.endswith("; correct the query or the key")
    assert "\n" not in said
    assert len(said) < 400
    assert not isinstance(refused.value, SourceDown)
    assert len(server.log) == 1


def test_a_reader_may_call_an_answer_garbled_or_a_refusal(server):
    server.expect_request("/").respond_with_data("what")

    def garbled(body):
        raise Garbled("half an answer", body)

    def refused(body):
        raise Refused("no such field")

    with client(server.url_for("")) as asked:
        with pytest.raises(SourceDown, match="at last: a garbled answer, half an answer") as down:
            asked.fetch("", {}, garbled, tries=2)
        assert isinstance(down.value.__cause__, Garbled)
        assert down.value.__cause__.raw == b"what"
        assert len(server.log) == 2
        with pytest.raises(SourceError, match="refused: no such field"):
            asked.fetch("", {}, refused)
        assert len(server.log) == 3


def test_keys_are_sent_and_never_shown(server, caplog):
    caplog.set_level("DEBUG")
    key = "k3y /+&\u00e6"
    echo = [
        Response("wrong key " + key, status=500),
        Response(f'{{"message": "API key {key} is invalid, token t0ken"}}', status=401),
    ]
    for one in echo:
        server.expect_ordered_request("/", query_string={"api_key": key, "q": "a"}).respond_with_response(one)
    with (
        client(server.url_for(""), secrets=["t0ken"]) as asked,
        pytest.raises(SourceError, match=r"API key \*\*\* is invalid, token \*\*\*") as refused,
    ):
        asked.fetch("", {"api_key": key, "q": "a"}, text)
    logged = "".join(one.getMessage() for one in caplog.records if one.name != "werkzeug")
    assert "HTTP Request: GET" in logged
    shown = logged + str(refused.value)
    for word in ("k3y", "t0ken"):
        assert word not in shown


def test_redirects_stay_with_the_host(server):
    server.expect_request("/old").respond_with_response(
        Response(status=301, headers={"Location": "/new?q=1"})
    )
    server.expect_request("/new", query_string="q=1").respond_with_data("moved")
    server.expect_request("/away").respond_with_response(
        Response(status=302, headers={"Location": "https://elsewhere.example/x"})
    )
    server.expect_request("/round").respond_with_response(
        Response(status=302, headers={"Location": "/round"})
    )
    egress = Egress()
    with client(server.url_for(""), egress=egress) as asked:
        assert asked.fetch("old", {}, text) == "moved"
        assert egress.take()[0].requests == 2
        with pytest.raises(SourceError, match=r"sends us on to https://elsewhere\.example; set base_url"):
            asked.fetch("away", {}, text)
        with pytest.raises(SourceError, match="status 302"):
            asked.fetch("round", {}, text)
    assert {row.host for row in egress.take()} == {asked.host}


def test_an_answer_without_end_is_not_read(server, monkeypatch):
    monkeypatch.setattr(network, "LARGEST", 1_000_000)
    bomb = Response(gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"})
    server.expect_request("/").respond_with_response(bomb)
    with client(server.url_for("")) as asked, pytest.raises(SourceError, match="larger than 1,000,000 bytes"):
        asked.fetch("", {}, text)


def test_an_answer_that_drips_is_given_up(server):
    def drip():
        for _ in range(100):
            yield b"x"
            time.sleep(0.05)

    server.expect_request("/").respond_with_handler(lambda _: Response(drip()))
    began = time.monotonic()
    with (
        client(server.url_for(""), timeout_seconds=0.3, tries=1) as asked,
        pytest.raises(SourceDown, match=r"took longer than 0\.3 s"),
    ):
        asked.fetch("", {}, text)
    assert time.monotonic() - began < 2


def test_proxies_come_from_the_environment(server, monkeypatch):
    server.expect_request("/api/works").respond_with_data("through the proxy")
    monkeypatch.setenv("http_proxy", server.url_for(""))
    monkeypatch.setenv("no_proxy", "")
    egress = Egress()
    with client("http://service.example/api/", egress=egress) as asked:
        assert asked.fetch("works", {}, text) == "through the proxy"
    assert [row.host for row in egress.take()] == ["service.example"]


@pytest.mark.parametrize("address", ["", "europepmc", "ftp://example.org", "https://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(SourceError, match=r"base_url = .*; an address is needed"):
        client(address)
