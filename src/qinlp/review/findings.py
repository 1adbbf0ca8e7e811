"""What the acts on the desk come to: how fast people work, where they differ, what the audit found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from qinlp.store.desk import Act

if TYPE_CHECKING:
    from qinlp.analysis.agreement import Sheet

ENOUGH = 10
"""Fewer audited passages that hold a code say nothing of it."""
MODEL, GOLD = "model", "adjudicated"
"""What the table of agreement calls what the model decided, and what coders came to together."""


def latest(standing: Iterable[Act]) -> dict[tuple[str, str, bool], Act]:
    """Return the last that each coder did with each passage: (passage, coder, deciding between coders)."""
    return {
        (act.passage_id, act.coder, bool(act.body.get("adjudicates"))): act
        for act in standing
        if act.kind in {"review", "skip", "flag"}
    }


# How far and how fast --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """What a coder has done with a codebook."""

    coder: str
    coded: int
    skipped: int
    flagged: int
    adjudicated: int
    seconds: float | None
    """The median that a coded passage was before them."""
    an_hour: float | None
    """Passages coded in an hour of work: their number by the time they were open."""


def paces(standing: Sequence[Act]) -> list[Pace]:
    """Return the pace of every coder, the one with the most passages first."""
    acts = latest(standing)
    found = []
    for coder in sorted({name for _, name, _ in acts}):
        own = [act for (_, name, _), act in acts.items() if name == coder]
        kinds = Counter("adjudicated" if act.body.get("adjudicates") else act.kind for act in own)
        took = [act.body["seconds"] for act in own if act.kind == "review" and act.body.get("seconds")]
        found.append(
            Pace(
                coder, kinds["review"], kinds["skip"], kinds["flag"], kinds["adjudicated"],
                median(took) if took else None, len(took) * 3600 / sum(took) if took else None,
            )
        )  # fmt: skip
    return sorted(found, key=lambda pace: -pace.coded)


# Where coders differ ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dispute:
    """A passage that coders coded differently and nobody has decided on."""

    passage_id: str
    reviews: tuple[Act, ...]
    """One a coder, by name."""

    @property
    def coders(self) -> tuple[str, ...]:
        """Whose codings differ."""
        return tuple(act.coder for act in self.reviews)

    @property
    def differing(self) -> list[str]:
        """The codes that some gave and others did not."""
        given = [set(act.body["present"]) for act in self.reviews]
        return sorted(set.union(*given) - set.intersection(*given))


def disputes(standing: Iterable[Act]) -> list[Dispute]:
    """Return what is in dispute, in the order that the disputes arose."""
    decided: set[str] = set()
    held: dict[str, list[Act]] = {}
    for (passage, _, adjudicates), act in latest(standing).items():
        if act.kind == "review" and adjudicates:
            decided.add(passage)
        elif act.kind == "review":
            held.setdefault(passage, []).append(act)
    found = [
        (max(act.seq for act in reviews), Dispute(passage, tuple(sorted(reviews, key=lambda a: a.coder))))
        for passage, reviews in held.items()
        if passage not in decided and len({frozenset(act.body["present"]) for act in reviews}) > 1
    ]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def dispute(standing: Iterable[Act], passage_id: str) -> Dispute | None:
    """Return the dispute on a passage, None where there is none."""
    return next(iter(disputes(act for act in standing if act.passage_id == passage_id)), None)


# The audit -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """Some of so many, with the exact 95% interval of their share (Clopper & Pearson 1934)."""

    n: int
    of: int

    @property
    def value(self) -> float:
        """The share seen."""
        return self.n / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share may lie."""
        from qinlp.analysis.coverage import exact

        return exact(self.n, self.of)


@dataclass(frozen=True, slots=True)
class Mistake:
    """An audited passage that a person coded otherwise than the model."""

    passage_id: str
    act: Act
    wrongly: tuple[str, ...]
    """Codes that the model gave and the person did not."""
    missed: tuple[str, ...]
    """Codes that the person gave and the model did not."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What people found in passages drawn by chance from those that nobody had looked at."""

    passages: Share | None
    """Those coded wrongly in any code; None before the first was audited."""
    codes: Mapping[str, Share]
    """Wrong of all audited, for each code that either gave often enough."""
    mistakes: tuple[Mistake, ...]


def audit(standing: Iterable[Act]) -> Audit:
    """Return what the audit found; of several reviews of a passage the adjudicating one, else the latest."""
    held: dict[str, Act] = {}
    audited = {act.passage_id for act in standing if act.body.get("why") == "audit"}
    for act in sorted(latest(standing).values(), key=lambda a: (bool(a.body.get("adjudicates")), a.seq)):
        if act.passage_id in audited and act.kind == "review" and "model" in act.body:
            held[act.passage_id] = act
    given: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    mistakes = []
    for passage, act in held.items():
        model, person = set(act.body["model"]), set(act.body["present"])
        given.update(model | person)
        wrong.update(model ^ person)
        if model != person:
            mistakes.append(
                Mistake(passage, act, tuple(sorted(model - person)), tuple(sorted(person - model)))
            )
    return Audit(
        Share(len(mistakes), len(held)) if held else None,
        {code: Share(wrong[code], len(held)) for code, n in given.most_common() if n >= ENOUGH},
        tuple(sorted(mistakes, key=lambda one: -one.act.seq)),
    )


# Who said what, for agreement ------------------------------------------------------------------

Judged = tuple[str, str, str, bool, str, bool]
"""passage, document, coder, whether it decides between coders, code (empty: a whole review), present."""


def sheet(
    judged: Iterable[Judged], coded: Iterable[tuple[str, Sequence[str]]], codes: Sequence[str]
) -> Sheet:
    """Lay out what people judged beside what the model decided and what was adjudicated.

    A whole review says of every code that it does not give that it is absent; so does the model of
    a passage that it `coded`, given with the codes that it decided present. Adjudicated is what
    somebody decided between coders, and where at least two coders judged and all agree, what they
    agree on; it is there only if something was decided.
    """
    import numpy as np

    from qinlp.analysis.agreement import NOT_JUDGED, Sheet

    rows = sorted(
        judged, key=lambda row: row[4] != ""
    )  # whole reviews first, what was said of codes upon them
    documents = {passage: document for passage, document, *_ in rows}
    place = {passage: i for i, passage in enumerate(documents)}
    column = {code: i for i, code in enumerate(codes)}
    people = sorted({row[2] for row in rows if not row[3]})
    said = np.full((len(place), len(people) + 2, len(codes)), NOT_JUDGED, np.int8)
    decided = np.full((len(place), len(codes)), NOT_JUDGED, np.int8)
    for passage, _, coder, adjudicates, code, present in rows:
        cells = decided[place[passage]] if adjudicates else said[place[passage], people.index(coder)]
        if not code:
            cells[:] = 0
        elif code in column:
            cells[column[code]] = present
    for passage, given in coded:
        if passage in place:
            said[place[passage], len(people)] = [code in given for code in codes]
    by_people = said[:, : len(people)]
    several = (by_people != NOT_JUDGED).sum(1) >= 2
    yes, no = (by_people == 1).any(1), (by_people == 0).any(1)
    agreed = np.where(several & (yes != no), yes.astype(np.int8), NOT_JUDGED)
    there = (decided != NOT_JUDGED).any()
    said[:, -1] = np.where(decided != NOT_JUDGED, decided, agreed) if there else NOT_JUDGED
    kept = [i for i in range(said.shape[1]) if (said[:, i] != NOT_JUDGED).any()]
    names = [*people, MODEL, GOLD]
    return Sheet(
        np.array(list(documents.values())), tuple(names[i] for i in kept), tuple(codes), said[:, kept]
    )
