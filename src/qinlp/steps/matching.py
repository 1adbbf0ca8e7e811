"""Documents that are one paper find each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from qinlp import identity
from qinlp.config import Config
from qinlp.errors import ConfigError
from qinlp.identity import Paper, Verdict
from qinlp.records import Tally
from qinlp.steps.run import Run, Watch, unwatched
from qinlp.store import Store, append, pending

DOCUMENTS_A_BATCH = 2000
SHARED_BY = 50
"""What more documents have in common tells nothing of them: `Editorial`, `The aim of this study was`."""
_ORDER = ("same", "preprint", "doubtful")


@dataclass(frozen=True, slots=True)
class Matched(Tally):
    """What `match` did."""

    compared: int = 0
    """Documents compared with the others for the first time."""
    same: int = 0
    """Pairs joined."""
    doubtful: int = 0
    """Pairs left to people."""
    preprints: int = 0
    """Pairs linked as preprint and article."""


def match(config: Config, watch: Watch = unwatched) -> Matched:
    """Compare the papers that came since the last time with all others.

    Those that are one paper are joined, a preprint and its article are linked, and doubtful pairs
    wait for people (`qinlp duplicates list`). Papers are compared where they share a trait
    (`identity.blocks`).

    Raises:
        StoreError: there is no database.
    """
    store = Store(config.database_path)
    with store.read() as con:
        todo, linked = pending.unmatched(con), pending.linked(con)
    total = Matched()
    with Run(store, "match", {"shared_by": SHARED_BY}) as run:
        if linked:
            with store.read() as con:
                group = _Group.read(con, {name for pair in linked for name in pair})
            if found := group.decide(linked):
                total += _write(run, found, "identifier", {})
        for start in range(0, len(todo), DOCUMENTS_A_BATCH):
            watch("matching", start, len(todo))
            total += _batch(run, todo[start : start + DOCUMENTS_A_BATCH])
        if todo:
            watch("matching", len(todo), len(todo))
        run.finish(asdict(total))
    return total


def _batch(run: Run, ids: Sequence[str]) -> Matched:
    with run.store.read() as con:
        fresh = _Group.read(con, ids).papers
    traits = {name: identity.blocks(fresh[name]) for name in ids}
    shared: dict[str, list[str]] = {}
    for name, keys in traits.items():
        for key in keys:
            shared.setdefault(key, []).append(name)
    with run.store.read() as con:
        before = pending.sharing(con, list(shared), SHARED_BY)
        group = _Group.read(con, {*ids, *(name for names in before.values() for name in names)})
    return _write(run, group.decide(_candidates(shared, before)), "rule", traits)


def _candidates(
    shared: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Yield the pairs to compare, the later document first, each once."""
    met: set[tuple[str, str]] = set()
    for key, names in shared.items():
        earlier = before.get(key, ())
        if len(names) + len(earlier) > SHARED_BY:
            continue
        pairs = [(name, other) for name in names for other in earlier if name != other]
        for pair in (*pairs, *((later, first) for first, later in combinations(names, 2))):
            if pair not in met and pair[::-1] not in met:
                met.add(pair)
                yield pair


def _write(
    run: Run, pairs: Sequence[append.Pair], decided_by: str, traits: Mapping[str, Sequence[str]]
) -> Matched:
    with run.store.write() as con:
        run.begin(con)
        append.add_pairs(con, run.id, decided_by, pairs)
        append.add_match_keys(con, run.id, traits)
    count = [pair.verdict for pair in pairs].count
    return Matched(len(traits), count("same"), count("doubtful"), count("preprint"))


@dataclass(slots=True)
class _Group:
    """Papers that are compared with each other, and what is known of them."""

    papers: dict[str, Paper]
    """By document; the identifiers are those of all documents that are one with it."""
    members: dict[str, list[str]]
    """By document: all that are one with it, itself among them; one list for all of them."""
    said: dict[frozenset[str], tuple[str, bool]]
    """By pair: the verdict that holds, and whether it is a person's."""

    @classmethod
    def read(cls, con: Any, ids: Iterable[str]) -> _Group:
        """Read documents, and those that are one with them."""
        rows = pending.papers(con, ids)
        whole: dict[str, list[str]] = {}
        names: dict[str, set[str]] = {}
        for row in rows:
            whole.setdefault(row["canonical_id"], []).append(row["document_id"])
            names.setdefault(row["canonical_id"], set()).update(row["keys"] or ())
        papers = {row["document_id"]: _paper(row, names[row["canonical_id"]]) for row in rows}
        members = {row["document_id"]: whole[row["canonical_id"]] for row in rows}
        said = {frozenset((a, b)): (verdict, person) for a, b, verdict, person in pending.pairs(con, papers)}
        return cls(papers, members, said)

    def decide(self, pairs: Iterable[tuple[str, str]]) -> list[append.Pair]:
        """Compare pairs, and join the surest first, so that a paper joins the one that it is most like."""
        verdicts = [(identity.compare(self.papers[a], self.papers[b]), a, b) for a, b in pairs]
        verdicts = [one for one in verdicts if one[0].decision != "different"]
        verdicts.sort(key=lambda one: (_ORDER.index(one[0].decision), -one[0].score))
        found = []
        for verdict, a, b in verdicts:
            before = {
                self.said.get(frozenset((one, other))) for one in self.members[a] for other in self.members[b]
            }
            known = {verdict for verdict, _ in before - {None}}  # type: ignore[misc]
            person = self.said.get(frozenset((a, b)), ("", False))[1]
            if self.members[a] is self.members[b] or person or known & {"preprint", verdict.decision}:
                continue
            decided = self._checked(verdict, a, b)
            if decided.decision in known:
                continue
            self.said[frozenset((a, b))] = (decided.decision, False)
            if decided.decision == "same":
                self._join(a, b)
            turned = decided.decision == "preprint" and self.papers[a].nature == "preprint"
            later, earlier = (b, a) if turned else (a, b)
            found.append(append.Pair(later, earlier, decided.decision, decided.score, decided.reason))
        return found

    def _checked(self, verdict: Verdict, a: str, b: str) -> Verdict:
        """Join no two papers of which other parts are known to be different."""
        if verdict.decision != "same":
            return verdict
        ours, theirs = self.members[a], self.members[b]
        said = {self.said.get(frozenset((one, other)), ("",))[0] for one in ours for other in theirs}
        natures = {self.papers[name].nature for name in (*ours, *theirs)}
        reason = ""
        if scheme := identity.conflict(self.papers[a].identifiers, self.papers[b].identifiers):
            reason = f"would join two {scheme}s"
        elif natures >= {"preprint", "article"}:
            reason = "would join a preprint and its article"
        elif "different" in said:
            reason = "would join what a person parted"
        return (
            replace(verdict, decision="doubtful", reason=f"{verdict.reason}; {reason}") if reason else verdict
        )

    def _join(self, a: str, b: str) -> None:
        identifiers = self.papers[a].identifiers | self.papers[b].identifiers
        members = [*self.members[a], *self.members[b]]
        for name in members:
            self.papers[name] = replace(self.papers[name], identifiers=identifiers)
            self.members[name] = members


def _paper(row: Mapping[str, Any], keys: set[str]) -> Paper:
    metadata = {name: row[name] for name in ("volume", "pages", "preprint", "related")}
    facts = {name: row[name] for name in ("title", "text", "authors", "year", "journal")}
    return identity.paper(row["document_id"], **facts, keys=keys, metadata=metadata)


def decide(config: Config, verdict: str, document_id: str, other_id: str, coder: str) -> tuple[str, ...]:
    """Keep what a person says of two documents: same or different.

    Returns the documents through which two that are different are one nevertheless; a person has to
    say of those, too, to which of the two they belong.

    Raises:
        ConfigError: a document is unknown, or both are the same one.
    """
    store = Store(config.database_path)
    if document_id == other_id:
        raise ConfigError(f"{document_id!r} twice; name two documents, `qinlp duplicates list` shows them")
    with store.read() as con:
        known = [row["document_id"] for row in pending.papers(con, [document_id, other_id])]
    for one in (document_id, other_id):
        if one not in known:
            raise ConfigError(f"no document {one!r}; `qinlp duplicates list` shows pairs with their ids")
    earlier, later = sorted((document_id, other_id), key=known.index)
    with store.write() as con:
        append.add_pairs(con, None, coder, [append.Pair(later, earlier, verdict, 1.0, f"{coder} says so")])
        members = {row["document_id"] for row in pending.papers(con, [document_id])}
    if verdict == "same" or other_id not in members:
        return ()
    return tuple(sorted(members - {document_id, other_id}))
