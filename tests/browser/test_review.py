"""The review app as people use it: a real browser, the real program, the keyboard alone."""

import os
import re
import signal

import pytest

from qinlp import steps
from qinlp.store import Store
from qinlp.store.desk import of

pytestmark = [pytest.mark.browser, pytest.mark.store]


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def done(page, key="Enter"):
    """Press a key that sends the page, and wait for the next one."""
    with page.expect_navigation():
        page.keyboard.press(key)


def passage(page):
    return page.locator("#coding input[name=passage_id]").get_attribute("value")


def checked(page):
    return sorted(page.eval_on_selector_all(":checked", "all => all.map(one => one.value)"))


def test_thirty_passages_a_second_coder_and_a_third_who_decides(ward, come_in):
    desk = of(ward.database_path)
    process, page = come_in("kari")
    page.wait_for_selector("#coding")

    # the keys are found by ?
    press(page, "?")
    assert page.locator("#keys").is_visible()
    assert "split" in page.locator("#keys").inner_text()
    press(page, "Escape")
    assert not page.locator("#keys").is_visible()

    # suggestions, valence, a code by typing, a memo
    suggested = page.locator("#suggestions li:not(.none) input[type=checkbox]")
    first, second = suggested.nth(0), suggested.nth(1)
    press(page, "a")
    assert first.is_checked()
    press(page, "ArrowDown", "r")
    assert not second.is_checked()
    press(page, "2")
    assert second.is_checked()
    press(page, "k", "r", "1")
    assert first.is_checked()
    barrier = page.locator("#valence-barrier")
    was = barrier.is_checked()
    press(page, "b")
    assert barrier.is_checked() is not was
    enabler = page.locator("#valence-enabler")
    if not enabler.is_checked():
        press(page, "e")
    press(page, "/")
    page.keyboard.type("relational")
    assert page.locator("#all li:visible").count() < page.locator("#all li").count()
    press(page, "Enter")
    given = set(checked(page))
    press(page, "/")
    page.keyboard.type("relational")
    press(page, "Shift+Enter")
    assert set(checked(page)) < given
    press(page, "/")
    page.keyboard.type("relational")
    press(page, "Enter", "m")
    page.keyboard.type("night shifts, again?")
    press(page, "Escape")
    chosen, started = checked(page), passage(page)
    assert any("relational" in code for code in chosen)
    done(page)

    act = desk.said("npt", "kari", started)
    told = desk.said("valence", "kari", started)
    assert sorted({*act.body["present"], *told.body["present"]}) == chosen
    assert act.body["memo"] == "night shifts, again?"
    assert act.body["seconds"] is not None

    # undo brings it back as it was, twice
    middle = passage(page)
    done(page, "s")
    done(page, "u")
    assert passage(page) == middle
    done(page, "u")
    assert passage(page) == started
    assert checked(page) == chosen
    done(page)
    done(page, "s")
    done(page, "f")

    # split at a word, merge with the next
    old = passage(page)
    press(page, "x", "ArrowRight")
    assert page.locator("#passage .cut").count() == 1
    done(page)
    assert passage(page) != old
    done(page, "]")
    assert passage(page) == old
    done(page, "u")
    done(page, "u")
    assert passage(page) == old

    # killed at once after the page said that it is kept
    for n in range(3, 32):
        press(page, *("1", "b") if n % 3 else ("2", "e"))
        before = passage(page)
        done(page)
        if n == 16:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
            acts = desk.acts()
            assert acts[-2].passage_id == before
            page.context.close()
            process, page = come_in("kari")
            assert desk.acts() == acts
            assert passage(page) not in {a.passage_id for a in desk.standing("kari", "npt")}
    assert desk.reviewed("npt", "kari") == 30
    assert "30 coded" in page.locator(".progress").inner_text()

    # the second coder gets what is assigned, blind, and differs
    _, other = come_in("per")
    for _ in range(3):
        assert "A second opinion" in other.locator(".why").inner_text()
        assert other.locator("meter").count() == 0
        assert other.locator(":checked").count() == 0
        assert "again?" not in other.content()
        press(other, "/")
        other.keyboard.type("reflexive")
        press(other, "Enter", "b")
        done(other)
    assert desk.reviewed("npt", "per") == 3

    # a third decides, by keyboard
    _, third = come_in("anna")
    third.goto("adjudicate/npt")
    assert third.locator(".opinion").count() == 2
    found = third.locator("h1").inner_text()
    assert re.match(r"\d passages? to decide on", found)
    third.locator("#deciding input[type=checkbox]").first.focus()
    press(third, "Space")
    third.locator("#deciding button.main").focus()
    done(third)
    assert [a.body["adjudicates"] for a in desk.standing("anna")] == [True]

    # everything comes into the store, once, and the agreement page tells of it
    steps.carry(ward)
    with Store(ward.database_path).read() as con:
        counts = con.execute("SELECT count(*), count(DISTINCT review_id) FROM reviews_current "
                             "WHERE codebook = 'npt' AND status = 'coded'").fetchone()  # fmt: skip
    assert counts == (34, 34)
    third.goto("agreement/npt")
    rows = third.locator("#pairs + .wide tbody tr").all_inner_texts()
    assert any(row.startswith("kari and per") for row in rows)
    assert any("model" in row for row in rows)
    assert any("adjudicated" in row for row in rows)

    # nothing that a person with a screen reader or weak sight would stumble over
    document = third.locator("main a").first
    del document
    for scheme in ("light", "dark"):
        third.emulate_media(color_scheme=scheme)
        look_at_all(third, scheme)


def look_at_all(page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page.goto("documents/npt")
    document = page.locator(".list a").first.get_attribute("href")
    for where in (
        "code/npt", "codebook/npt", "progress/npt", "agreement/npt", "adjudicate/npt", "audit/npt",
        "documents/npt", document.lstrip("/"), "nowhere", "code/valence",
    ):  # fmt: skip
        page.goto(where)
        bad = [
            f"{v['id']}: {v['nodes'][0]['html']}: {v['nodes'][0]['failureSummary']}"
            for v in Axe().run(page).response["violations"]
            if v["impact"] in {"serious", "critical"}
        ]
        assert not bad, f"{where}, {scheme}: {bad}"
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{where} is wider than the window"


def test_a_page_fits_a_tablet_and_works_without_script(ward, come_in):
    _, page = come_in("lars", java_script_enabled=False, viewport={"width": 820, "height": 1180})
    first = passage(page)
    page.locator("#coding button[value=next]").click()
    assert passage(page) != first
    page.locator("button[form=undo]").click()
    assert passage(page) == first
    assert of(ward.database_path).standing("lars") == []
