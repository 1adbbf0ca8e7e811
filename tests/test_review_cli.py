"""`qinlp review` as a program: it serves, refuses, takes accounts, and carries acts into the store."""

import http.cookiejar
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlencode

import pytest

import deskwork
import fake
from qinlp import config
from qinlp.cli import review
from qinlp.review import access
from qinlp.store import Store
from qinlp.store.desk import of

pytestmark = pytest.mark.store


@pytest.fixture
def serve(coded, model_folder, tmp_path):
    """Return a function that starts the program over the coded project: (process, first line)."""
    running = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, fake.__file__, "--project", coded, "review", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=fake.environment(model_folder, tmp_path),
        )  # fmt: skip
        running.append(process)
        return process, process.stdout.readline()

    yield start
    for process in running:
        process.kill()
        process.communicate()


def browser(*handlers):
    jar = http.cookiejar.CookieJar()
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), *handlers)


def test_it_serves_carries_by_itself_and_ends_by_ctrl_c(serve, coded):
    settings = config.load(coded)
    deskwork.lay(settings)
    process, said = serve("--coder", "kari")
    assert "it works once; you are kari" in said
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]
    reader = browser()
    page = reader.open(re.search(r"http://\S+", said)[0], timeout=20).read().decode()
    given = [*deskwork.fields(page), ("do", "next"), ("present.npt", "coherence")]
    reader.open(f"{address}code/npt", urlencode(given).encode(), timeout=20)
    until = time.monotonic() + 30
    while not reviewed(settings) and time.monotonic() < until:
        time.sleep(0.3)
    assert reviewed(settings) == 2  # of both codebooks

    page = reader.open(f"{address}code/npt", timeout=20).read().decode()
    reader.open(
        f"{address}code/npt", urlencode([*deskwork.fields(page), ("do", "skip")]).encode(), timeout=20
    )
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "What you did is in the store." in out
    assert reviewed(settings) == 3


def reviewed(settings):
    with Store(settings.database_path).read() as con:
        return con.execute("SELECT count(*) FROM reviews").fetchone()[0]


def test_others_come_in_over_tls_with_an_account(serve, coded, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    access.add_account(of(config.load(coded).database_path), "kari", "correct horse")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    reader = browser(urllib.request.HTTPSHandler(context=trusting))
    # this machine's own address, so that the test opens no port to others; accounts decide as for --host
    site = f"""
import sys
from qinlp.cli import review
review._is_loopback = lambda host: False
sys.argv = ["qinlp", "--project", {str(coded)!r}, "review", "--certificate", {str(tmp_path / "cert.pem")!r},
            "--key", {str(tmp_path / "key.pem")!r}]
from qinlp.cli import main
main()
"""
    process = subprocess.Popen([sys.executable, "-c", site], stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert "come in with your account" in said
        assert "key=" not in said
        address = re.search(r"https://\S+", said)[0]
        told = urlencode({"name": "kari", "password": "correct horse"}).encode()
        answer = reader.open(f"{address}door", told, timeout=20)
        assert "/code/" in answer.url
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_accounts_are_made_listed_and_removed(qinlp, project):
    assert "make one: qinlp review account add NAME" in qinlp("review", "account", "list", cwd=project).stdout
    added = qinlp("review", "account", "add", "kari", "--adjudicates", cwd=project, input="correct horse\n")
    assert (added.returncode, added.stdout) == (0, "kari may come in and decide between coders.\n")
    short = qinlp("review", "account", "add", "per", cwd=project, input="short\n")
    assert (short.returncode, short.stderr) == (
        2, "qinlp: account 'per': the password needs at least 10 characters\n",
    )  # fmt: skip
    assert qinlp("review", "account", "list", cwd=project).stdout == "kari, decides between coders\n"
    wrong = qinlp("review", "account", "remove", "karin", cwd=project)
    assert "did you mean 'kari'" in wrong.stderr
    assert qinlp("review", "account", "remove", "kari", cwd=project).returncode == 0
    assert access.accounts(of(project / "qinlp.duckdb")) == []


def test_a_password_is_asked_for_twice(monkeypatch):
    answers = iter(["correct horse", "correct house"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(review.ConfigError, match="the two passwords differ"):
        review._password("kari")


def test_what_cannot_be_served_is_refused_in_one_line(qinlp, coded, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, said in (
            (["--host", "0.0.0.0"], "make one: qinlp review account add NAME"),
            (["--certificate", "cert.pem"], "--certificate and --key belong together"),
            (["--certificate", "cert.pem", "--key", "key.pem"], "cert.pem: no such file"),
            (["--port", str(port)], f"127.0.0.1:{port}: cannot be served"),
        ):
            done = qinlp("review", *words, cwd=coded)
            assert (done.returncode, done.stdout) == (2, ""), words
            assert said in done.stderr
            assert len(done.stderr.splitlines()) == 1
    empty = fake.write_project(tmp_path / "empty")
    assert "no database yet" in qinlp("review", cwd=empty).stderr


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("ward.example", False)],
)
def test_only_this_machine_is_this_machine(host, alone):
    assert review._is_loopback(host) is alone
