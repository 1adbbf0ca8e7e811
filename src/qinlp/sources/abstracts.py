# ruff: noqa: RUF001  # typographic quotes, dashes and wide colons are what it looks for
"""Structured abstracts: named parts found, headings taken out of the text, markup stripped.

Every reader of papers comes through here, so a heading is recognised alike in RIS, CSV, XML or a
pasted page. What counts as a heading is a grammar over the words that journals use (`Methods`,
`Design, setting and participants`, `Design/methodology/approach`), not a list of headings.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from qinlp.records import Section
from qinlp.sources.text import clean, squeezed, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAMES = vocabulary("""
    background introduction context rationale objective objectives aim aims purpose purposes goal goals
    hypothesis hypotheses question questions method methods methodology material materials design setting
    settings participants patients subjects sample population intervention interventions measure
    measures measurement measurements outcome outcomes data analysis analyses result results finding
    findings conclusion conclusions discussion interpretation implication implications limitation
    limitations significance relevance funding registration importance recommendation recommendations
    criteria dissemination exposure exposures summary procedure procedures approach originality value
    strengths highlights evidence sources extraction synthesis selection search problem scope evaluation
    lessons innovation perspectives contribution contributions prospero reviewers issue assessment
    comparison
""")
_JOINING = vocabulary("""
    and or of the for in to with on & what this
""")
_HEADS = vocabulary("""
    background introduction objective objectives aim aims purpose methods method results conclusion
    conclusions discussion findings registration funding interpretation
""")
"""Headings that end where a capital follows: `Results Patients who ...` is Results."""
_QUALIFYING = vocabulary("""
    main key major primary secondary study studies research trial clinical practice practical
    statistical principal specific authors authors' author's public patient care health social societal
    theoretical level lay plain language eligibility inclusion exclusion type number ethics nursing
    quality improvement review local solution collection source policy contribution no new managerial
    identifier information future brief reporting existing relevant
""")
_KNOWN = _NAMES | _QUALIFYING | {"what"}
_FIRST = re.compile(r"[A-Za-z’']+")
_WORD = r"[A-Za-z][A-Za-z’']*"
_WORDS = re.compile(rf"{_WORD}(?:(?:\s*[/&,]\s*|[ \t]+&[ \t]+|[ \t-]+){_WORD}){{0,7}}")
_STARTS = re.compile(r"(?:\A|\n|(?<=[.!?)\]”\"’;]))\s*")
_MARK = re.compile(r"[ \t]*(?:[:：]|\.?[ \t]?[—–]|[ \t]-(?=[ \t]))\s*")
_ALONE = re.compile(r"[ \t]*\n\s*")
_CAPITALS = re.compile(r"[A-Z][A-Z’'-]+(?:(?: |, | ?/ ?| & )[A-Z][A-Z’'-]+){1,6}(?=:)")
_AFTER_CAPITALS = re.compile(r"\.?\s+(?=[A-Z]?[0-9“\"'(‘≥<>]|[A-Z][a-z]|[AI] |[A-Z]+[a-z])")
_PREFIX = re.compile(r"\A\s*(?:abstract|summary)\b\s*(?:[:.：—-]\s*|\n+|\s+(?=[A-Z]))(?=\S)", re.IGNORECASE)
_OWNER = (
    r"(?:All rights reserved|Ltd|Inc|B\.V|GmbH|LLC|S\.A|Co|Authors?(?:\(s\))?|Association|Society|University"
)
_OWNER += r"|Publishing Group|Press|License|International)"
_RIGHTS = re.compile(
    r"""\s*(?:
    (?:copyright\s*)?(?:©|\(c\)(?=\s*(?:the|copyright|(?:19|20)\d\d)))\s*(?:copyright\s*)?
    \D{0,60}?(?:19|20)\d\d\b
    |copyright,?\s+(?:19|20)\d\d\b|\(PsycINFO\ Database\ Record|this\ article\ is\ protected\ by\ copyright
    )[^\n]{0,300}\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_LEADING_RIGHTS = re.compile(rf"\A©\s*(?:(?:19|20)\d\d)?[^.\n]{{0,90}}?(?:{_OWNER}\b[ .,]*)+(?=[A-Z])")
_NOTHING = vocabulary("""
    n/a, na, nan, none, null, -, [no abstract available], no abstract available, no abstract, not available,
    abstract not available, no abstract available.
""")
_TAG = re.compile(
    r"</?(?:jats:|mml:)?(?:p|div|span|section|sec|title|h[1-6]|br|b|strong|i|em|u|sub|sup|inf|ul|ol|li|list"
    r"|list-item|table|tr|td|th|tbody|a|font|small|italic|bold|abstract|article|body|html|math|mi|mo|mn|mrow"
    r"|msub|msup|sc|ext-link|xref|inline-formula|hr|label|abstracttext|blockquote|pre|code|img)\b[^<>]*/?>",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    r"</?(?:jats:)?(?:p|div|sec|section|br|li|list-item|tr|ul|ol|hr|blockquote|abstracttext)\b", re.IGNORECASE
)
_HEADING_TAG = re.compile(
    r"<((?:jats:)?(?:h[1-6]|title|label))\b[^<>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL
)
_BOLD = re.compile(r"<(b|strong|bold|jats:bold|i|em)\b[^<>]*>([^<>]{2,60})</\1\s*>\s*[:.]?\s*", re.IGNORECASE)

Part = tuple[str, str]
"""(heading, words); the heading is "" for words under none."""


@lru_cache(maxsize=8192)
def is_heading(words: str) -> bool:
    """Tell whether `words` are a heading that structured abstracts use, e.g. `Setting and participants`."""
    if len(words) > 90:
        return False
    parts = [part for part in re.split(r"[\s/,&-]+", words.lower().replace("’", "'")) if part]
    if not parts or len(parts) > 8 or parts[0] in _JOINING - {"what"} or parts[-1] in _JOINING:
        return False
    known = all(part in _NAMES or part in _JOINING or part in _QUALIFYING for part in parts)
    return known and any(part in _NAMES for part in parts)


def plain(markup: str) -> str:
    """Return text without HTML or JATS: tags gone, blocks on lines of their own, entities resolved."""
    if "<" not in markup and "&" not in markup:
        return markup
    for _ in range(2):  # a CSV export may hold entities of tags
        markup = _TAG.sub(lambda tag: "\n" if _BLOCK.match(tag[0]) else "", markup)
        resolved = html.unescape(markup)
        if resolved == markup:
            break
        markup = resolved
    return markup


def parts_of(abstract: str) -> list[Part]:
    """Split an abstract, plain or with HTML, into its named parts."""
    if not abstract.strip() or abstract.strip().lower() in _NOTHING:
        return []
    abstract = clean(abstract)
    if "&lt;" in abstract:
        abstract = html.unescape(abstract)
    abstract = _BOLD.sub(
        lambda m: f"{m[2].strip(' :.')}: " if is_heading(m[2].strip(" :.")) else m[0], abstract
    )
    pieces = _HEADING_TAG.split(abstract)
    found = list(_inline(plain(pieces[0])))
    for label, words in zip(pieces[2::3], pieces[3::3], strict=True):
        name = squeezed(plain(label)).strip(" :")
        inner = list(_inline(plain(words)))
        if name.lower() == "abstract":
            name = ""
        found += [(name, inner[0][1]), *inner[1:]] if inner and not inner[0][0] else inner
    return found


def assembled(parts: Iterable[Part]) -> tuple[str, tuple[Section, ...]]:
    """Return the text of the parts, a blank line between them, and the spans of the named ones.

    A heading's words stand in the section's name and nowhere in the text. A statement of copyright
    at either end is not what the authors found and is left out.
    """
    paragraphs = [(_name(name), squeezed(words)) for name, words in parts]
    paragraphs = [(name, words) for name, words in paragraphs if words]
    if paragraphs:
        paragraphs[0] = (paragraphs[0][0], _LEADING_RIGHTS.sub("", paragraphs[0][1]).strip())
        paragraphs[-1] = (paragraphs[-1][0], _RIGHTS.sub("", paragraphs[-1][1]).strip())
        paragraphs = [(name, words) for name, words in paragraphs if words]
    sections = []
    at = 0
    for name, words in paragraphs:
        if name:
            sections.append(Section(name, at, at + len(words)))
        at += len(words) + 2
    return "\n\n".join(words for _, words in paragraphs), tuple(sections)


def structured(abstract: str) -> tuple[str, tuple[Section, ...]]:
    """Return the text and the sections of an abstract as any source gives it."""
    return assembled(parts_of(abstract))


def _name(label: str) -> str:
    label = squeezed(label).strip(" :.")
    return label.capitalize() if label.isupper() else label[:1].upper() + label[1:]


def _inline(text: str) -> Iterator[Part]:
    """Yield the parts of plain text at `Methods: ...`, `METHODS ...`, and `Methods ...` if it is the rule."""
    text = _PREFIX.sub("", text, count=1)
    certain, likely = [], []
    end = -1
    for start in _STARTS.finditer(text):
        at = start.end()
        if at < end or (words := _WORDS.match(text, at)) is None:
            continue
        own_line = start[0] == "" or "\n" in start[0]
        if (capitals := _CAPITALS.match(text, at)) and re.search(r"[A-Z]{5}", capitals[0]):
            end = _MARK.match(text, capitals.end()).end()  # type: ignore[union-attr] # the colon is there
            certain.append((start.start(), capitals[0], end))
            continue
        if _FIRST.match(words[0])[0].lower() not in _KNOWN:  # type: ignore[index] # it begins with a letter
            continue
        for candidate in _prefixes(words[0]):
            if not is_heading(candidate):
                continue
            after = at + len(candidate)
            if (
                ((mark := _MARK.match(text, after)) and (candidate[0].isupper() or own_line))
                or (
                    candidate.isupper()
                    and len(candidate) > 3
                    and (mark := _AFTER_CAPITALS.match(text, after))
                )
                or (own_line and (mark := _ALONE.match(text, after)))
            ):
                certain.append((start.start(), candidate, mark.end()))
            elif _well_cased(candidate) and (mark := _AFTER_CAPITALS.match(text, after)):
                likely.append((start.start(), candidate, mark.end()))
            else:
                continue
            end = mark.end()
            break
    if not certain and len(likely) > 2 and not text[: likely[0][0]].strip():
        certain = likely
    at, name = 0, ""
    for start_at, heading, words_at in certain:
        yield name, text[at:start_at]
        at, name = words_at, heading
    yield name, text[at:]


def _well_cased(heading: str) -> bool:
    """Tell whether a heading without a colon is one: `Main outcome measures` or `Main Outcome Measures`."""
    words = [word for word in re.split(r"[\s/,&-]+", heading) if word.lower() not in _JOINING]
    capitals = [word[0].isupper() for word in words]
    if not capitals[0] or (any(capitals[1:]) and not all(capitals)):
        return False
    mixed = re.search(r"[a-z’'] ([A-Z])", heading)
    return not (mixed and words[0].lower() in _HEADS) and not re.search(
        r" (?:The|This|In|To|For|Of|On|With)\b", heading
    )


def _prefixes(words: str) -> Iterator[str]:
    """Yield `words`, then without the last word, and so on: the longest heading wins."""
    yield words
    for gap in reversed(list(re.finditer(r"[\s/,&-]+", words))):
        yield words[: gap.start()]
