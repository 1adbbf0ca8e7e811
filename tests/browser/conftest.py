"""A browser, a project with enough to code, and the real `qinlp review` over it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deskwork
import fake
from qinlp import config, steps

TESTS = Path(__file__).parents[1]
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SUBJECTS = ("the falls bundle", "hand hygiene", "video visits", "the new record", "early mobilisation",
            "shared decisions", "the sepsis screen", "medication review", "the coaching scheme",
            "remote monitoring", "the discharge list", "oral care")  # fmt: skip


@pytest.fixture(scope="session")
def chromium():
    """Return Debian's chromium, worked by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def ward(tmp_path_factory, model_folder):
    """Return a coded project of 12 abstracts, 48 passages, and a queue for NPT with two for the audit."""
    folder = tmp_path_factory.mktemp("ward") / "project"
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text(fake.SETTINGS, "utf-8")
    (folder / "documents" / "references.ris").write_text("\n".join(map(reference, SUBJECTS)), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.coding, "find_model", lambda config: fake.model(model_folder))
        settings = config.load(folder)
        steps.ingest(settings, [folder / "documents"])
        steps.code(settings)
    desk = deskwork.lay(
        settings, audit={4, 9},
        notes={
            "left": "Review 140 more passages to bring the expected error under 5%.",
            "coverage": [
                {"reviewed": n, "error": 0.16 - n / 1000, "low": 0.13 - n / 1000, "high": 0.2 - n / 1000}
                for n in range(0, 130, 10)
            ],
        },
    )  # fmt: skip
    # these are given to a second coder, who may not see what the first one thought
    desk.assign("npt", "per", deskwork.passages(settings)[:3], "double")
    return settings


def reference(subject):
    return f"""TY  - JOUR
TI  - How wards took up {subject}
AU  - Berg, Anna
PY  - 2021
JO  - Ward Studies
DO  - 10.5555/{subject.replace(" ", "-")}
AB  - Nurses had no time for {subject} at night. A clear mandate from the manager helped the team \
to carry on with {subject}. Lack of funding was the main barrier to keeping {subject} up. \
Staff saw how {subject} differed from what they had done before.
ER  -{" "}
"""


@pytest.fixture
def serve(ward, model_folder, tmp_path):
    """Return a function that starts `qinlp review` for a coder: (process, the address that works once)."""
    running = []

    def start(coder):
        process = subprocess.Popen(
            [sys.executable, TESTS / "fake.py", "--project", ward.folder, "review", "--coder", coder],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=fake.environment(model_folder, tmp_path),
        )  # fmt: skip
        running.append(process)
        said = process.stdout.readline()
        return process, re.search(r"http://\S+", said)[0]

    yield start
    for process in running:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def come_in(chromium, serve):
    """Return a function that opens a browser of its own for a coder: (process, page)."""
    opened = []

    def start(coder, **look):
        process, address = serve(coder)
        context = chromium.new_context(base_url=address.split("?")[0], **look)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(address)
        return process, page

    yield start
    for context in opened:
        context.close()
