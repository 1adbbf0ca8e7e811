"""Whether two records are one paper, judged from what they say of themselves.

An identifier decides where both carry one of its scheme. Where they do not, titles are compared
word by word rather than letter by letter, because in titles one word makes another paper (part I
and part II, men and women, a protocol and its results), and the rest of the record has to agree.
What stays doubtful is left to people. A preprint and the article it became are two papers, linked.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qinlp.records import Document, family_name, folded, is_nameless, is_preprint

Decision = Literal["same", "different", "doubtful", "preprint"]
"""preprint: one is the preprint of the other."""
Nature = Literal["preprint", "article", ""]
"""What a record is; "" where it has neither identifier nor journal to tell."""

NEAR = 0.85
"""Titles so alike, as rapidfuzz's ratio of their sorted words, may be one title changed. Of 19,282 pairs of
neighbours among 4,052 titles on a few topics 20 are."""
BEGUN = 0.94
"""A title that begins so alike, over the length of the shorter, is the other one cut short or gone on:
a slip in twenty letters."""
RETITLED = 0.97
"""Abstracts that begin so alike may be one text under two titles. Seven of those 19,282 pairs do:
reviews of one series that share a background. So this alone joins nothing."""
ABSTRACT_ALIKE, ABSTRACT_UNLIKE = 0.9, 0.5
"""How alike abstracts begin. Two texts on one topic lie between 0.41 and 0.51 (98 of 100 pairs); of twelve
abstracts found twice ten are above 0.9, trimmed and retyped though some are."""
WORDS_OF_A_TITLE = 3
"""Titles of fewer words that mean something (Editorial, Reply to Berg, Introduction) name no paper."""
WORDS_OF_A_LONG_TITLE = 6
"""A title of so many is nobody else's, even where nothing but its year or journal confirms it."""
SLIP_FROM = 6
"""In shorter words one letter makes another word (man, men); in longer ones it is a slip or a spelling
(paediatric, behavior)."""
OPENING_WORDS = 60

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,40}>")
_BREAK = re.compile(r"[:?.;]\s|\s[-\u2013\u2014]\s|[\u2013\u2014]|--")
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
    a an and as at by for from in into is of on or the to with der die das und le la les et de des el
    los
    """,
    )
)
_ADDED = frozenset(
    re.findall(
        r"\w+",
        """
    protocol pilot feasibility erratum corrigendum correction retraction retracted reply response
    comment commentary letter editorial author authors update updated part phase follow followup
    extension secondary subgroup reanalysis rationale design baseline abstract poster supplement
    addendum preface introduction ii iii iv v vi vii viii ix x month months year years
    """,
    )
)
"""Words that, added to a title, make another paper of it."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What is compared of a record; anything but the name may be missing."""

    name: str
    """What the store calls it."""
    title: tuple[str, ...] = ()
    """Its words, folded."""
    main: tuple[str, ...] = ()
    """Those before the subtitle."""
    year: int | None = None
    authors: tuple[str, ...] = ()
    """Family names, folded, in order."""
    journal: tuple[str, ...] = ()
    volume: str = ""
    page: str = ""
    """The first page, or the article's number."""
    opening: tuple[str, ...] = ()
    """The first words of the abstract, folded."""
    identifiers: frozenset[str] = frozenset()
    """As `scheme:value`, as in `Document.keys`."""
    related: frozenset[str] = frozenset()
    """Identifiers of its preprint, or of the article it became, where a source says so."""
    nature: Nature = ""
    nameless: bool = False
    """Whether its title, such as Editorial, names no paper."""

    @property
    def numbers(self) -> frozenset[str]:
        """Figures in the title."""
        return frozenset(word for word in self.title if any(c.isdigit() for c in word))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of comparing two papers."""

    decision: Decision
    score: float
    """From 0 (nothing alike) to 1; what is in doubt is sorted by it."""
    reason: str


def paper(
    name: str,
    *,
    title: str = "",
    text: str = "",
    authors: Iterable[str] = (),
    year: int | None = None,
    journal: str = "",
    keys: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Paper:
    """Return what is compared of a record whose names are `keys`, of any scheme."""
    extra = metadata or {}
    words = _words(title)
    identifiers = published(keys)
    stated = relations(extra)
    preprint = is_preprint(identifiers, extra, journal) or any(kind == "preprint of" for kind, _ in stated)
    return Paper(
        name=name,
        title=words,
        main=_main(title) or words,
        year=year,
        authors=tuple(family for author in authors if (family := family_name(author))),
        journal=_journal(journal),
        volume=_number(extra.get("volume")),
        page=_number(extra.get("pages")),
        opening=_words(text[: 12 * OPENING_WORDS])[:OPENING_WORDS],
        identifiers=identifiers,
        related=frozenset(key for _, key in stated),
        nature="preprint" if preprint else "article" if identifiers or journal else "",
        nameless=is_nameless(title),
    )


def of(document: Document, name: str = "") -> Paper:
    """Return what is compared of a document."""
    return paper(
        name or document.keys[0],
        title=document.title,
        text=document.text,
        authors=document.authors,
        year=document.year,
        journal=document.journal,
        keys=document.keys,
        metadata=document.metadata,
    )


def published(keys: Iterable[str]) -> frozenset[str]:
    """Return the identifiers among the names of a document."""
    return frozenset(key for key in keys if _scheme(key) in _SAID)


def nature(keys: Iterable[str]) -> Nature:
    """Tell from a document's names what it is."""
    identifiers = published(keys)
    return "preprint" if is_preprint(identifiers, {}) else "article" if identifiers else ""


def relations(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (type, key) of the preprints or articles that a record says it belongs to.

    `preprint of` stands in a preprint, before its article; `published as` in an article, before its preprint.
    """
    given = metadata.get("related")
    if not isinstance(given, list):
        return []
    found = [
        (str(one.get("type")), str(one.get("id")))
        for one in given
        if isinstance(one, dict) and one.get("type") in ("preprint of", "published as") and one.get("id")
    ]
    return [(kind, _as_key(key)) for kind, key in found]


def blocks(paper: Paper) -> tuple[str, ...]:
    """Return what two papers have in common, one at least, if they are to be compared.

    Ends of the title and of its main part outlive a lost subtitle, a cut title and most slips; its
    longest words another order; author and year a short title; the abstract another title or none; the
    place in a journal all of them.
    """
    words = [word for word in paper.title if word not in _STOP]
    main = [word for word in paper.main if word not in _STOP]
    whose = () if len(words) >= WORDS_OF_A_TITLE else (str(paper.year or ""), *paper.authors[:1])
    found = []
    if words:
        found.append(("who", *paper.authors[:1], str(paper.year or ""), words[0]))
        longest = sorted(sorted(set(main)), key=len, reverse=True)[:3]
        found += [
            ("start", *words[:3], *whose),
            ("end", *words[-3:], *whose),
            ("main", *main[-3:], *whose),
            ("long", *sorted(longest), *whose),
        ]
    if len(paper.opening) >= 16:
        found += [("text", *paper.opening[:8]), ("then", *paper.opening[8:16])]
    if paper.volume and paper.page and paper.authors:
        found.append(("place", paper.authors[0], paper.volume, paper.page))
    return tuple(dict.fromkeys(f"{kind}:{' '.join(rest)}" for kind, *rest in found)) or (
        f"name:{paper.name}",
    )


def compare(a: Paper, b: Paper) -> Verdict:
    """Tell whether two records are one paper; it is the same whichever comes first.

    A shared identifier makes them the same. Two different ones of one scheme never do: at most the
    one is the preprint of the other, or it is for people to say. Without a scheme in common the title
    has to be the same but for slips, spelling, markup or a lost subtitle, nothing may speak against it,
    and something else has to speak for it.
    """
    if shared := a.identifiers & b.identifiers:
        return Verdict("same", 1.0, f"both are {min(shared)}")
    if a.related & b.identifiers or b.related & a.identifiers:
        return Verdict("preprint", 1.0, "a source says that one is the preprint of the other")
    title, likeness = _titles(a, b)
    seen = _evidence(a, b)
    score = round(0.6 * likeness + 0.4 * sum((e + 1) / 2 for e in seen.values()) / len(seen), 3)
    reason = _reason(title, seen)
    apart = sorted(_scheme(key) for key in a.identifiers if _schemes(b) >= {_scheme(key)})
    if {a.nature, b.nature} == {"preprint", "article"}:
        decision = _preprint(title, seen)
    elif apart:
        decision = _two_identifiers(a, b, title, seen)
        reason = f"two {_SAID.get(apart[0], apart[0])}s; {reason}"
    else:
        decision = _alike(a, b, title, seen)
    return Verdict(decision, score, reason)


def conflict(a: Iterable[str], b: Iterable[str]) -> str:
    """Return the scheme of which both have identifiers, and none in common; "" where there is none."""
    ours, theirs = published(a), published(b)
    if ours & theirs:
        return ""
    both = {_scheme(key) for key in ours} & {_scheme(key) for key in theirs}
    return _SAID.get(first := min(both), first) if both else ""


# --- what is decided ------------------------------------------------------------------------------


def _alike(a: Paper, b: Paper, title: str, seen: Mapping[str, int]) -> Decision:
    against = {name for name, sign in seen.items() if sign < 0}
    settled = seen["abstract"] > 0 or seen["place"] > 0
    whose = seen["author"] > 0
    if title == "missing":
        if against or seen["abstract"] <= 0:
            return "different"
        return "same" if _retitled(a, b) and whose else "doubtful"
    if title == "unlike":
        return "doubtful" if _retitled(a, b) and not against & {"author", "year"} else "different"
    if title in ("near", "begun"):
        if "author" in against or (title == "near" and not settled):
            return "different"
        if whose and not against and (seen["place"] > 0 or _retitled(a, b)):
            return "same"
        return "doubtful" if settled or (whose and len(against) < 2) else "different"
    if "author" in against:
        return "doubtful" if seen["abstract"] > 0 else "different"
    weight = min(_weight(a), _weight(b))
    if a.nameless or b.nameless or weight < WORDS_OF_A_TITLE:
        if against or not (whose or settled):
            return "different"
        return "same" if settled and (whose or seen["abstract"] > 0) else "doubtful"
    if settled or (title == "same" and whose and seen["year"] > 0 and seen["journal"] > 0):
        against -= {"journal", "abstract"}  # other names of one journal, a trimmed or retyped abstract
    if against:
        return "doubtful"
    if title == "same":
        named = weight >= WORDS_OF_A_LONG_TITLE and (seen["year"] > 0 or seen["journal"] > 0)
        return "same" if whose or settled or named else "doubtful"
    alone = not a.opening or not b.opening
    sure = settled or (alone and whose and (seen["year"] > 0 or seen["journal"] > 0))
    return "same" if sure else "doubtful"


def _two_identifiers(a: Paper, b: Paper, title: str, seen: Mapping[str, int]) -> Decision:
    one_paper = title in _ONE_TITLE and all(sign >= 0 for sign in seen.values()) and seen["author"] > 0
    generic = (a.nameless or b.nameless) and seen["abstract"] <= 0
    return "doubtful" if one_paper and not generic else "different"


def _preprint(title: str, seen: Mapping[str, int]) -> Decision:
    if seen["author"] < 0 or title in ("unlike", "missing"):
        return "doubtful" if seen["abstract"] > 0 and seen["author"] > 0 else "different"
    if seen["author"] > 0 or seen["abstract"] > 0:
        return "preprint"
    return "doubtful"


_ONE_TITLE = ("same", "respelt", "shortened")
_SAID = {"doi": "DOI", "pmid": "PMID", "pmcid": "PMCID", "openalex": "OpenAlex id", "epmc": "Europe PMC id"}
_TITLE_SAID = {
    "same": "same title",
    "respelt": "same title, spelt otherwise",
    "shortened": "same title, one shorter",
    "near": "titles much alike",
    "begun": "one title begins like the other",
    "unlike": "other title",
    "missing": "no title to compare",
}


def _reason(title: str, seen: Mapping[str, int]) -> str:
    agree = [name for name, sign in seen.items() if sign > 0]
    differ = [name for name, sign in seen.items() if sign < 0]
    said = _TITLE_SAID[title]
    said += f"; {', '.join(agree)} agree{'s' if len(agree) == 1 else ''}" if agree else ""
    return said + (f"; {', '.join(differ)} differ{'s' if len(differ) == 1 else ''}" if differ else "")


# --- what is compared -----------------------------------------------------------------------------


def _titles(a: Paper, b: Paper) -> tuple[str, float]:
    """Return how two titles stand to each other, and their likeness from 0 to 1."""
    from rapidfuzz import fuzz

    if not a.title or not b.title:
        return "missing", 0.5
    if "".join(a.title) == "".join(b.title):
        return "same", 1.0
    likeness = fuzz.ratio(" ".join(sorted(a.title)), " ".join(sorted(b.title))) / 100
    if _respelt(a.title, b.title) or sorted(a.title) == sorted(b.title):
        return "respelt", likeness
    short, long = sorted((a, b), key=lambda paper: len("".join(paper.title)))
    if _shortened(short.title, long.title, long.main):
        return "shortened", max(likeness, 0.95)
    if likeness >= NEAR:
        return "near", likeness
    return ("begun" if _begun(" ".join(short.title), " ".join(long.title)) else "unlike"), likeness


def _respelt(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Tell slips and spellings: words apart or together, one letter in a long word, articles and the like."""
    from rapidfuzz.distance import Levenshtein

    slips = 0
    for step in Levenshtein.opcodes(a, b):
        if step.tag == "equal":
            continue
        ours, theirs = a[step.src_start : step.src_end], b[step.dest_start : step.dest_end]
        mine, yours = "".join(ours), "".join(theirs)
        if mine == yours or {*ours, *theirs} <= _STOP - {"with"}:
            continue
        if not _slip(mine, yours):
            return False
        slips += 1
    return slips <= 2


def _slip(one: str, other: str) -> bool:
    from rapidfuzz.distance import OSA

    short, long = sorted((one, other), key=len)
    if len(long) < SLIP_FROM or not (one + other).isalpha():
        return False
    ending = long.startswith(short) and len(short) >= SLIP_FROM and len(long) - len(short) <= 2
    return ending or OSA.distance(one, other) <= 1


def _shortened(short: tuple[str, ...], long: tuple[str, ...], main: tuple[str, ...]) -> bool:
    """Tell a title that lost its subtitle or was cut off, maybe within a word, from another paper's."""
    if len([word for word in short if word not in _STOP]) <= WORDS_OF_A_TITLE:
        return False
    kept = len(short) - 1
    cut = short[:kept] == long[:kept] and long[kept].startswith(short[kept])
    if not cut and not _respelt(short, main):
        return False
    rest = long[len(short) :]
    return not any(word in _ADDED or any(c.isdigit() for c in word) for word in rest)


def _begun(short: str, long: str) -> bool:
    """Tell a title that goes on where the other ends: cut off with a slip in it, or another paper's."""
    from rapidfuzz import fuzz

    return len(short) >= SLIP_FROM and fuzz.ratio(short, long[: len(short)]) / 100 >= BEGUN


def _evidence(a: Paper, b: Paper) -> dict[str, int]:
    """Return what speaks for one paper (1), against it (-1) or neither (0)."""
    return {
        "author": _authors(a.authors, b.authors),
        "year": 0 if not a.year or not b.year else {0: 1, 1: 0}.get(abs(a.year - b.year), -1),
        "journal": _journals(a.journal, b.journal),
        "place": _places(a, b),
        "abstract": _abstracts(a.opening, b.opening),
    }


def _authors(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if not a or not b:
        return 0
    common = set(a) & set(b)
    if a[0] == b[0] or 2 * len(common) > min(len(set(a)), len(set(b))):
        return 1
    return 0 if common else -1


def _journals(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Compare names of journals: whole, abbreviated word by word, or to their initials."""
    if not a or not b:
        return 0
    short, long = sorted((a, b), key=lambda words: (len("".join(words)), words))
    if len(short) == 1 and short[0] == "".join(word[0] for word in long):
        return 1
    if len(short) == len(long) and all(
        x.startswith(y) or y.startswith(x) for x, y in zip(short, long, strict=True)
    ):
        return 1
    rest = iter(long)
    return 1 if all(any(word.startswith(part) for word in rest) for part in short) else -1


def _places(a: Paper, b: Paper) -> int:
    if not a.page or not b.page:
        return 0
    if a.page == b.page:
        return 1 if a.volume == b.volume != "" else 0
    return -1 if a.volume == b.volume and a.page.isdigit() and b.page.isdigit() else 0


def _abstracts(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if min(len(a), len(b)) < 8:
        return 0
    likeness = _common(a, b)
    return 1 if likeness >= ABSTRACT_ALIKE else -1 if likeness < ABSTRACT_UNLIKE else 0


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    from rapidfuzz import fuzz

    length = min(len(a), len(b))
    return fuzz.ratio(" ".join(a[:length]), " ".join(b[:length])) / 100


def _retitled(a: Paper, b: Paper) -> bool:
    """Tell one abstract under two titles, of which none counts what the other does not: part 1, part 2."""
    full = min(len(a.opening), len(b.opening)) >= OPENING_WORDS // 2
    counted = a.numbers == b.numbers or not a.title or not b.title
    return full and counted and _common(a.opening, b.opening) >= RETITLED


# --- how a record is read -------------------------------------------------------------------------


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a text: no markup, Greek letters by name, no case, accents or punctuation."""
    plain = _TAG.sub("", html.unescape(text)).replace("&", " and ")
    if any("\u0370" <= c <= "\u03ff" for c in plain):
        plain = "".join(_greek(c) for c in plain)
    return tuple(folded(plain.replace("'", "").replace("\u2019", "")).split())


def _greek(c: str) -> str:
    if not "\u0370" <= c <= "\u03ff":
        return c
    name = unicodedata.name(c, "").split("LETTER ")[-1].split()
    return f" {name[0].lower()} " if name else c


def _main(title: str) -> tuple[str, ...]:
    """Return the words before the subtitle, if they are enough to be a title."""
    words = _words(_BREAK.split(title.strip(" .[]"), maxsplit=1)[0])
    return words if len([word for word in words if word not in _STOP]) >= 2 else ()


def _journal(name: str) -> tuple[str, ...]:
    bare = re.split(r"\s*[:(=]|\s/\s|\.\s(?=[A-Z][a-z]+\sed)", name)[0]
    return tuple(word for word in _words(bare) if word not in _STOP)


def _number(value: Any) -> str:
    """Return a volume or a first page as it is compared: `P123-9` is `p123`."""
    found = re.match(r"[a-z]*0*(\w+)", folded(str(value or "")))
    return found[0].lstrip("0") if found else ""


def _weight(paper: Paper) -> int:
    return len([word for word in paper.title if word not in _STOP])


def _as_key(identifier: str) -> str:
    """Return an identifier as `Document.keys` writes it."""
    scheme, _, value = identifier.partition(":")
    return f"{scheme}:{value.lower() if scheme == 'doi' else value}"


def _scheme(key: str) -> str:
    return key.partition(":")[0]


def _schemes(paper: Paper) -> set[str]:
    return {_scheme(key) for key in paper.identifiers}
