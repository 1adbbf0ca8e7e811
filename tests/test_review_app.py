"""The review app: who comes in, what a form does, what a page shows; all without a browser."""

import html
import re
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import deskwork
import fake
from qinlp import config, steps
from qinlp.review import access, app, coding, findings, page
from qinlp.store import Store
from qinlp.store.desk import Act, Item, of

pytestmark = pytest.mark.store

NASTY = "<script>alert(\"1\")</script> 'q' \u202eabc\u202c 👩\u200d⚕️ e\u0301 &amp; a\r\nb {{ 7*7 }}"
PASSWORD = "correct horse"


@pytest.fixture
def settings(coded):
    return config.load(coded)


@pytest.fixture(scope="session")
def _laid_once(tmp_path_factory, _coded_once):
    """Make the desk that `desk` copies."""
    folder = fake.write_project(tmp_path_factory.mktemp("laid") / "project")
    shutil.copy(_coded_once, folder)
    desk = deskwork.lay(config.load(folder), audit={1})
    with sqlite3.connect(desk.path) as con:
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    con.close()
    return desk.path


@pytest.fixture
def desk(settings, _laid_once):
    found = of(settings.database_path)
    shutil.copy(_laid_once, found.path)
    return found


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    """Hash passwords with little effort."""
    monkeypatch.setattr("argon2.PasswordHasher", partial(argon2.PasswordHasher, time_cost=1, memory_cost=64))
    access._nobody.cache_clear()


@pytest.fixture
def alone(settings, desk):
    """Return a browser that has come in by the one-time address."""
    return visit(settings, "kari")


def visit(settings, coder):
    site = app.make(settings, alone=coder, hosts=frozenset({"127.0.0.1"}))
    browser = TestClient(site, deskwork.ORIGIN, follow_redirects=False)
    assert browser.get(f"/?key={site.state.house.key}").status_code == 303
    return browser


@pytest.fixture
def office(settings, desk):
    """Return a function that gives the browser of somebody with an account."""
    site = app.make(settings)

    def come_in(name, *, adjudicates=False):
        access.add_account(desk, name, PASSWORD, adjudicates=adjudicates)
        browser = TestClient(site, deskwork.ORIGIN, follow_redirects=False)
        assert browser.post("/door", data={"name": name, "password": PASSWORD}).status_code == 303
        return browser

    return come_in


def shown(browser, where="/code/npt"):
    answer = browser.get(where)
    assert answer.status_code == 200, answer.text
    return answer.text


def send(browser, where="/code/npt", *, present=None, form="coding", page="", **more):
    """Send the form of a page as it is, or with other codes, and return what was sent and the answer."""
    given = deskwork.fields(shown(browser, page or where), form)
    if present is not None:
        given = [(k, v) for k, v in given if not k.startswith("present.")]
        given += [(f"present.{code.split('/')[0]}", code.split("/")[1]) for code in present]
    told = {}
    for name, value in [*given, *more.items()]:
        if name in more:
            told[name] = value
        else:
            told.setdefault(name, []).append(value)
    return told, browser.post(where, data=told)


def code(browser, *present, **more):
    sent, answer = send(browser, present=present, **more)
    assert answer.status_code == 303, answer.text
    return sent["passage_id"][0]


def take_back(browser, book="npt"):
    _, answer = send(browser, f"/undo/{book}", form="undo", page=f"/code/{book}")
    assert answer.status_code == 303
    return answer.headers["location"]


GETS, POSTS = (
    ["/", "/adjudicate/npt", "/agreement/npt", "/audit/npt", "/code/npt", "/codebook/npt", "/documents/npt",
     "/progress/npt"],
    ["/adjudicate/npt", "/code/npt", "/leave", "/recut/npt", "/undo/npt"],
)  # fmt: skip


def test_every_page_is_in_these_tests(settings):
    site = app.make(settings)
    for kind, listed in (("GET", {*GETS, "/door"}), ("POST", {*POSTS, "/door"})):
        served = {
            path.replace("{name}", "npt")
            for route in everything(site.routes)
            for path in [route.path]
            if kind in (getattr(route, "methods", None) or ())
        }
        assert served - {"/docs", "/redoc"} == listed


def everything(found):
    for route in found:
        if hasattr(route, "path") and hasattr(route, "endpoint"):
            yield route
        below = getattr(getattr(route, "original_router", None), "routes", ()) or ()
        yield from everything(below)


# --- the door -------------------------------------------------------------------------------------


def test_the_one_time_address_works_once(settings, desk):
    site = app.make(settings, alone="kari")
    key = site.state.house.key
    first = TestClient(site, deskwork.ORIGIN, follow_redirects=False)
    assert first.get("/?key=guessed").status_code == 401
    assert first.get(f"/?key={key}").status_code == 303
    assert first.get("/code/npt").status_code == 200
    second = TestClient(site, deskwork.ORIGIN, follow_redirects=False)
    assert second.get(f"/?key={key}").status_code == 401
    assert second.get("/?key=").status_code == 401


def test_a_session_goes_on_when_the_app_is_started_again(settings, alone):
    again = TestClient(app.make(settings, alone="kari"), deskwork.ORIGIN, cookies=dict(alone.cookies))
    assert again.get("/code/npt").status_code == 200


def test_a_session_of_one_person_alone_is_none_where_accounts_decide(settings, alone):
    office = TestClient(
        app.make(settings), deskwork.ORIGIN, cookies=dict(alone.cookies), follow_redirects=False
    )
    assert office.get("/code/npt").headers["location"] == "/door"


@pytest.mark.parametrize("where", GETS)
def test_nobody_sees_a_page_without_a_session(settings, desk, where):
    for site, status in ((app.make(settings), 303), (app.make(settings, alone="kari"), 401)):
        answer = TestClient(site, deskwork.ORIGIN, follow_redirects=False).get(where)
        assert answer.status_code == status
        assert "<blockquote" not in answer.text


@pytest.mark.parametrize("where", POSTS)
def test_nobody_sends_a_form_without_a_session(settings, desk, where):
    browser = TestClient(app.make(settings), deskwork.ORIGIN, follow_redirects=False)
    answer = browser.post(where, data={"form_token": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/door")
    assert desk.acts() == []


@pytest.mark.parametrize("where", POSTS)
def test_a_form_of_another_site_or_session_is_refused(settings, desk, alone, where):
    sent = deskwork.fields(shown(alone))
    good = {"form_token": dict(sent)["form_token"], "passage_id": dict(sent)["passage_id"],
            "act_id": "a" * 32, "how": "after", "do": "next"}  # fmt: skip
    other = dict(deskwork.fields(shown(visit(settings, "per"))))["form_token"]
    for token in ("", other, "é", good["form_token"][:-1]):
        assert alone.post(where, data=good | {"form_token": token}).status_code == 403
    for origin in ("https://evil.example", "null", "http://127.0.0.1:99"):
        assert alone.post(where, data=good, headers={"Origin": origin}).status_code == 403
    assert desk.acts() == []
    assert alone.post(where, data=good, headers={"Origin": deskwork.ORIGIN}).status_code == 303


def test_a_page_of_another_site_signs_nobody_in(settings, desk):
    access.add_account(desk, "kari", PASSWORD)
    browser = TestClient(app.make(settings), deskwork.ORIGIN)
    told = {"name": "kari", "password": PASSWORD}
    assert browser.post("/door", data=told, headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_cookie_is_out_of_reach(settings, desk):
    for base, secure in (("http://127.0.0.1", False), ("https://127.0.0.1", True)):
        site = app.make(settings, alone="kari")
        answer = TestClient(site, base, follow_redirects=False).get(f"/?key={site.state.house.key}")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert ("; secure" in cookie) is secure
        token = re.search(r"=([^;]+)", answer.headers["set-cookie"])[1]
        assert token.encode() not in desk.path.read_bytes()


def test_only_the_houses_own_names_are_answered(settings, desk):
    site = app.make(settings, alone="kari", hosts=frozenset({"127.0.0.1", "::1"}))
    for host, status in (("evil.example", 421), ("127.0.0.1:80", 401), ("[::1]:80", 401), ("", 421)):
        assert TestClient(site, "http://127.0.0.1").get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("where", [*GETS, "/nowhere", "/code/none", "/static/keys.js", "/door"])
def test_every_answer_says_what_a_browser_may_do_with_it(alone, where):
    answer = alone.get(where)
    for name in app.HEADERS:
        assert name in answer.headers, name
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"\son\w+=|\sstyle=|<script(?! src)", answer.text) or "keys.js" in where


def test_pages_that_are_not_there_are_told(alone):
    assert "no such page" in alone.get("/nowhere").text
    assert "no codebook &#39;none&#39;" in alone.get("/code/none").text
    assert "no such passage" in alone.get("/code/npt?passage=none").text
    assert alone.get("/documents/npt?document=none").status_code == 404


# --- accounts -------------------------------------------------------------------------------------


def test_passwords_are_hashed_and_wrong_ones_refused(settings, desk, office):
    kari = office("kari")
    assert shown(kari)
    browser = TestClient(app.make(settings), deskwork.ORIGIN, follow_redirects=False)
    for name, password in (("kari", "wrong password"), ("nobody", PASSWORD), ("kari", ""), ("", "")):
        answer = browser.post("/door", data={"name": name, "password": password})
        assert answer.status_code == 403
        assert "No account has this name and password" in answer.text
    assert PASSWORD.encode() not in desk.path.read_bytes()
    with desk.open() as con:
        assert con.execute("SELECT secret FROM accounts").fetchone()[0].startswith("$argon2id$")


def test_who_is_removed_or_leaves_is_out_at_once(desk, office):
    kari, per = office("kari"), office("per")
    access.remove_account(desk, "kari")
    assert kari.get("/code/npt").headers["location"] == "/door"
    token = dict(deskwork.fields(shown(per)))["form_token"]
    assert per.post("/leave", data={"form_token": token}).status_code == 303
    assert per.get("/code/npt").headers["location"] == "/door"


def test_a_new_password_ends_old_sessions(desk, office):
    kari = office("kari")
    access.add_account(desk, "kari", "another password")
    assert kari.get("/code/npt").status_code == 303
    assert not access.password_fits(desk, "kari", PASSWORD)


def test_a_session_ends_by_itself(desk, office, monkeypatch):
    kari = office("kari")
    with desk.open() as con:
        con.execute("UPDATE sessions SET until = ?", [(datetime.now(UTC) - timedelta(seconds=1)).isoformat()])
    assert kari.get("/code/npt").status_code == 303


# --- coding ---------------------------------------------------------------------------------------


def test_a_form_becomes_acts_of_both_codebooks(settings, desk, alone):
    names = deskwork.passages(settings)
    first = code(alone, "npt/coherence", "valence/barrier", memo="one\r\ntwo")
    assert first == names[0]
    told, beside = desk.acts()
    assert (told.codebook, beside.codebook) == ("npt", "valence")
    assert told.body["present"] == ["coherence"]
    assert told.body["memo"] == "one\ntwo"
    assert told.body["why"] == "unsure"
    assert beside.body["present"] == ["barrier"]
    assert beside.body["absent"] == ["enabler"]
    assert 0 <= told.body["seconds"] < 60
    assert dict(deskwork.fields(shown(alone)))["passage_id"] == names[1]


def test_a_form_sent_twice_adds_nothing(desk, alone):
    sent, _ = send(alone, present=["npt/coherence"])
    before = desk.acts()
    again = alone.post("/code/npt", data=sent | {"present.npt": ["cognitive-participation"]})
    assert again.status_code == 303
    assert alone.post("/code/npt", data=sent | {"do": "skip"}).status_code == 303
    assert desk.acts() == before


@pytest.mark.parametrize(
    "more",
    [
        {"present.npt": ["no-such-code"]}, {"present.valence": ["coherence"]}, {"act_id": "short"},
        {"act_id": "é" * 32}, {"act_id": "../../etc/passwd-abcdef"}, {"do": "delete"}, {"memo": "x" * 20_001},
    ],
    ids=str,
)  # fmt: skip
def test_a_form_that_makes_no_sense_is_refused(desk, alone, more):
    _, answer = send(alone, **more)
    assert answer.status_code == 400
    assert desk.acts() == []


def test_skipping_and_flagging_say_nothing_of_codes(desk, alone):
    one = code(alone, "npt/coherence", do="skip")
    two = code(alone, do="flag", memo="whose ward?")
    acts = desk.acts()
    assert [(a.kind, a.passage_id) for a in acts] == [("skip", one), ("flag", two)]
    assert all("present" not in a.body for a in acts)
    assert "whose ward?" in shown(alone, "/progress/npt")


def test_undo_goes_back_to_the_first_act_also_after_a_restart(settings, desk, alone):
    done = [code(alone, "npt/coherence", memo=f"memo {n}") for n in range(4)]
    done.append(code(alone, do="skip"))
    for n, passage in enumerate(reversed(done)):
        if n == 2:
            alone = TestClient(
                app.make(settings, alone="kari"), deskwork.ORIGIN, cookies=dict(alone.cookies),
                follow_redirects=False,
            )  # fmt: skip
        where = take_back(alone)
        assert where == f"/code/npt?passage={passage}"
        again = shown(alone, where)
        if n:
            assert f">memo {4 - n}</textarea>" in again
            assert ("present.npt", "coherence") in deskwork.fields(again) or 'value="coherence"' in again
    assert desk.standing("kari") == []
    assert take_back(alone) == "/code/npt"


def test_an_undo_sent_twice_takes_nothing_else_back(desk, alone):
    code(alone)
    code(alone)
    sent, _ = send(alone, "/undo/npt", form="undo", page="/code/npt")
    assert alone.post("/undo/npt", data=sent).status_code == 303
    assert len([a for a in desk.standing("kari", "npt") if a.kind == "review"]) == 1


def test_nobody_takes_back_what_another_did(desk, office):
    kari, per = office("kari"), office("per")
    code(kari)
    act = desk.last("npt", "kari").act_id
    token = dict(deskwork.fields(shown(per)))["form_token"]
    per.post("/undo/npt", data={"form_token": token, "last": act})
    assert len(desk.standing("kari", "npt")) == 1


def test_a_passage_comes_back_as_it_was_chosen(desk, alone):
    passage = code(alone, "npt/coherence", "npt/reflexive-monitoring", "valence/enabler", memo="ja")
    again = shown(alone, f"/code/npt?passage={passage}")
    checked = re.findall(r'name="present\.\w+" value="([^"]+)"[^>]* checked', again)
    assert sorted(checked) == ["coherence", "enabler", "reflexive-monitoring"]


def test_the_second_coder_and_the_audit_see_nothing_of_the_first_or_the_model(settings, desk, office):
    kari, per = office("kari"), office("per")
    first = code(kari, "npt/coherence", memo="secret thought")
    desk.assign("npt", "per", [first], "double")
    blind = shown(per)
    assert first in blind
    audit = shown(per, f"/code/npt?passage={deskwork.passages(settings)[1]}")
    for one in (blind, audit):
        assert " checked" not in one
        assert "<meter" not in one
        assert "secret thought" not in one
    assert "A second opinion" in blind
    document = of_passage(settings, first)
    assert "yours to code, blind" in shown(per, f"/documents/npt?document={document}")
    code(per, "npt/coherence")
    assert [a.body["why"] for a in desk.standing("per", "npt")] == ["double"]


def of_passage(settings, passage):
    with Store(settings.database_path).read() as con:
        return con.execute("SELECT document_id FROM passages WHERE passage_id = ?", [passage]).fetchone()[0]


def test_a_passage_that_left_the_queue_can_still_be_sent(settings, desk, alone):
    sent, _ = {k: [v] for k, v in deskwork.fields(shown(alone))}, None
    sent |= {"present.npt": ["coherence"], "do": "next"}
    first = desk.next("npt", "kari", 9)
    desk.lay("npt", first[3:])
    assert alone.post("/code/npt", data=sent).status_code == 303
    assert desk.last("npt", "kari").passage_id == first[0].passage_id
    assert desk.next("npt", "kari")[0].passage_id == first[3].passage_id


def test_any_passage_of_a_document_can_be_coded(settings, alone):
    with Store(settings.database_path).read() as con:
        asked = con.execute("SELECT passage_id FROM passages WHERE \"role\" = 'interviewer'").fetchone()[0]
    assert "You chose it in its document" in shown(alone, f"/code/npt?passage={asked}")


# --- split and merge ------------------------------------------------------------------------------


def cut(browser, how, place=-1, page="/code/npt"):
    _, answer = send(browser, "/recut/npt", form="recut", how=how, place=place, page=page)
    return answer


def words_of(page_text):
    return [
        int(a)
        for a in re.findall(
            r'data-at="(\d+)"', re.search(r"<blockquote.*?</blockquote>", page_text, re.DOTALL)[0]
        )
    ]


def test_a_passage_is_split_and_the_split_taken_back(settings, desk, alone):
    before = [i.passage_id for i in desk.next("npt", "kari", 9)]
    place = words_of(shown(alone))[3]
    assert cut(alone, "split", place).status_code == 303
    after = [i.passage_id for i in desk.next("npt", "kari", 9)]
    assert after[2:] == before[1:]
    one, two = (desk.item("npt", p).body for p in after[:2])
    assert one["after"]["passage_id"] == after[1]
    assert two["before"]["passage_id"] == after[0]
    assert two["start"] == place
    steps.carry(settings)
    with Store(settings.database_path).read() as con:
        kept = con.execute(
            "SELECT p.passage_id FROM passages p JOIN documents_current d USING (document_id, text_hash) "
            'WHERE substr(d.text, p."start" + 1, p."end" - p."start") = p.text'
        ).fetchall()
    assert {(p,) for p in after[:2]} <= set(kept)
    take_back(alone)
    assert [i.passage_id for i in desk.next("npt", "kari", 9)] == before


def test_what_is_split_and_merged_again_is_the_passage_it_was(desk, alone):
    before = [i.passage_id for i in desk.next("npt", "kari", 9)]
    cut(alone, "split", words_of(shown(alone))[3])
    assert cut(alone, "after").status_code == 303
    assert [i.passage_id for i in desk.next("npt", "kari", 9)] == before
    take_back(alone)
    take_back(alone)
    assert [i.passage_id for i in desk.next("npt", "kari", 9)] == before


def test_merging_takes_the_neighbour_with_it(settings, desk, alone):
    before = [i.passage_id for i in desk.next("npt", "kari", 9)]
    assert cut(alone, "after").status_code == 303
    merged = desk.next("npt", "kari")[0].body
    assert merged["start"] == desk.item("npt", before[0]).body["start"]
    assert merged["end"] == desk.item("npt", before[1]).body["end"]
    assert before[1] not in [i.passage_id for i in desk.next("npt", "kari", 9)]


def test_what_was_split_meanwhile_is_not_merged_too(desk, alone):
    _, second = desk.next("npt", "kari", 2)
    cut(alone, "split", words_of(shown(alone))[3])
    kept = desk.acts()
    answer = cut(alone, "before", page=f"/code/npt?passage={second.passage_id}")
    assert answer.status_code == 503
    assert "was split or merged meanwhile" in answer.text
    assert desk.acts() == kept


@pytest.mark.parametrize(
    ("how", "place"), [("split", 0), ("split", 10**9), ("split", 1), ("sideways", 5), ("before", -1)]
)
def test_a_cut_that_cannot_be_is_refused(desk, alone, how, place):
    assert cut(alone, how, place).status_code == 400
    assert desk.acts() == []


LETTERS = st.text(st.sampled_from("ab é👩\u200d⚕️e\u0301\u0301אב\u202e\u00a0\r\n\t𝓦"), min_size=1, max_size=40)


@given(LETTERS, LETTERS, LETTERS, st.integers(0, 45))
def test_a_cut_keeps_every_word_in_its_place(before, middle, after, at):
    window = f"{before} {middle} {after}"
    start = len(before) + 1
    end = start + len(middle)
    body = {
        "document_id": "d", "text_hash": "t", "start": start, "end": end, "text": middle, "speaker": "",
        "window": window, "window_start": 0, "cues": [], "suggestions": [], "valence": [],
        "before": {"passage_id": "b", "start": 0, "end": len(before), "text": before, "speaker": ""},
        "after": {"passage_id": "a", "start": end + 1, "end": len(window), "text": after, "speaker": ""},
    }  # fmt: skip
    item = Item("npt", 1.0, "m", "unsure", body)
    for how in ("split", "before", "after"):
        try:
            act, items = coding.recut(item, "kari", "x" * 32, how, start + at, datetime.now(UTC))
        except ValueError:
            continue
        spans = act.body["spans"]
        assert [[i.body["start"], i.body["end"]] for i in items] == spans
        for one in items:
            assert one.body["text"] == window[one.body["start"] : one.body["end"]] == one.body["text"].strip()
            assert one.body["text"]
        whole = {"split": middle, "before": f"{before} {middle}", "after": f"{middle} {after}"}[how]
        assert "".join(whole.split()) == "".join("".join(i.body["text"].split()) for i in items)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


# --- escaping -------------------------------------------------------------------------------------


@given(
    st.text(min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.text(max_size=9)), max_size=3),
)
def test_words_on_a_page_are_the_words_of_the_text(text, cues):
    made = str(page.words(text, 7, cues))
    bare = re.sub(r"</?span[^<>]*>", "", made)
    assert "<" not in bare
    assert html.unescape(bare) == html.unescape(html.escape(text))
    for at, word in re.findall(r'<span data-at="(\d+)"[^<>]*>(.*?)</span>', made, re.DOTALL):
        assert text[int(at) - 7 :].startswith(html.unescape(word))


def test_every_page_escapes_what_documents_and_people_say(tmp_path, words, model_folder):
    folder = deskwork.nasty_project(tmp_path / "nasty", NASTY)
    settings = config.load(folder)
    steps.ingest(settings, [folder / "documents"])
    steps.code(settings)
    desk = deskwork.lay(settings, audit={0}, notes={"left": NASTY})
    desk.assign("npt", NASTY, deskwork.passages(settings)[:1], "double")
    kari, per, anna = (visit(settings, name) for name in ("kari", NASTY, "anna"))
    passage = code(kari, "npt/coherence", memo=NASTY)
    code(per, memo=NASTY)
    code(kari, do="flag", memo=NASTY)
    steps.carry(settings)
    document = of_passage(settings, passage)
    for where in (
        *GETS[1:], f"/documents/npt?document={document}", f"/documents/npt?search={NASTY[:20]}",
        f"/code/npt?passage={passage}", "/agreement/npt?a=<script>alert(1)</script>", f"/code/{NASTY[:8]}",
    ):  # fmt: skip
        answer = anna.get(where)
        assert answer.status_code in {200, 404}, where
        assert "<script>alert" not in answer.text, where
        assert "49" not in re.findall(r"\b49\b", answer.text) or "{{ 7*7 }}" in answer.text
        assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/static/keys.js" defer>'], where
    assert (
        html.escape('<script>alert("1")</script>').replace("&quot;", "&#34;")
        in anna.get("/adjudicate/npt").text
    )
    assert "👩\u200d⚕️" in anna.get("/adjudicate/npt").text


# --- adjudication ---------------------------------------------------------------------------------


@pytest.fixture
def dispute(desk, office):
    kari, per = office("kari", adjudicates=True), office("per")
    passage = code(kari, "npt/coherence", "npt/collective-action", memo="because of the coach")
    desk.assign("npt", "per", [passage], "double")
    code(per, "npt/collective-action", memo="no sense-making here")
    return passage, kari, per


def test_a_third_sees_both_and_decides(settings, desk, office, dispute):
    passage, _, _ = dispute
    anna = office("anna", adjudicates=True)
    side = shown(anna, "/adjudicate/npt")
    assert "because of the coach" in side
    assert "no sense-making here" in side
    chosen = dict(deskwork.fields(side, "deciding"))
    assert chosen["passage_id"] == passage
    assert re.findall(r'value="([^"]+)" id="d-[^"]+" checked', side) == ["collective-action"]
    sent, answer = send(
        anna, "/adjudicate/npt", form="deciding", present=["npt/coherence", "npt/collective-action"]
    )
    assert answer.status_code == 303
    assert anna.post("/adjudicate/npt", data=sent).status_code == 303
    assert "do not contradict each other" in shown(anna, "/adjudicate/npt")
    act = desk.last("npt", "anna")
    assert (act.body["adjudicates"], act.body["why"]) == (True, "adjudicate")
    steps.carry(settings)
    with Store(settings.database_path).read() as con:
        held = con.execute(
            "SELECT code, present, adjudicates FROM judgements_current WHERE codebook = 'npt' AND present"
        ).fetchall()
    assert sorted(held) == [("coherence", True, True), ("collective-action", True, True)]


def test_a_decision_is_taken_back_like_anything_else(desk, office, dispute):
    anna = office("anna", adjudicates=True)
    send(anna, "/adjudicate/npt", form="deciding", present=["npt/coherence"])
    _, answer = send(anna, "/undo/npt", form="undo", page="/adjudicate/npt")
    assert answer.headers["location"] == f"/adjudicate/npt?passage={dispute[0]}"
    assert "because of the coach" in shown(anna, answer.headers["location"])


def test_who_coded_it_or_may_not_decides_nothing(desk, office, dispute):
    passage, kari, per = dispute
    lars = office("lars")
    for browser, said in (
        (kari, "You are one of the coders"),
        (per, "may not decide"),
        (lars, "may not decide"),
    ):
        side = shown(browser, "/adjudicate/npt")
        assert said in side
        assert 'id="deciding"' not in side
        token = re.search(r'name="form_token" value="(\w+)"', side)[1]
        told = {"form_token": token, "passage_id": passage, "act_id": "b" * 32, "do": "next"}
        assert browser.post("/adjudicate/npt", data=told).status_code == 403
    assert not [a for a in desk.acts() if a.body.get("adjudicates")]


def test_a_coder_cannot_call_a_coding_a_decision(desk, office):
    kari = office("kari")
    code(kari, "npt/coherence", adjudicates="1", why="adjudicate", assigned="adjudicate")
    assert not desk.last("npt", "kari").body["adjudicates"]
    assert desk.last("npt", "kari").body["why"] == "unsure"


def test_coders_who_come_to_agree_are_in_no_dispute(desk, office, dispute):
    _, kari, _ = dispute
    take_back(kari)
    code(kari, "npt/collective-action")
    assert findings.disputes(desk.standing("", "npt")) == []


# --- what the acts come to ------------------------------------------------------------------------


def act(n, kind, passage, coder="kari", **body):
    return Act(f"act{n}", coder, kind, body, datetime(2026, 1, 1, tzinfo=UTC), passage, "npt", seq=n)


def test_pace_counts_the_latest_of_each_passage():
    acts = [
        act(1, "review", "p", present=[], seconds=10.0),
        act(2, "review", "p", present=["a"], seconds=20.0),
        act(3, "review", "q", present=[], seconds=40.0),
        act(4, "skip", "r"),
        act(5, "flag", "s", "per"),
    ]
    kari, per = findings.paces(acts)
    assert (kari.coder, kari.coded, kari.skipped, kari.seconds) == ("kari", 2, 1, 30.0)
    assert kari.an_hour == pytest.approx(120)
    assert (per.flagged, per.seconds, per.an_hour) == (1, None, None)


def test_the_audit_counts_passages_coded_wrongly():
    acts = [
        act(n, "review", f"p{n}", present=["a"] if n < 18 else ["b"], model=["a"], why="audit")
        for n in range(20)
    ]
    acts.append(act(99, "review", "other", present=[], model=["a"], why="unsure"))
    found = findings.audit(acts)
    assert (found.passages.n, found.passages.of) == (2, 20)
    # Clopper-Pearson 95% for 2 of 20, as in Agresti & Coull 1998's formula by beta quantiles
    assert found.passages.interval == pytest.approx((0.01234853, 0.31698271), abs=1e-6)
    assert {code: (s.n, s.of) for code, s in found.codes.items()} == {"a": (2, 20)}
    assert found.mistakes[0].wrongly == ("a",)
    assert found.mistakes[0].missed == ("b",)


def test_the_sheet_holds_people_the_model_and_what_was_decided():
    judged = [
        ("p", "d", "kari", False, "", False), ("p", "d", "kari", False, "a", True),
        ("p", "d", "per", False, "", False),
        ("p", "d", "anna", True, "", False), ("p", "d", "anna", True, "a", True),
        ("q", "e", "kari", False, "", False), ("q", "e", "per", False, "b", False),
    ]  # fmt: skip
    sheet = findings.sheet(judged, [("p", ["b"]), ("elsewhere", ["a"])], ["a", "b"])
    assert sheet.coders == ("kari", "per", "model", "adjudicated")
    assert sheet.said[0].tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]
    assert sheet.said[1].tolist() == [[0, 0], [-1, 0], [-1, -1], [-1, 0]]
    assert "adjudicated" not in findings.sheet(judged[:3], [], ["a"]).coders


def test_the_agreement_page_tells_of_people_and_the_model(settings, desk, office):
    kari, per = office("kari"), office("per")
    names = deskwork.passages(settings)[:5]
    desk.assign("npt", "per", names, "double")
    for n in range(5):
        code(kari, "npt/coherence", *(["npt/collective-action"] if n % 2 else []))
        code(per, *(["npt/collective-action"] if n % 2 else []), *(["npt/coherence"] if n else []))
    assert "not in the store yet" in shown(kari, "/agreement/npt")
    steps.carry(settings)
    told = shown(kari, "/agreement/npt")
    assert "kari and per" in told
    assert "kari and model" in told
    row = re.search(r"<tr[^>]*><th[^>]*><a[^>]*>Collective [Aa]ction.*?</tr>", told, re.DOTALL)[0]
    assert ">1.00" in row
    assert shown(kari, "/agreement/npt?a=per&b=model")


def test_the_audit_page_tells_what_was_wrong(settings, desk, alone):
    audited = deskwork.passages(settings)[1]
    decided = set(coding.decided(desk.item("npt", audited), app.make(settings).state.house.book("npt")))
    present = ["npt/coherence"] if "coherence" not in decided else ["npt/collective-action"]
    _, answer = send(alone, "/code/npt", page=f"/code/npt?passage={audited}", present=present, memo="mine")
    assert answer.status_code == 303
    told = shown(alone, "/audit/npt")
    assert "1 of 1</b> audited passages are coded wrongly" in told
    assert "2.5% to 100.0%" in told
    assert "mine" in told


def test_progress_draws_what_is_left(settings, desk, alone):
    points = [{"reviewed": n, "error": 0.2 - n / 1000, "low": 0.1, "high": 0.3} for n in (0, 50, 100)]
    desk.lay("npt", [], {"left": "Review 140 more.", "coverage": points})
    told = shown(alone, "/progress/npt")
    assert "Review 140 more." in told
    assert told.count("data:image/svg+xml;base64,") == 2
    assert '<td class="number">15.0%</td>' in told


def test_documents_are_found_by_their_words(alone):
    told = shown(alone, "/documents/npt?search=falls BUNDLE")
    assert "Why a falls bundle was left undone" in told
    assert "Champions" not in told
    assert "1 to 1 of 1" in told
    assert "No document" in shown(alone, "/documents/npt?search=nowhere")


def test_a_document_shows_every_word_and_what_it_holds(settings, alone):
    passage = code(alone, "npt/coherence", "valence/barrier")
    steps.carry(settings)
    document = of_passage(settings, passage)
    told = shown(alone, f"/documents/npt?document={document}")
    with Store(settings.database_path).read() as con:
        text = con.execute("SELECT text FROM documents WHERE document_id = ?", [document]).fetchone()[0]
    inside = re.search(r'<div class="reader">.*</div>', told, re.DOTALL)[0]
    pieces = re.findall(r'<p class="(?:between|text)"[^>]*>(.*?)</p>', inside, re.DOTALL)
    bare = html.unescape(re.sub(r"<[^>]+>", "", " ".join(pieces)))
    assert bare.split() == text.split()
    assert re.search(r'class="held [^"]*barrier', inside)
    assert "Coherence <small>kari</small>" in inside


def test_a_store_in_use_is_told_and_coding_goes_on(settings, desk, alone, monkeypatch):
    monkeypatch.setattr(Store, "read", busy)
    told = alone.get("/documents/npt")
    assert told.status_code == 503
    assert "in use by another process" in told.text
    assert code(alone, "npt/coherence")
    assert desk.last("npt", "kari").kind == "review"


def busy(self):
    from qinlp.errors import StoreBusy

    raise StoreBusy("qinlp.duckdb: in use by another process")
