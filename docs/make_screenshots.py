"""Take the pictures of the review app.

    python docs/make_screenshots.py [PROJECT]

Makes a project of the bundled sample, or takes a coded one (it is copied, and stays as it is), lets
three invented coders work on it, and takes every page, light and dark, into docs/pictures/review/.
Needs chromium.
"""

from __future__ import annotations

import random
import secrets
import shutil
import socket
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from qinlp import config, steps
from qinlp.codebook import find
from qinlp.review import app, findings
from qinlp.store import Store
from qinlp.store.desk import Act, Desk, Item, of

TO = Path(__file__).parent / "pictures" / "review"
BOOK, BESIDE = "cfir", "valence"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update"]  # fmt: skip
LAPTOP, TABLET = {"width": 1280, "height": 860}, {"width": 820, "height": 1100}
MOST = 60_000
"""Bytes of a picture."""


def project(given: str | None, folder: Path) -> config.Config:
    """Return a coded project: a copy of the one given, or one made of the sample."""
    if given:
        shutil.copytree(given, folder)
        for old in folder.glob("*.desk.sqlite*"):
            old.unlink()
        return config.load(folder)
    from qinlp import shipped

    sample = shipped.folder("data/sample").resolve()
    config.write(folder, paths=(str(sample / "abstracts"), str(sample / "transcripts")))
    settings = config.load(folder)
    steps.ingest(settings, [sample / "abstracts", sample / "transcripts"])
    steps.code(settings)
    return settings


def work(desk: Desk) -> None:
    """Let kari and per code, both of them the first passages, and disagree at times."""
    chance, at = random.Random(4), datetime.now(UTC) - timedelta(hours=3)  # noqa: S311
    books = {"kari": 60, "per": 25}
    items = desk.next(BOOK, "nobody", 80)
    known = {code.id for code in find(BOOK).assignable}
    desk.assign(BOOK, "per", [one.passage_id for one in items[:25]], "double")
    for coder, n in books.items():
        for place, item in enumerate(items[:n]):
            at += timedelta(seconds=20)
            given = [one for one in item.body["suggestions"] if one["code"] in known]
            told = {
                "memo": "", "seconds": round(chance.uniform(9, 40), 1), "why": item.why, "absent": [],
                "strategy": "uncertainty", "adjudicates": False,
                "model": [one["code"] for one in given if one["decided"]],
            }  # fmt: skip
            wrong = 0.12 if coder == "kari" else 0.2
            present = [one["code"] for one in given if one["decided"] != (chance.random() < wrong)]
            if place == 3:
                told["memo"] = (
                    "money is meant, not staff" if coder == "kari" else "staff are what is short here"
                )
            act_id = secrets.token_hex(16)
            acts = [Act(act_id, coder, "review", {**told, "present": present}, at, item.passage_id, BOOK)]
            acts.append(
                Act(f"{act_id}.{BESIDE}", coder, "review", {**told, "present": item.body["valence"]}, at,
                    item.passage_id, BESIDE)
            )  # fmt: skip
            desk.add(acts)
    flag = {"memo": "two people speak here?", "why": "unsure"}
    desk.add([Act(secrets.token_hex(16), "kari", "flag", flag, at, items[70].passage_id, BOOK)])
    for one in findings.disputes(desk.standing("", BOOK))[5:]:
        body = {**one.reviews[0].body, "adjudicates": True, "why": "adjudicate", "seconds": 12.0}
        desk.add([Act(secrets.token_hex(16), "anna", "review", body, at, one.passage_id, BOOK)])


def worth(item: Item) -> int:
    """Return how much a passage shows: cues and decided codes."""
    decided = sum(one["decided"] for one in item.body["suggestions"])
    return decided * min(3, len(item.body["cues"])) if item.why == "unsure" else 0


def kept(page: Page, name: str, *, whole: bool = False) -> None:
    """Take a picture and keep it small."""
    shot = Image.open(BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    shot = shot.crop((0, 0, shot.width, min(shot.height, 1200)))
    path = TO / f"{name}.webp"
    for quality in (60, 45, 30, 20):
        shot.save(path, quality=quality, method=6)
        if path.stat().st_size < MOST:
            break
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def take(browser: Any, site: Any, address: str, document: str, passage: str) -> None:
    """Take every page in every look."""
    looks = [(s, LAPTOP, "") for s in ("light", "dark")] + [("light", TABLET, "-tablet")]
    for scheme, size, suffix in looks:
        site.state.house.key = "again"
        context = browser.new_context(base_url=address, color_scheme=scheme, viewport=size)
        page = context.new_page()
        page.goto("?key=again")
        pages = {
            "code": f"code/{BOOK}?passage={passage}", "codebook": f"codebook/{BOOK}#inr.resources",
            "progress": f"progress/{BOOK}", "agreement": f"agreement/{BOOK}",
            "adjudicate": f"adjudicate/{BOOK}", "audit": f"audit/{BOOK}",
            "documents": f"documents/{BOOK}", "document": f"documents/{BOOK}?document={document}",
        }  # fmt: skip
        for name, where in pages.items():
            if not suffix or name in {"code", "document"}:
                page.goto(where)
                kept(page, f"{name}-{scheme}{suffix}", whole=name in {"agreement", "adjudicate", "code"})
        if not suffix:
            page.goto(f"code/{BOOK}")
            page.keyboard.press("?")
            kept(page, f"keys-{scheme}")
        context.close()


def main() -> None:
    """Take the pictures."""
    TO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        settings = project(sys.argv[1] if len(sys.argv) > 1 else None, Path(name) / "project")
        desk = of(settings.database_path)
        steps.queue(settings)
        work(desk)
        steps.carry(settings)
        steps.queue(settings)  # what is left, now that much is judged
        with Store(settings.database_path).read() as con:
            document = con.execute(
                "SELECT document_id FROM documents_current WHERE kind = 'transcript' ORDER BY title LIMIT 1"
            ).fetchone()[0]  # type: ignore[index]
        waiting = desk.next(BOOK, "anna", 60)
        passage = max(waiting, key=worth).passage_id
        site = app.make(settings, alone="anna")
        door = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(site, log_level="warning"))
        serving = Thread(target=server.run, kwargs={"sockets": [door]})
        serving.start()
        try:
            with sync_playwright() as driver:
                chromium = shutil.which("chromium")
                browser = driver.chromium.launch(executable_path=chromium, args=OPTIONS)
                take(browser, site, f"http://127.0.0.1:{door.getsockname()[1]}/", document, passage)
                browser.close()
        finally:
            server.should_exit = True
            serving.join()


if __name__ == "__main__":
    main()
