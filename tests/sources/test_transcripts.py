# ruff: noqa: E501  # talks as files lay them out, in long lines
"""Transcripts: labels, roles, front matter, and what goes in comes out."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qinlp import sources
from qinlp.records import Rejected
from qinlp.sources.turns import Said, role_named, seconds, transcript

ROUND = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

AWKWARD = st.text(
    alphabet=st.one_of(
        st.sampled_from("abc xyz,’“”–…éß😀👩\u200d⚕️שלום مرحبا न\u093eم e\u0301 ,;'()%&#"),
        st.characters(categories=["Ll", "Lu", "Lo", "Mn", "So", "Zs"]),
    ),
    min_size=1,
    max_size=60,
)
SPOKEN = AWKWARD.map(
    lambda words: "well " + " ".join(words.split()).replace("&", "n").strip("()") + " ok"
).map(lambda words: " ".join(words.split()))
DIALOGUE = st.lists(
    st.tuples(st.sampled_from(["Interviewer", "P1", "Dr Sam Lee"]), SPOKEN), min_size=3, max_size=8
).filter(lambda turns: len({name for name, _ in turns}) > 1)


def said(path):
    (document,) = sources.read(path)
    return [(turn.speaker, document.text[turn.start : turn.end]) for turn in document.turns]


def merged(dialogue, joint):
    turns = []
    for name, words in dialogue:
        if turns and turns[-1][0] == name:
            turns[-1] = (name, turns[-1][1] + joint + words)
        else:
            turns.append((name, words))
    return turns


SHAPES = {
    "colon": "{name}: {words}",
    "bold": "**{name}**: {words}",
    "bold with the colon inside": "**{name}:** {words}",
    "time before": "[00:01:0{n}] {name}: {words}",
    "time after": "{name} (00:1{n}): {words}",
    "time in brackets after": "{name} [0:1{n}]: {words}",
    "own line and time": "{name} [00:1{n}]\n{words}",
    "own line, bare time": "{name}  0:1{n}\n{words}\n",
    "label on its own line": "{name}:\n{words}\n",
    "time first, own line": "00:00:1{n} {name}\n{words}\n",
    "quoted chevrons": ">> {name}: {words}",
    "brackets": "[{name}]: {words}",
    "tab": "{name}\t{words}",
    "wide colon": "{name}：{words}",
}
TALK = [
    ("INTERVIEWER 1", "How was it?"),
    ("P07", "Slow at first."),
    ("INTERVIEWER 1", "And now?"),
    ("P07", "Better."),
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_label_shapes(shape, suffix, write):
    lines = [shape.format(name=name, words=words, n=n) for n, (name, words) in enumerate(TALK)]
    path = write(f"a.{suffix}", "\n".join(lines))
    assert sources.reader_for(path).name == "transcript"
    assert said(path) == TALK


TALKS = {
    "a bureau's export": (
        (
            "Clinic interview 3\nTue, May 03, 2022 10:02AM\n\nSPEAKERS\nJane Doe, Speaker 1\n\nJane Doe  00:03\nTell me about it."
            "\n\nSpeaker 1  00:08\nWe have 24 beds: all full.\n\nJane Doe  00:20\nGreat.\n"
        ),
        [
            ("Jane Doe", "Tell me about it."),
            ("Speaker 1", "We have 24 beds: all full."),
            ("Jane Doe", "Great."),
        ],
    ),
    "times as ranges": (
        (
            "0:0:3.120 --> 0:0:5.400\nJane Doe\nSo tell me.\n0:0:6.0 --> 0:0:9.0\nAli Khan\nIn May.\n0:0:9.0 --> 0:0:12.0\n"
            "Ali Khan\nIt was hard.\n"
        ),
        [("Jane Doe", "So tell me."), ("Ali Khan", "In May.\nIt was hard.")],
    ),
    "names in brackets": (
        "[Jane Doe] 10:01:22\nSo tell me.\n\n[Ali Khan] 10:01:30\nIn May. Note: it was hard.\n\n[Jane Doe] 10:02:10\nRight.\n",
        [("Jane Doe", "So tell me."), ("Ali Khan", "In May. Note: it was hard."), ("Jane Doe", "Right.")],
    ),
    "letters": (
        "I: How did it start?\nR: By email.\n   Nobody came.\nI: Mm.\nR: And then: silence.\n(Phone rings)\nR: Sorry.\n",
        [
            ("I", "How did it start?"),
            ("R", "By email.\nNobody came."),
            ("I", "Mm."),
            ("R", "And then: silence.\nSorry."),
        ],
    ),
    "bold names of a focus group": (
        (
            "# Group 2\n\nDate: 12 June\n\n---\n\n**KB** [00:00:05]\nWhat is in the way?\n\n**Amy**\nTime. *Always* time.\n\n"
            "**Bea**\nStaff.\n\n## Break\n\n**KB**\nShall we go on?\n"
        ),
        [
            ("KB", "What is in the way?"),
            ("Amy", "Time. Always time."),
            ("Bea", "Staff."),
            ("KB", "Shall we go on?"),
        ],
    ),
    "numbered lines": (
        "1\tINTERVIEWER:\tWhy?\n2\tNURSE 1:\tIt takes long.\n3\tINTERVIEWER:\tHow long?\n",
        [("INTERVIEWER", "Why?"), ("NURSE 1", "It takes long."), ("INTERVIEWER", "How long?")],
    ),
    "dashes": (
        "Interviewer - How so?\nNurse - With a meeting - a long one.\nInterviewer - And?\n",
        [("Interviewer", "How so?"), ("Nurse", "With a meeting - a long one."), ("Interviewer", "And?")],
    ),
    "capitals and a list": (
        "TRANSCRIPT\nLocation: Online\n\nJANE: Thanks.\n\nDR SMITH: Three things:\n1. Time\n2. Money: none.\n\nJANE: OK.\n",
        [("JANE", "Thanks."), ("DR SMITH", "Three things:\n1. Time\n2. Money: none."), ("JANE", "OK.")],
    ),
    "Spanish": (
        "Entrevistadora: ¿Cómo empezó?\nMaría: Con una reunión.\nEntrevistadora: ¿Y?\n",
        [("Entrevistadora", "¿Cómo empezó?"), ("María", "Con una reunión."), ("Entrevistadora", "¿Y?")],
    ),
}


@pytest.mark.parametrize("talk", TALKS)
def test_talk(talk, write):
    text, turns = TALKS[talk]
    path = write("talk.txt", text)
    assert sources.reader_for(path).name == "transcript"
    assert said(path) == turns


def test_monologue_with_front_matter(write):
    (document,) = sources.read(
        write("a.md", "---\nsite: North\nparticipants: P9\n---\nWe began in spring.\n\nThen he left.\n")
    )
    assert (document.kind, document.text) == ("transcript", "We began in spring.\nThen he left.")


def test_times(write):
    (document,) = sources.read(
        write("a.txt", "[00:01:02] Moderator: Hello?\n[00:01:05] Maria: Hi.\nMaria: There.")
    )
    assert [turn.seconds for turn in document.turns] == [62.0, 65.0]


@given(dialogue=DIALOGUE)
@example(dialogue=[("Interviewer", "well a: b ok"), ("P1", "well http://x ok"), ("P1", "well 10:30 ok")])
@ROUND
def test_text_round_trip(dialogue, write):
    for newline in ("\n", "\r\n"):
        path = write("a.txt", newline.join(f"{name}: {words}" for name, words in dialogue))
        assert said(path) == merged(dialogue, " ")


@given(dialogue=DIALOGUE)
@ROUND
def test_caption_round_trips(dialogue, write):
    vtt = "WEBVTT\n\n" + "".join(
        f"00:00:{n:02}.000 --> 00:00:{n + 1:02}.000\n<v {name}>{words}</v>\n\n"
        for n, (name, words) in enumerate(dialogue)
    )
    assert said(write("a.vtt", vtt)) == merged(dialogue, " ")
    srt = "".join(
        f"{n + 1}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\n{name}: {words}\n\n"
        for n, (name, words) in enumerate(dialogue)
    )
    assert said(write("a.srt", srt)) == merged(dialogue, " ")
    assert said(write("b.srt", srt.replace("\n", "\r\n"))) == merged(dialogue, " ")


@given(dialogue=DIALOGUE)
@ROUND
def test_csv_round_trip(dialogue, write):
    import csv
    import io

    table = io.StringIO()
    csv.writer(table).writerows([("Speaker", "Text"), *dialogue])
    assert said(write("a.csv", table.getvalue())) == merged(dialogue, " ")


@given(dialogue=DIALOGUE)
@settings(ROUND, max_examples=10)
def test_docx_round_trip(dialogue, tmp_path):
    import docx

    document = docx.Document()
    for name, words in dialogue:
        paragraph = document.add_paragraph()
        paragraph.add_run(f"{name}:").bold = True
        paragraph.add_run(f" {words}")
    document.save(str(tmp_path / "a.docx"))
    assert said(tmp_path / "a.docx") == merged(dialogue, " ")


@given(papers=st.lists(st.tuples(AWKWARD, AWKWARD), min_size=1, max_size=4))
@ROUND
def test_ris_round_trip(papers, write):
    text = "".join(
        f"TY  - JOUR\nTI  - t {title} t\nAB  - We saw {words} here\nER  - \n" for title, words in papers
    )
    for name, written in (("a.ris", text), ("b.ris", text.replace("\n", "\r\n"))):
        found = list(sources.read(write(name, written)))
        assert [one.text for one in found] == [
            " ".join(f"We saw {words} here".split()) for _, words in papers
        ]


@given(st.lists(st.builds(Said, st.text(max_size=12), st.text(max_size=40)), max_size=8))
@ROUND
def test_any_speech_has_sound_spans(speech):
    document = transcript(speech, "x")
    if isinstance(document, Rejected):
        return
    at = 0
    for turn in document.turns:
        words = document.text[turn.start : turn.end]
        assert words == words.strip() != ""
        label = f"{turn.speaker}: " if turn.speaker else ""
        assert document.text[at : turn.end] == label + words
        at = turn.end + 2
    assert at - 2 == len(document.text)


@pytest.mark.parametrize(
    "label",
    [
        "INTERVIEWER",
        "Interviewer 1",
        "I",
        "I1",
        "Moderator",
        "Facilitator (KB)",
        "Q",
        "Researcher",
        "ER",
        "INT2",
    ],
)
def test_interviewers(label):
    assert role_named(label) == "interviewer"


@pytest.mark.parametrize(
    "label",
    [
        "Interviewee",
        "Participant 3",
        "P",
        "R2",
        "Counsel Inquiry",
        "Lady Hallett",
        "Maria",
        "ee",
        "Nurse 1",
        "",
    ],
)
def test_others(label):
    assert role_named(label) != "interviewer"


FRONT = "Interviewer: How was it?\nMaria: Slow.\nInterviewer: And now?\nMaria: Better.\n"


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: A ward\nsite: No\nwave: 01\nparticipants: [Maria]\n---\n",
        "Title: A ward\nSite: No\nWave: 01\nParticipants: Maria\n\n",
        "# A ward\n\n**Site:** No\n**Wave:** 01\nParticipants: Maria\n\n",
    ],
)
def test_front_matter(front, write):
    (document,) = sources.read(write("a.md", front + FRONT))
    assert document.title == "A ward"
    assert (document.metadata["site"], document.metadata["wave"]) == ("No", "01")
    assert [turn.role for turn in document.turns] == ["interviewer", "participant"] * 2
    assert document.text.startswith("Interviewer: How was it?")


def test_participants_named_make_the_others_ask(write):
    (document,) = sources.read(
        write("a.txt", "Site: X\nParticipants: Maria; Ben\n\nAlex: Why?\nMaria: Time.\nBen: Cost.\nAlex: Ah.")
    )
    assert [turn.role for turn in document.turns] == [
        "interviewer",
        "participant",
        "participant",
        "interviewer",
    ]


def test_interviewer_named(write):
    (document,) = sources.read(
        write("a.txt", "---\ninterviewer: Alex\n---\nAlex: Why?\nMaria: Time.\nAlex: Ah.")
    )
    assert [turn.role for turn in document.turns] == ["interviewer", "participant", "interviewer"]


def test_first_turn_is_no_front_matter(write):
    assert said(write("a.txt", FRONT))[0] == ("Interviewer", "How was it?")


def test_what_is_not_spoken_is_left_out(write):
    text = """Day one
=======

*(10.30 am)*

Opening
-------

**Ms Ng**: Good morning. As the note says:

we begin at ten. [inaudible] [00:01:02] Yes.

*MS NG (sworn).*

**Mr Ode**: Thank you.

* * *

(The short break)

**Ms Ng**: I shall go on to
ask about the

second week.

End of interview
"""
    (document,) = sources.read(write("a.txt", text))
    assert document.title == "Day one"
    assert document.text == (
        "Ms Ng: Good morning. As the note says:\nwe begin at ten. [inaudible] Yes.\n\nMr Ode: Thank you.\n\n"
        "Ms Ng: I shall go on to ask about the second week."
    )


def test_words_with_colons_are_no_speakers(write):
    text = (
        "Anna: I said this:\nNote: not a name.\nAnd: so on.\nShe told me: go.\nhttp://x.org: odd\n"
        "Bo: Fine.\nAnna: At 10:30 we met.\nBo: Right."
    )
    assert {name for name, _ in said(write("a.txt", text))} == {"Anna", "Bo"}


def test_interviews_of_one_table(write):
    text = (
        "Set,Interview,Speaker,Text,Time_Mark,speaker_type,Site\n"
        "A,One ,Int,Why?,00:01,ER,North\nB,One,Kim,Because.,1,ee,South\n"
        "A,One ,Lou,No time.,00:05,ee,North\nA,One ,Lou,None.,00:09,ee,North\n"
    )
    first, second = sources.read(write("a.csv", text))
    assert (first.record, second.record) == ("A / One", "B / One")
    assert [(turn.speaker, turn.role, turn.seconds) for turn in first.turns] == [
        ("Int", "interviewer", 1.0),
        ("Lou", "participant", 5.0),
    ]
    assert first.text == "Int: Why?\n\nLou: No time.\nNone."
    assert first.metadata["Site"] == "North"
    assert second.turns[0].seconds is None


def test_captions(examples):
    assert said(examples["vtt"]) == [
        ("Interviewer", "How did the new rota go, Sam & team?"),
        ("Sam", "Badly at first. Then we got protected time."),
    ]
    assert said(examples["srt"]) == [
        ("Moderator", "Who decides about the beds?"),
        ("Nurse 2", "The site manager. We only hear afterwards."),
    ]


def test_captions_without_speakers(write):
    (document,) = sources.read(
        write(
            "a.srt",
            "1\n00:00:01,000 --> 00:00:03,000\nNobody knows\n\n"
            "2\n00:00:04,000 --> 00:00:05,000\nwho says this.\n",
        )
    )
    assert document.text == "Nobody knows who says this."
    assert document.turns[0].speaker == ""


def test_rolling_captions_say_a_line_once(write):
    lines = ["we had", "no time", "at all", "to read", "it"]
    cues = [(lines[0],)] + [pair for n in range(4) for pair in ((lines[n], lines[n + 1]), (lines[n + 1],))]
    srt = "".join(
        f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\n{chr(10).join(cue)}\n\n"
        for n, cue in enumerate(cues, 1)
    )
    (document,) = sources.read(write("a.srt", srt))
    assert document.text == " ".join(lines)


def test_docx(examples):
    assert said(examples["docx"]) == [
        ("Interviewer", "How did you start?"),
        ("Dr Lee", "With a meeting.\nTwo."),
        ("Interviewer", "And then?"),
        ("Dr Lee", "Nobody came."),
    ]
    (document,) = sources.read(examples["docx"])
    assert document.title == "Interview at Eastside"


def test_pdf(examples):
    turns = said(examples["pdf"])
    assert turns[:2] == [
        ("Interviewer", "What did team 1 of Ash ward think of the implementation plan?"),
        ("P01", "It was long, and we had no time to read it on Ash."),
    ]
    assert len(turns) == 6
    assert "Page" not in str(turns)
    assert "Invented Study" not in str(turns)


def test_seconds():
    assert [seconds(time) for time in ("1:02:03.5", "[02:03]", "00:00:01,250", "12", "soon")] == [
        3723.5,
        123.0,
        1.25,
        12.0,
        None,
    ]


def test_speakers_that_the_front_matter_names_need_not_recur(tmp_path):
    path = tmp_path / "vik.txt"
    path.write_text(
        "---\ninterviewer: Ingrid\nparticipants: [Kari, Odd]\n---\n"
        "Ingrid: What held you up?\nKari: No tablet worked.\nOdd: The night shift never heard of it.\n"
    )
    (document,) = sources.read(path)
    assert [(turn.speaker, turn.role) for turn in document.turns] == [
        ("Ingrid", "interviewer"),
        ("Kari", "participant"),
        ("Odd", "participant"),
    ]
