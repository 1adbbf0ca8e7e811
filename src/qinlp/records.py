"""What flows between the rooms: frozen records, and the ids that name them.

All offsets are Unicode code points into `Document.text` (Python string indices), never bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Self

Kind = Literal["abstract", "transcript"]
Role = Literal["participant", "interviewer"]

_SERVERS = re.compile(
    r"doi:10\.(?:1101/\d|64898/|21203/rs|2139/ssrn|31234/|31219/|31235/|31222/|48550/|20944/preprints|36227/|"
    r"26434/chemrxiv|22541/au|32942/|35542/|51224/|1590/scielopreprints|2196/preprints)"
)
"""DOIs of preprint servers: bioRxiv and medRxiv, Research Square, SSRN, PsyArXiv and OSF's others, arXiv,
Preprints.org, TechRxiv, ChemRxiv, Authorea, EcoEvoRxiv, EdArXiv, SportRxiv, SciELO, JMIR."""
_SERVER_NAMES = re.compile(
    r"(?:bio|med|psy|soc|chem|tech|ed|eco ?evo|sport)?a?r[xχ]iv\b|ssrn\b|research square|preprints|authorea",
    re.IGNORECASE,
)
_NAMELESS = frozenset(
    re.findall(
        r"\w+",
        """
    a an and by for from in is of on the to with this abstract abstracts announcement announcements
    author authors comment commentary contents correction corrections corrigendum discussion editor
    editorial editors erratum foreword index introduction issue letter letters news note obituary
    overview preface reply response review reviews summary
    """,
    )
)
"""Words of titles that many papers have: Editorial, Reply to the Letter, In this issue."""


def content_hash(*parts: str) -> str:
    """Return 32 hexadecimal digits of the SHA-256 of `parts`, which are kept apart by a zero byte."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Tally:
    """What was done, in fields that add up: numbers, lists, or tallies again. For frozen dataclasses."""

    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        names = [f.name for f in fields(self)]  # type: ignore[arg-type]
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of a document (Background, Methods, ...): `document.text[start:end]`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says until the next one does: `document.text[start:end]`, label excluded."""

    speaker: str
    role: Role
    start: int
    end: int
    seconds: float | None = None
    """Where the turn starts in the recording, in seconds, if the source says."""


@dataclass(frozen=True, slots=True)
class Document:
    """One paper's abstract or one interview, clean, as a reader gives it.

    `text` is what people said or wrote and nothing else: section headings, markup and navigation
    lines are gone, and a transcript shows `Speaker: words`, a blank line between turns.
    """

    text: str
    kind: Kind
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    journal: str = ""
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    openalex: str = ""
    keywords: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    language: str = ""
    sections: tuple[Section, ...] = ()
    turns: tuple[Turn, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else worth keeping (JSON values): volume, url, site, record number ..."""
    source: str = ""
    """The place it was read from: a path or a search."""
    record: str = ""
    """The record within the source: its number or key, as an error message would name it."""

    @property
    def text_hash(self) -> str:
        """Names this version: the same text of the same document is the same version."""
        return content_hash(self.text)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every name this document goes by, strongest first, as `scheme:value`.

        Two records that share a published identifier are the same document. Title, year and first
        author name a paper too, for records that carry no identifier; a title such as Editorial needs
        journal, pages and text beside, and a preprint has another name than its article. What has none
        of these is known by its content and by its place, so that a corrected transcript is a new
        version of the same document.
        """
        epmc = str(self.metadata.get("epmc", ""))
        found = [
            f"{scheme}:{value}"
            for scheme, value in (
                ("doi", self.doi.lower()),
                ("pmid", self.pmid),
                ("pmcid", self.pmcid.upper()),
                ("openalex", self.openalex.upper()),
                ("epmc", epmc if epmc.startswith("PPR/") else ""),
            )
            if value
        ]
        if self.kind == "abstract" and self.title:
            known = [folded(self.title), str(self.year or ""), *map(family_name, self.authors[:1] or ("",))]
            if is_nameless(self.title):
                known += [
                    self.journal,
                    *(str(self.metadata.get(k, "")) for k in ("volume", "pages")),
                    self.text,
                ]
            if is_preprint(found, self.metadata, self.journal):
                known.append("preprint")
            found.append(f"title:{content_hash(*known)[:16]}")
        if not found:
            found.append(f"text:{content_hash(self.kind, self.text)[:16]}")
            if self.source and (self.kind == "transcript" or not self.record):
                found.append(f"file:{self.source}" + (f"#{self.record}" if self.record else ""))
        return tuple(found)


def family_name(author: str) -> str:
    """Return the last word of a family name, folded: `Schoot, R van de`, `R. van de Schoot`, `Schoot R`."""
    family, comma, _ = author.partition(",")
    words = author.split()
    if comma:
        words = family.split()
    elif len(words) > 1 and words[-1].replace(".", "").replace("-", "").isupper() and len(words[-1]) <= 4:
        words = [word for word in words if not (word.replace(".", "").isupper() and len(word) <= 4)] or words
    return folded(words[-1]) if words else ""


def is_nameless(title: str) -> bool:
    """Tell a title that names no paper, such as Editorial, Introduction or Author's reply."""
    return all(word in _NAMELESS or word.isdigit() or len(word) == 1 for word in folded(title).split())


def is_preprint(keys: Iterable[str], metadata: Mapping[str, Any], journal: str = "") -> bool:
    """Tell a preprint: its source says so, or its identifier or its journal is a preprint server's."""
    return (
        bool(metadata.get("preprint"))
        or any(key.startswith("epmc:PPR/") or _SERVERS.match(key) for key in keys)
        or bool(_SERVER_NAMES.match(journal))
    )


def folded(text: str) -> str:
    """Return `text` as a comparison key: no case, accents, punctuation or doubled spaces."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w]+", " ", bare).split())


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read, on its way to the quarantine."""

    source: str
    record: str
    reason: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Passage:
    """The unit that is coded: `document.text[start:end] == text`, always."""

    document_id: str
    text_hash: str
    """The document version that the offsets count in."""
    start: int
    end: int
    text: str
    ordinal: int
    """Position in the document, from 0."""
    section: str = ""
    speaker: str = ""
    role: Role | None = None
    """None in an abstract; an interviewer's passages are context, coded only when asked."""
    context: str = ""
    """What a coder would read before it: the title and the previous sentence, or the question."""

    @property
    def passage_id(self) -> str:
        """Names the span: the same place in the same document version."""
        return content_hash(self.document_id, self.text_hash, str(self.start), str(self.end))

    @property
    def input_hash(self) -> str:
        """Names what an encoder reads of it, its text, so that nothing is encoded twice."""
        return content_hash(self.text)


@dataclass(frozen=True, slots=True)
class Coding:
    """A calibrated probability that a passage holds a code, and what was decided from it."""

    passage_id: str
    codebook: str
    code: str
    probability: float
    decision: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one person said of one code on one passage. Never changed; a later one supersedes."""

    passage_id: str
    codebook: str
    code: str
    coder: str
    present: bool
    judged_at: datetime
    memo: str = ""
    review_id: str = ""
    """The review that it was said in."""
    adjudicates: bool = False
    """Whether it decides between coders."""

    @property
    def judgement_id(self) -> str:
        """Names the statement."""
        return content_hash(
            self.passage_id, self.codebook, self.code, self.coder, str(self.present),
            self.judged_at.isoformat(), self.memo,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A passage with the labels people gave it, for training and evaluation.

    Labels are `codebook/code`. A disputed label is one that coders disagreed on: that cell is
    left out of training and of scoring. `group` is the document, never split over train and test.
    `codebooks` are those that it was coded with: a label of theirs that it lacks is a no, one of
    another codebook is unknown. None means that it was coded with all. A `written` passage was
    made up for training: it teaches, but nothing is calibrated or scored on it.
    """

    id: str
    text: str
    kind: Kind
    labels: frozenset[str]
    disputed: frozenset[str] = frozenset()
    context: str = ""
    group: str = ""
    codebooks: frozenset[str] | None = None
    written: bool = False

    def coded_with(self, codebook: str) -> bool:
        """Return whether people coded it with this codebook."""
        return self.codebooks is None or codebook in self.codebooks
