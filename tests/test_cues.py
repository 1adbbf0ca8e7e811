"""Cue words: what passages that hold a code say more often than others."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from qinlp.analysis import cues
from qinlp.analysis.cues import mark

TEXTS = [
    *((f"Nobody gave us any money or funding for the ward, number {n}.", {"cost"}) for n in "abcdefghij"),
    *((f"The training was short for the ward, number {n}.", {"learning"}) for n in "abcdefghij"),
    *((f"It was a day for the ward like any other, number {n}.", set()) for n in "abcdefghij"),
]


def test_cues_are_words_that_one_code_has_more_often():
    found = cues.cues(TEXTS)
    assert {"money", "funding"} <= set(found["cost"])
    assert "training" in found["learning"]
    assert not {"ward", "number", "training"} & set(found["cost"])


def test_the_z_score_is_that_of_the_paper():
    # by hand, Monroe et al.'s equations 15, 16 and 22
    bags = [({w.casefold() for w in re.findall(r"\w{3,}", text)}, codes) for text, codes in TEXTS]
    everywhere = sum(len(bag) for bag, _ in bags)
    here = sum(len(bag) for bag, codes in bags if "cost" in codes)
    of_word, of_all = cues.PRIOR * 10, cues.PRIOR * everywhere
    odds = math.log((10 + of_word) / (here + of_all - 10 - of_word))
    against = math.log(of_word / (everywhere - here + of_all - of_word))
    z = (odds - against) / math.sqrt(1 / (10 + of_word) + 1 / of_word)
    assert math.isclose(cues.cues(TEXTS)["cost"]["money"], z)


def test_a_cue_stands_in_several_passages():
    assert cues.cues([("unheard unheard unheard unheard", {"a"}), ("something else", set())]) == {"a": {}}


@given(st.text(max_size=60))
def test_marks_are_words_of_the_text(text):
    words = {"a": {text[s:e].casefold(): 3.0 for s, e in cues._words(text)}, "b": {"money": 9.0}}
    marked = mark(text, words, ["a", "b"])
    assert [(s, e) for s, e, _ in marked] == list(cues._words(text))
    assert all(text[s:e].casefold() in words[code] for s, e, code in marked)
    assert mark(text, words, []) == []


def test_a_word_goes_to_the_code_that_it_is_surest_for():
    words = {"cost": {"money": 4.0}, "support": {"money": 5.0}}
    assert mark("No Money", words, ["cost", "support"]) == [(3, 8, "support")]
    assert mark("No Money", words, ["cost"]) == [(3, 8, "cost")]
