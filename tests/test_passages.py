"""Boundaries by hand, and what must hold of any text."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qinlp.errors import ConfigError
from qinlp.passages import Segmentation, _pipeline, segment, sentences
from qinlp.records import Document, Section, Turn

# One case a line; a sentence ends at each " | ", which stands for one space in the text, and at
# each "|" that has none around it, which stands for nothing.
CASES = """
The rate fell (p = .02). | The trial ended.
It fell by a third (P < 0.001). | CONCLUSIONS: Reminders work.
We used reminders, e.g. letters and calls. | They helped.
Reminders (e.g. Letters to GPs) helped. | We stopped.
Most were nurses, i.e. Band 5 staff. | Few stayed.
Uptake was 61% vs. 43% in control. | Staff agreed.
Uptake in arm A vs. Usual care was low.
Grol et al. found the same. | We did not.
This was shown by Grol et al. | The present study differs.
This follows Grol et al. (2003) and others.
Dr. Smith and Prof. Jones led it. | Mr. Hale and Mrs. Poole helped.
They met at No. 3 and at No. 10. | No. | We left.
See Fig. 2 and Figs. 3 and 4. | Then see Ref. 7.
See Table 2. | Then go on.
It took approx. 30 min. per visit. | It paid.
It took 30 min. | Patients were pleased.
It took 36 h. | Patients were pleased.
St. Mary's took part. | St. Thomas' did not.
Most U.S. hospitals took part. | U.K. trusts did not.
The U.S. Department of Health paid. | It helped.
It was run in the U.S. | The aim was care.
It was run in the U.S. | METHODS: We asked nurses.
It was run in the U.K. | In 2005 it ended.
We used forms, calls, etc. | We then stopped.
We used forms, calls, etc. to remind them.
Forms (paper, online, etc.) were used. | They helped.
Care improved [12, 13]. | The rest did not.
Care improved.12 | The rest did not.
Care improved.1,2 | The rest did not.
Care improved.[3] | The rest did not.
Care improved. [3] | The rest did not.
Care improved.\u00b9\u00b2 | The rest did not.
The gain was 0.07 units. | It held at .05 and 1.5.
The 95% CI was 1.2-3.4. | It excluded 1.0.
The 95% CI was 0.57\u20130.71 (P = .03). | 25 patients left.
It had P = 0. 05 and P < . 001 at last. | We stopped.
It had P=0. 92 at last. | We stopped.
J. K. Smith and A. Jones led it. | They left.
M.E.P. Seligman argued this. | We do too.
They lacked vitamin D. | Patients were given some.
They had hepatitis C. | The clinic treated them.
They ranked it as Plan B. | We dropped it.
He said "We have no time." | Then he left.
He said \u201cWe have no time.\u201d | Then he left.
\u201cNo time.\u201d | \u201cNo money.\u201d | \u201cNo staff.\u201d
"Not now." said the nurse. | She left.
"Why me?" asked the nurse. | She left.
(See the appendix.) | The rest is here.
It asks "Is review required?" (yes or no). | It ends.
I was like\u2026 | We had no staff.
I was \u2026 well, tired. | Then I left.
I think ... I don't know. | Yes.
The minutes say "..." | The next page does not.
Who pays?! | Nobody knows.
Really?? | Yes!!! | Good.
we did it. | and then we stopped. | so that was it.
did it help? | yes it did.
We start at 10.30 a.m. | The ward opens then.
We start at 9 a.m. and stop at 5 p.m. on Mondays.
Rates rose. | 96% of nurses agreed. | 4116 had zoster.
Groups differed. | t-SNE showed it. | mHealth helped. | p53 did not. | eHealth did.
iPads were lent. | iPad use rose.
Staff lacked care.|Conclusions: We should act.
Half were men (25%).|There were few women.
The end came in 2005.|The next began.
Work is rising, not demands.|AI tools may help.
Adoption lags.|GPs need tools.
It is registered at ClinicalTrials.gov. | It ended. | See www.Example.Com/Path.Html or a.B@C.Org now.
Node.js and ASP.NET were used. | They worked.
Background | \\n|Time is short.
Objective: To ask nurses.|\\n\\n|Methods: We asked them.
We asked them|\\r\\n|\\r\\n|They told us
- Time|\\n|- Money|\\n|- Staff
\u2022 Time is short | \u2022 Money is short
1. Give time.|\\n|2. Give money.
We did this. | 1. Give time. | 2. Give money. | 10. Give staff.
Aims were: 1. to ask; 2. to hear; and 3. to act. | We did.
We did: (1) ask nurses; (2) hear them; (3) act. | It helped.
LEVEL OF EVIDENCE: 4. | The rest is here.
a) Ask. | b) Act.
The reminder came to every nurse on the ward at the start of the day\\nand was read. | It helped.
The reminder came to every nurse on the ward at the start of the day\\n  and was read. | It helped.
The reminder came to every nurse on the ward at the start of the day|\\n|\\n|and was read.
did you call the [REDACTED]? | so they came.
A rule .................... 5 is a rule. | It ends.
Patients with MS. | Incorporation of tele-care was late.
They came to the ED. | Nurses saw them.
They have a Ph.D. in nursing. | They teach.
It ran between Oct. 23 and Dec. 31, 1984. | Then it ended.
Acme Inc. | The maker paid for it.
Acme Inc. Boston paid for it. | It ended.
We ran MOVE! in clinics. | MOVE! is cheap.
The dose of ? blockers rose. | It fell.
See JAMA. 2000;283:2816-2821. | It is there.
A 24-mo. randomised trial ran. | It ended.
It was i.v. pamidronate. | It helped.
It ran at v. 3 and vol. 4, pp. 5. | It ended.
He came on the 5th. | I saw him.
So, yes. | [REDACTED]. | So that was it.
Thank you. | *(4.26 pm)*
Costs were low. | \u00a33 per day. | \u2265 3 visits.
Help! | \U0001f600 It works.
\u65f6\u95f4\u4e0d\u591f\u3002|\u6ca1\u6709\u94b1\u3002
\u0647\u0644 \u0646\u062c\u062d\u061f | \u0646\u0639\u0645.
Se excluyeron casos. | \u00c9tude faite. | \u00bfPor qu\u00e9? | No.
""".strip().splitlines()


@pytest.mark.parametrize("case", CASES)
def test_sentences_end_where_a_reader_ends_them(case: str) -> None:
    written = case.replace("\\n", "\n").replace("\\r", "\r")
    expected = [part.strip() for part in written.replace(" | ", "|").split("|") if part.strip()]
    text = written.replace(" | ", " ").replace("|", "")
    assert [text[start:end] for start, end in sentences(text)] == expected


def test_enough_cases() -> None:
    assert len(CASES) >= 80


def test_unpunctuated_speech_is_cut_at_commas_and_before_conjunctions() -> None:
    clause = "we kept asking for the forms but nobody had the time to print them for us, "
    text = (clause * 30).strip(", ")
    spans = sentences(text)
    assert all(15 <= len(text[start:end].split()) <= 60 for start, end in spans)
    assert all(text[end - 1] == "," or text[end + 1 :].startswith("but") for _, end in spans[:-1])
    unbroken = " ".join(["word"] * 500)
    assert sum(len(unbroken[a:b].split()) for a, b in sentences(unbroken)) == 500


def test_a_sentence_of_up_to_the_longest_stays_whole() -> None:
    text = " ".join(["word"] * 120) + "."
    assert sentences(text) == [(0, len(text))]
    assert len(sentences("And " + text)) > 1


def abstract(text: str, *sections: Section, title: str = "") -> Document:
    return Document(text, "abstract", title=title, sections=sections)


def transcript(*turns: tuple[str, str]) -> Document:
    text, spans = "", []
    for speaker, words in turns:
        text += f"{speaker}: "
        role = "interviewer" if speaker == "I" else "participant"
        spans.append(Turn(speaker, role, len(text), len(text) + len(words)))  # type: ignore[arg-type]
        text += f"{words}\n\n"
    return Document(text, "transcript", turns=tuple(spans))


def test_an_abstract_is_cut_within_its_sections() -> None:
    text = "Time is very short and so we ask Nurses said so. They left early."
    at = text.index("Nurses")
    first, second, third = segment(
        abstract(text, Section("Aim", 0, at), Section("Results", at, len(text)), title="Asking nurses"),
    )
    assert [p.section for p in (first, second, third)] == ["Aim", "Results", "Results"]
    assert first.text == "Time is very short and so we ask"
    assert first.context == "TITLE: Asking nurses"
    assert third.context == "TITLE: Asking nurses | PREV: Nurses said so."
    assert [p.ordinal for p in (first, second, third)] == [0, 1, 2]
    assert third.role is None


def test_text_between_sections_is_kept_and_has_no_section() -> None:
    text = "Before it all. Within it all. After it all."
    found = segment(abstract(text, Section("S", 15, 29)))
    assert [(p.text, p.section) for p in found] == [
        ("Before it all.", ""),
        ("Within it all.", "S"),
        ("After it all.", ""),
    ]
    assert [p.context for p in found] == ["", "PREV: Before it all.", "PREV: Within it all."]


def test_a_stray_label_goes_with_the_sentence_after_it() -> None:
    found = segment(abstract("Methods. We asked the nurses. They told us why. Thanks."))
    assert [p.text for p in found] == ["Methods. We asked the nurses.", "They told us why. Thanks."]
    assert [p.text for p in segment(abstract("Withdrawn."))] == ["Withdrawn."]
    assert segment(abstract(" \n… – \n")) == []
    assert segment(abstract("")) == []


def test_a_transcript_packs_sentences_and_remembers_the_question() -> None:
    answer = " ".join(f"Sentence number {n} has just seven words." for n in range(1, 21))
    found = segment(
        transcript(
            ("I", "What got in the way?"),
            ("P", answer),
            ("I", "Mm."),
            ("P", "And then we stopped it."),
            ("P2", "Yes."),
        )
    )
    assert [p.role for p in found] == ["interviewer", *["participant"] * 4]
    assert [len(p.text.split()) for p in found] == [5, 56, 56, 28, 5]
    assert {p.context for p in found[1:]} == {"What got in the way?"}
    assert found[0].context == ""
    assert found[0].speaker == "I"


def test_without_a_question_the_context_is_the_end_of_the_turn_before() -> None:
    long = " ".join(f"word{n}" for n in range(100)) + "."
    found = segment(transcript(("A", long), ("B", "I do agree."), ("I", "Why is that so?")))
    assert [p.context for p in found[1:]] == [" ".join(long.split()[-60:]), "I do agree."]


def test_the_tail_of_a_turn_is_not_lost() -> None:
    text = " ".join(["word"] * 59) + " end. Yes."
    assert [p.text for p in segment(transcript(("P", text)))] == [text]


def test_a_transcript_without_turns_is_cut_over_its_whole_text() -> None:
    text = " ".join(f"Sentence number {n} has just seven words." for n in range(1, 21))
    found = segment(Document(text, "transcript"))
    assert [len(p.text.split()) for p in found] == [56, 56, 28]
    assert found[1].context == found[0].text
    assert {(p.speaker, p.role) for p in found} == {("", None)}


def test_turns_that_overlap_or_come_out_of_order_still_give_ordered_passages() -> None:
    text = "one two three four. five six seven eight."
    turns = (Turn("B", "participant", 10, 500), Turn("A", "participant", 0, 19))
    found = segment(Document(text, "transcript", turns=turns))
    assert [p.text for p in found] == ["one two three four.", "five six seven eight."]


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="turn_words is 3"):
        Segmentation(turn_words=3)
    with pytest.raises(ConfigError, match="min_words is -1"):
        Segmentation(min_words=-1)


def test_a_lone_surrogate_is_no_reason_to_stop() -> None:
    text = "A broken \ud83d emoji. The rest is here."
    assert [text[a:b] for a, b in sentences(text)] == ["A broken \ud83d emoji.", "The rest is here."]


def test_importing_it_does_not_import_spacy() -> None:
    command = "import sys, qinlp.passages; sys.exit('spacy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


WORDS = (
    "care The the Dr. e.g. p = .05 No. 3 U.S. (n 4). end. end.\u201d Yes! \u2026 \u2022 1. ; , "
    "cafe\u0301 12 [12] "
    "\U0001f469\u200d\u2695\ufe0f \u0645\u0631\u062d\u0628\u0627\u061f \u200b \u3002 care.The "
    "\x00 \ufeff \u05e9\u05dc\u05d5\u05dd."
)
FRAGMENTS = st.sampled_from([*WORDS.split(" "), "\r\n", "\n", "\n\n", "\u00a0", "\u2028", "\x1f"])
TEXTS = st.one_of(
    st.lists(st.tuples(FRAGMENTS, st.sampled_from([" ", "", "  "])), max_size=200).map(
        lambda parts: "".join(word + gap for word, gap in parts),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)


def holds(document: Document, found: list) -> None:
    ends = 0
    for ordinal, passage in enumerate(found):
        assert document.text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip()
        assert passage.text
        assert passage.start >= ends
        assert passage.ordinal == ordinal
        ends = passage.end


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 300), max_size=6), st.integers(0, 8))
def test_an_abstract_keeps_every_letter_and_its_sections(text: str, cuts: list[int], fewest: int) -> None:
    edges = sorted(min(cut, len(text)) for cut in cuts)
    sections = [Section(str(n), a, b) for n, (a, b) in enumerate(pairwise(edges))]
    document = abstract(text, *sections)
    found = segment(document, Segmentation(min_words=fewest))
    holds(document, found)
    kept = {at for passage in found for at in range(passage.start, passage.end)}
    assert not [text[at] for at in range(len(text)) if at not in kept and text[at].isalnum()]
    for passage in found:
        assert not [edge for edge in edges if sections and passage.start < edge < passage.end]


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5), st.integers(10, 40), st.integers(0, 5))
def test_a_transcript_keeps_every_letter_of_the_turns_it_keeps(
    texts: list[str], most: int, fewest: int
) -> None:
    document = transcript(*(("I" if n % 2 else "P", text) for n, text in enumerate(texts)))
    found = segment(document, Segmentation(turn_words=most, min_words=fewest))
    holds(document, found)
    for turn in document.turns:
        inside = [p for p in found if turn.start <= p.start < turn.end]
        assert all(p.end <= turn.end and p.role == turn.role for p in inside)
        words = [w for w in document.text[turn.start : turn.end].split() if any(map(str.isalnum, w))]
        assert bool(inside) == (len(words) >= max(fewest, 1))
        if inside:
            kept = "".join(p.text for p in inside)
            said = document.text[turn.start : turn.end]
            assert [c for c in kept if c.isalnum()] == [c for c in said if c.isalnum()]


@settings(deadline=None)
@given(TEXTS)
def test_sentences_are_trimmed_ordered_and_the_same_each_time(text: str) -> None:
    spans = sentences(text)
    assert spans == sentences(text)
    flat = [at for span in spans for at in span]
    assert flat == sorted(flat)
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in spans)


def test_threads_share_the_pipeline_and_it_can_be_made_anew() -> None:
    texts = [f"Nurse{n} was asked{n}. Nurse{n} said so{n}." for n in range(400)]
    alone = [sentences(text) for text in texts]
    _pipeline.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sentences, texts)) == alone
