"""The queue as it is laid on the desk, and what the store holds to be current after people were at work."""

import csv
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

import fake
from qinlp import config, steps
from qinlp.analysis import strategies
from qinlp.codebook import find as find_codebook
from qinlp.errors import ConfigError, StoreError
from qinlp.records import Passage, content_hash
from qinlp.steps.carrying import _append
from qinlp.store import Store, append
from qinlp.store.desk import Act, of
from qinlp.store.migrate import migrate

pytestmark = pytest.mark.store

AT = datetime.now(UTC) + timedelta(minutes=5)
WHO = ("nurses", "the ward manager", "two physiotherapists", "𝓦ard clerks", "families", "new staff")
WHAT = (
    "had no time for {} at night", "said that a mandate helped them with {}", "could not pay for {}",
    "were trained in {} by a coach", "forgot about {} within a week", "liked {} from the first day",
)  # fmt: skip
TOPIC = ("the falls form", "hand hygiene", "the 👩‍⚕️ checklist", "shared rounds", "the new beds")


def sentences(n):
    return f"On this ward {WHO[n % 6]} {WHAT[n % 5].format(TOPIC[n % 4])}, they told us {n} times."


def write(folder, numbers, name="papers.csv"):
    with (folder / "documents" / name).open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["title", "abstract", "journal", "year"])
        for n in numbers:
            words = " ".join(sentences(7 * n + k) for k in range(4))
            table.writerow([f"Study {n} of {TOPIC[n % 5]}", words, "A journal", 2000 + n % 20])


@pytest.fixture(scope="module")
def _ward(tmp_path_factory, model_folder):
    folder = tmp_path_factory.mktemp("ward") / "project"
    (folder / "documents").mkdir(parents=True)
    (folder / "qinlp.toml").write_text(fake.SETTINGS + "[review]\nlength = 60\n", "utf-8")
    write(folder, range(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps.coding, "find_model", lambda config: fake.model(model_folder))
        steps.ingest(config.load(folder), [folder / "documents"])
        steps.code(config.load(folder))
    return folder


@pytest.fixture
def ward(tmp_path, words, _ward):
    """Return the settings of a project of 160 coded passages."""
    shutil.copytree(_ward, tmp_path / "ward")
    return config.load(tmp_path / "ward")


def with_review(settings, **changes):
    return replace(settings, review=replace(settings.review, **changes))


def rows(settings, sql, *given):
    with Store(settings.database_path).read() as con:
        return con.execute(sql, list(given)).fetchall()


def queue(settings, book="npt"):
    return of(settings.database_path).queue(book)


def ids(settings, book="npt"):
    return [item.passage_id for item in queue(settings, book)]


def review(settings, passage, *present, coder="kari", book="npt", number=0, why="unsure"):
    body = {"present": list(present), "absent": [], "why": why}
    name = content_hash(passage, coder, book, str(number))
    act = Act(name, coder, "review", body, AT + timedelta(seconds=number), passage, book)
    of(settings.database_path).add([act])
    return act


def undo(settings, act, number=1):
    back = Act(f"u{act.act_id}", act.coder, "undo", {}, act.at, act.passage_id, act.codebook, act.act_id)
    of(settings.database_path).add([back])


def test_an_item_shows_the_passage_in_its_place(ward):
    steps.queue(ward)
    texts = {row[0]: row[1] for row in rows(ward, "SELECT document_id, text FROM documents")}
    order = {
        row[0]: row[1]
        for row in rows(
            ward, 'SELECT document_id, list(passage_id ORDER BY "start") FROM passages GROUP BY document_id'
        )
    }
    found = queue(ward)
    assert len(found) == 60
    for item in found:
        body, text = item.body, texts[item.body["document_id"]]
        assert text[body["start"] : body["end"]] == body["text"]
        begins = body["window_start"]
        assert text[begins : begins + len(body["window"])] == body["window"]
        beside = order[body["document_id"]]
        at = beside.index(item.passage_id)
        for part, place in (("before", at - 1), ("after", at + 1)):
            if not 0 <= place < len(beside):
                assert body[part] is None
                continue
            assert body[part]["passage_id"] == beside[place]
            assert text[body[part]["start"] : body[part]["end"]] == body[part]["text"]
            assert body[part]["text"] in body["window"]
        for start, end, code in body["cues"]:
            assert body["text"][start:end].isalpha()
            assert code in [one["code"] for one in body["suggestions"]]
        assert body["title"].startswith("Study")
        assert body["because"].endswith(".")


def test_suggestions_are_assignable_codes_the_likeliest_first(ward):
    steps.queue(ward)
    book = find_codebook("npt")
    for item in queue(ward):
        suggestions = item.body["suggestions"]
        assert [-one["probability"] for one in suggestions] == sorted(
            -one["probability"] for one in suggestions
        )
        assert all(book.code(one["code"]).assignable for one in suggestions)
        decided = rows(
            ward, "SELECT code FROM codings_current WHERE passage_id = ? AND codebook = 'npt' AND decision",
            item.passage_id,
        )  # fmt: skip
        assert {one["code"] for one in suggestions if one["decided"]} == {
            code for (code,) in decided if book.code(code).assignable
        }
        assert set(item.body["valence"]) <= {"barrier", "enabler"}


def test_what_somebody_went_through_is_left_out_whether_carried_or_not(ward):
    steps.queue(ward)
    one, two, three = ids(ward)[:3]
    review(ward, one)
    steps.carry(ward)
    review(ward, two)
    of(ward.database_path).add([Act("skipped", "kari", "skip", {"why": "unsure"}, AT, three, "npt")])
    steps.queue(ward)
    assert not {one, two} & set(ids(ward))
    assert three in ids(ward)
    assert {one, two} <= set(ids(ward, "valence")) | set(ids(with_review(ward, length=100), "valence"))


def test_what_was_taken_back_comes_back(ward):
    steps.queue(ward)
    before = ids(ward)
    act = review(ward, before[0])
    steps.carry(ward)
    steps.queue(ward)
    assert before[0] not in ids(ward)
    undo(ward, act)
    steps.carry(ward)
    steps.queue(ward)
    assert ids(ward) == before


def test_a_queue_made_again_of_the_same_is_left_as_it_lies(ward):
    assert steps.queue(ward).laid == {"valence": 60, "npt": 60}
    desk = of(ward.database_path)
    before, made_at = queue(ward), desk.note("npt", "made_at")
    assert steps.queue(ward).laid == {}
    assert desk.note("npt", "made_at") == made_at
    assert steps.queue(ward, codebooks=["npt"], renew=True).laid == {"npt": 60}
    assert queue(ward) == before
    assert steps.queue(with_review(ward, length=20)).laid == {"valence": 20, "npt": 20}


def test_the_audit_has_its_share_and_stays_as_passages_arrive(ward):
    ward = with_review(ward, audit_share=0.2)
    steps.queue(ward)
    audited = [item.passage_id for item in queue(ward) if item.why == "audit"]
    assert len(audited) == 12
    assert {item.body["because"] for item in queue(ward) if item.why == "audit"} == {strategies.AUDITED}
    assert_lowest(ward, audited)
    write(ward.folder, range(100, 103), "more.csv")
    steps.ingest(replace(ward, ingest=replace(ward.ingest, settle_seconds=0)), [ward.folder / "documents"])
    steps.code(ward)
    steps.queue(ward)
    assert len(by_lot(ward)) == 172
    later = [item.passage_id for item in queue(ward) if item.why == "audit"]
    assert len(later) == 12
    assert_lowest(ward, later)
    assert len(set(later) & set(audited)) >= 8


def assert_lowest(settings, audited):
    """The audit has the lowest lots of all passages, but for those that the strategy took before."""
    order = by_lot(settings)
    assert audited == [passage for passage in order if passage in audited]
    assert set(order[: order.index(audited[-1])]) <= set(ids(settings))


def by_lot(settings):
    every = [row[0] for row in rows(settings, "SELECT passage_id FROM passages_current")]
    lots = dict(zip(every, strategies.lots(every), strict=True))
    return sorted(every, key=lots.get)


def test_strategies_order_differently(ward):
    orders = {}
    for name in ("uncertainty", "diversity", "likely", "random"):
        steps.queue(with_review(ward, strategy=name))
        orders[name] = tuple(ids(ward))
    assert len(set(orders.values())) == 4


def test_near_copies_do_not_follow_each_other(ward):
    closest = {}
    for name in ("uncertainty", "diversity"):
        steps.queue(with_review(ward, strategy=name, audit_share=0.01))
        with Store(ward.database_path).read() as con:
            names, vectors = steps.coding.vectors_of(con, fake.Words(), ids(ward))
        place = {name: i for i, name in enumerate(names)}
        closest[name] = max(vectors[place[a]] @ vectors[place[b]] for a, b in pairwise(ids(ward)[:20]))
    assert closest["diversity"] < strategies.NEAR < closest["uncertainty"]


def test_disagreement_needs_a_second_coder_and_uses_one_that_is_there(ward):
    ward = with_review(ward, strategy="disagreement")
    with pytest.raises(ConfigError, match=r"coded by .* alone; code once with another coding\.model"):
        steps.queue(ward)
    with Store(ward.database_path).write() as con:
        con.execute(
            "INSERT INTO coded SELECT '2020', passage_id, codebook, codebook_hash, 'older' FROM coded"
        )
        con.execute(
            "INSERT INTO codings SELECT '2020', passage_id, codebook, code, 1 - probability, decision "
            "FROM codings"
        )
    steps.queue(ward)
    assert "Two models differ on" in " ".join(item.body["because"] for item in queue(ward))


def test_judged_passages_most_like_it_are_its_evidence(ward):
    steps.queue(ward)
    codes = [code.id for code in find_codebook("npt").assignable]
    first = ids(ward)
    for n, passage in enumerate(first[:5]):
        review(ward, passage, codes[0], number=n)
    steps.carry(ward)
    steps.queue(ward)
    shown = [one for item in queue(ward) for one in item.body["evidence"]]
    assert shown
    for item in queue(ward):
        evidence = item.body["evidence"]
        assert len(evidence) <= 3
        assert [one["likeness"] for one in evidence] == sorted(
            (e["likeness"] for e in evidence), reverse=True
        )
    assert {one["coder"] for one in shown} == {"kari"}
    assert {tuple(one["codes"]) for one in shown} == {(find_codebook("npt").code(codes[0]).name,)}


def test_notes_say_how_much_is_left(ward):
    steps.queue(ward)
    desk = of(ward.database_path)
    points = desk.note("npt", "coverage")
    assert "of the unreviewed codings" in desk.note("npt", "left")
    assert 2 <= len(points) <= 60
    assert points[0]["reviewed"] == 0
    assert points[-1]["reviewed"] == desk.note("npt", "passages") == 160
    assert all(point["low"] <= point["error"] <= point["high"] for point in points)
    for n, passage in enumerate(ids(ward)[:30]):
        review(ward, passage, number=n)
    steps.carry(ward)
    steps.queue(ward)
    points = desk.note("npt", "coverage")
    assert points[0]["reviewed"] == 30
    assert desk.note("npt", "passages") == 130


def test_a_share_of_what_one_coder_coded_goes_to_another_and_waits_there(ward):
    steps.queue(ward)
    with pytest.raises(ConfigError, match="nobody to assign"):
        steps.assign(ward, "npt", [])
    coded = ids(ward)[:40]
    for n, passage in enumerate(coded):
        review(ward, passage, number=n)
    assert steps.assign(ward, "npt", ["kari"], 1.0) == {}
    given = steps.assign(ward, "npt", ["kari", "per"], 0.3)
    assert set(given) == {"per"}
    assert 4 <= given["per"] <= 20
    assert steps.assign(ward, "npt", ["kari", "per"], 0.3) == {}
    steps.carry(ward)
    steps.queue(ward)
    desk = of(ward.database_path)
    mine = desk.assigned("npt", "per")
    assert set(mine) <= set(coded)
    assert {item.passage_id for item in desk.next("npt", "per", given["per"])} == set(mine)
    assert not set(coded) & {item.passage_id for item in desk.next("npt", "kari", 1000)}


def test_the_model_counts_no_more_where_a_person_went_through(ward):
    held = "FROM coded_passages WHERE codebook = 'valence'"
    passage = rows(ward, f"SELECT passage_id {held} ORDER BY ALL LIMIT 1")[0][0]
    asked = f"SELECT code, decided_by {held} AND passage_id = ? ORDER BY ALL"
    before = rows(ward, asked, passage)
    assert {by for _, by in before} == {"model"}
    act = review(ward, passage, book="valence")
    steps.carry(ward)
    assert rows(ward, asked, passage) == []
    assert (
        rows(ward, "SELECT 1 FROM review_queue WHERE codebook = 'valence' AND passage_id = ?", passage) == []
    )
    other = review(ward, passage, "enabler", book="valence", coder="per", number=2)
    steps.carry(ward)
    assert rows(ward, asked, passage) == [("enabler", "human")]
    undo(ward, act)
    undo(ward, other)
    steps.carry(ward)
    assert rows(ward, asked, passage) == before


def test_the_commands_lay_list_and_assign(ward, capsys):
    from qinlp.cli import app

    def say(*words):
        app(["--project", str(ward.folder), "review", *words], standalone_mode=False)
        return capsys.readouterr().out

    listed = say("queue", "--codebook", "npt", "-n", "3")
    assert "npt: 60 passages in the queue, of 160 that nobody looked at" in listed
    assert "   3. " in listed
    assert "   4. " not in listed
    said = listed.splitlines()
    assert all(len(line) <= 80 for line in said if line.startswith("      "))
    assert queue(ward)[0].body["because"] in listed
    assert "Drawn by chance." in say("queue", "--codebook", "npt", "--strategy", "random", "-n", "3")
    for n, passage in enumerate(ids(ward)[:20]):
        review(ward, passage, number=n)
    assert "per: 20 passages more" in say("assign", "--codebook", "npt", "--to", "per", "--share", "1")
    assert "Nothing more to assign" in say("assign", "--codebook", "npt", "--to", "per")
    assert "diversity" in say("strategies")
    with pytest.raises(ConfigError, match="did you mean 'npt'"):
        say("queue", "--codebook", "nptt")
    with pytest.raises(ConfigError, match="did you mean 'uncertainty'"):
        say("queue", "--strategy", "uncertain")


# --- recuts -------------------------------------------------------------------------------------------


def test_passages_that_were_recut_are_coded_by_the_next_run(ward):
    steps.queue(ward)
    item = queue(ward)[0]
    body = item.body
    middle = body["start"] + body["text"].index(" ", 10)
    spans = [[body["start"], middle], [middle + 1, body["end"]]]
    told = {"document_id": body["document_id"], "text_hash": body["text_hash"], "spans": spans}
    of(ward.database_path).add(
        [Act("cut", "kari", "recut", {**told, "replaces": [item.passage_id], "in": "npt"}, AT)]
    )
    steps.carry(ward)
    assert steps.code(ward).passages == 2
    steps.queue(with_review(ward, length=200))
    made = {content_hash(body["document_id"], body["text_hash"], str(a), str(b)) for a, b in spans}
    assert made <= set(ids(ward))
    assert item.passage_id not in ids(ward)
    assert rows(ward, "SELECT 1 FROM coded_passages WHERE passage_id = ?", item.passage_id) == []


def test_a_recut_is_not_taken_back_under_another_one(ward):
    from qinlp.review import coding

    steps.queue(ward)
    desk, item = of(ward.database_path), queue(ward)[0]
    start, text = item.body["start"], item.body["text"]
    first, made = coding.recut(item, "kari", "a" * 16, "split", start + text.index(" ", 20) + 1, AT)
    desk.add([first], made)
    inner = made[0].body["start"] + made[0].body["text"].index(" ") + 1
    second, again = coding.recut(made[0], "per", "b" * 16, "split", inner, AT)
    desk.add([second], again)
    back = Act("c" * 16, "kari", "undo", {}, AT, undoes="a" * 16)
    with pytest.raises(StoreError, match="take that back first"):
        desk.add([back])
    desk.add([Act("d" * 16, "per", "undo", {}, AT, undoes="b" * 16)])
    desk.add([back])
    assert {act.act_id for act in desk.standing()} == set()


WORDS = [f"w{n}" for n in range(12)]
TEXT = " ".join(WORDS)
STARTS = [sum(len(w) + 1 for w in WORDS[:n]) for n in range(13)]


def name(span):
    return Passage("doi:10.5555/1", content_hash(TEXT), *bounds(span), "", 0).passage_id


def bounds(span):
    return STARTS[span[0]], STARTS[span[1]] - 1


@pytest.fixture(scope="module")
def one_document():
    with duckdb.connect() as con:
        migrate(con)
        con.execute(
            "INSERT INTO documents VALUES ('doi:10.5555/1', 1, ?, 'abstract', '', ?, [], NULL, '', "
            "[], [], '', [], [], '{}', '', '', 'run')",
            [content_hash(TEXT), TEXT],
        )
        cut = [(0, 3), (3, 6), (6, 9), (9, 12)]
        append._add_passages(
            con,
            [
                Passage("doi:10.5555/1", content_hash(TEXT), a, b, TEXT[a:b], n)
                for n, (a, b) in enumerate(map(bounds, cut))
            ],
        )
        yield con


@given(
    st.lists(
        st.tuples(st.sampled_from("smu"), st.integers(0, 11), st.sampled_from(["kari", "per"])), max_size=10
    )
)
@hypothesis(max_examples=40)
def test_current_passages_tile_the_document_as_a_notebook_says(one_document, deeds):
    """The notebook holds spans of words in order, and for each recut what it replaced by what."""
    con, spans, standing = one_document, [(0, 3), (3, 6), (6, 9), (9, 12)], []
    con.execute("BEGIN")
    try:
        for number, (deed, n, coder) in enumerate(deeds):
            if deed == "u":
                able = [
                    one for i, one in enumerate(standing)
                    if one[1] == coder
                    and not any(set(one[3]) & {*later[2], *later[3]} for later in standing[i + 1 :])
                ]  # fmt: skip
                if not able:
                    continue
                undone = able[n % len(able)]
                standing.remove(undone)
                spans = sorted({*spans} - {*undone[3]} | {*undone[2]})
                act = Act(f"act-{number}", coder, "undo", {}, AT, undoes=undone[0])
            else:
                i = n % len(spans)
                if deed == "s":
                    (a, b), old = spans[i], [spans[i]]
                    if b - a < 2:
                        continue
                    middle = a + 1 + n % (b - a - 1)
                    new = [(a, middle), (middle, b)]
                else:
                    if i + 1 >= len(spans):
                        continue
                    old = spans[i : i + 2]
                    new = [(old[0][0], old[1][1])]
                standing.append((f"act-{number}", coder, old, new))
                spans = sorted({*spans} - {*old} | {*new})
                body = {"replaces": [name(s) for s in old], "spans": [list(bounds(s)) for s in new]}
                act = Act(f"act-{number}", coder, "recut", body, AT)
            assert _append(con, "run", [act]).rejected == 0
            found = con.execute('SELECT "start", "end", text FROM passages_current ORDER BY ALL').fetchall()
            assert [(a, b) for a, b, _ in found] == [bounds(s) for s in spans]
            assert all(TEXT[a:b] == text for a, b, text in found)
            assert (spans[0][0], spans[-1][1]) == (0, 12)
            assert all(one[1] == other[0] for one, other in pairwise(spans))
    finally:
        con.execute("ROLLBACK")
