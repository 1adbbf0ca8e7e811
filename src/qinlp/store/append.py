"""Put finished batches into the store; every function runs inside one `Store.write()` transaction.

Nothing is overwritten and nothing is doubled: each function leaves out what is there already.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from qinlp import identity
from qinlp.records import Document, Judgement, Passage, Rejected, Tally, content_hash

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

    from qinlp.codebook import Codebook
    from qinlp.store.desk import Act


def start_run(
    con: DuckDBPyConnection, run_id: str, kind: str, at: datetime, version: str, settings: Mapping[str, Any]
) -> None:
    """Record that a run began, once; one of its kind that never ended was interrupted."""
    con.execute(
        "UPDATE runs SET status = 'interrupted' WHERE kind = ? AND status = 'running' AND run_id <> ?",
        [kind, run_id],
    )
    con.execute(
        "INSERT INTO runs VALUES (?, ?, ?, NULL, 'running', ?, ?, '{}') ON CONFLICT DO NOTHING",
        [run_id, kind, at, version, json.dumps(dict(settings), ensure_ascii=False)],
    )


def finish_run(
    con: DuckDBPyConnection, run_id: str, at: datetime, status: str, counts: Mapping[str, Any]
) -> None:
    """Record how a run ended and what it did."""
    con.execute(
        "UPDATE runs SET finished_at = ?, status = ?, counts = ? WHERE run_id = ?",
        [at, status, json.dumps(dict(counts), ensure_ascii=False), run_id],
    )


@dataclass(frozen=True, slots=True)
class FileState:
    """How a file looked from outside, and what its bytes were."""

    path: str
    sha256: str
    size: int
    mtime_ns: int
    looked_at: datetime


def file_read(
    con: DuckDBPyConnection, run_id: str, state: FileState, version: str, records: int, quarantined: int
) -> None:
    """Record that a file was read to its end."""
    con.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [state.path, state.sha256, version, records, quarantined, run_id],
    )
    file_seen(con, run_id, state, version)


def file_seen(
    con: DuckDBPyConnection, run_id: str, state: FileState, version: str, quarantine_id: str = ""
) -> None:
    """Record how a file looked when its bytes were read; where it was refused whole, the entry says why."""
    con.execute(
        "INSERT INTO file_states VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            state.path, state.size, state.mtime_ns, state.sha256, state.looked_at, version, quarantine_id,
            run_id,
        ],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrived(Tally):
    """What a batch of documents brought."""

    documents: int = 0
    """Documents seen for the first time."""
    versions: int = 0
    """New texts of known documents."""
    duplicates: int = 0
    """Records of documents that were there already."""
    passages: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """What is said of two documents; see the table `document_pairs`."""

    document_id: str
    other_id: str
    verdict: str
    score: float
    reason: str


_DOCUMENT = pa.schema(
    [
        ("document_id", pa.string()), ("version", pa.uint32()), ("text_hash", pa.string()),
        ("kind", pa.string()), ("title", pa.string()), ("text", pa.string()),
        ("authors", pa.list_(pa.string())), ("year", pa.int16()), ("journal", pa.string()),
        ("keywords", pa.list_(pa.string())), ("mesh", pa.list_(pa.string())), ("language", pa.string()),
        ("sections", pa.list_(pa.struct(
            [("name", pa.string()), ("start", pa.int32()), ("end", pa.int32())]))),
        ("turns", pa.list_(pa.struct(
            [("speaker", pa.string()), ("role", pa.string()), ("start", pa.int32()), ("end", pa.int32()),
             ("seconds", pa.float64())]))),
        ("metadata", pa.string()), ("source", pa.string()), ("record", pa.string()), ("run_id", pa.string()),
    ]
)  # fmt: skip
_PASSAGE = pa.schema(
    [(name, pa.int32() if name in {"start", "end", "ordinal"} else pa.string()) for name in (
        "passage_id", "document_id", "text_hash", "start", "end", "ordinal", "text", "section", "speaker",
        "role", "context", "input_hash")]
)  # fmt: skip

_NO_TEXT = content_hash("")


def add_documents(
    con: DuckDBPyConnection,
    run_id: str,
    found: Sequence[tuple[Document, Sequence[Passage]]],
    met: set[tuple[str, str]] | None = None,
    *,
    own_ids: bool = False,
) -> Arrived:
    """Add documents with their passages.

    `met` holds the documents met so far in each source and is added to: of several records of one
    document in one source the first counts, also where they come in different batches.

    `own_ids` says that a record's name is the source's own id of it, as in a search, and not its
    place in a file. Then of two records of one document each may correct what it said itself; what
    it said before is no news beside the other, so that they do not take turns as days pass.

    A record that shares a key with a known document is that document. Its text becomes a new
    version only where it replaces what the same source said before (also where a file was moved
    first and corrected then), or where the document had no text yet; the differing text of another
    source is noted in provenance alone, so that two sources which disagree do not take turns for
    ever.

    A record that shares keys with several known documents shows that they are one; they are joined
    as a pair (`document_pairs`), and each keeps what it was first seen with, so that a person can
    part them again. A title alone joins nothing that has identifiers of its own.
    """
    if not found:
        return Arrived()
    ids = _known_ids(con, {key for document, _ in found for key in document.keys})
    current = _current_versions(con, set(ids.values()))
    whole = _wholes(con, set(ids.values()))
    names = _names(con, whole)
    pairs: list[Pair] = []
    stated: list[tuple[str, tuple[str, str]]] = []
    said = _said(con, set(ids.values()))
    documents: list[dict[str, Any]] = []
    passages: list[Passage] = []
    keys: dict[str, str] = {}
    seen: dict[tuple[str, str, str, str], None] = {}
    met = set() if met is None else met
    new = versions = duplicates = 0
    for document, cut in found:
        own = document.keys
        document_id, *others = _same(own, ids, whole, names) or [own[0]]
        for other in others:
            if whole[other] != whole[document_id]:
                pairs.append(_pair(document_id, other, whole, names))
                if pairs[-1].verdict == "same":
                    _join(whole[document_id], whole[other], whole, names)
        for key in own:
            if key not in ids:
                ids[key] = keys[key] = document_id
                names[whole.setdefault(document_id, document_id)].add(key)
        seen[(document_id, document.source, document.record, document.text_hash)] = None
        stated += [(document_id, one) for one in identity.relations(document.metadata)]
        version, text_hash, source, record, texts = current.get(document_id, (0, _NO_TEXT, "", "", []))
        says = (document_id, document.source, document.text_hash)
        own_record = source == document.source and record == document.record
        own_text = (own_record if own_ids else source == document.source) or (
            (document_id, document.source, text_hash) in said and says not in said
        )
        said.add(says)
        again = (document_id, document.source) in met and not (own_ids and own_record)
        met.add((document_id, document.source))
        changed = text_hash != document.text_hash and bool(document.text)
        if version == 0:
            new += 1
        elif changed and (text_hash == _NO_TEXT or (own_text and not again)):
            versions += 1
        else:
            duplicates += 1
            continue
        documents.append(_document_row(document, document_id, version + 1, run_id))
        if document.text_hash not in texts:  # a correction that is taken back has its passages already
            passages.extend(replace(p, document_id=document_id) for p in cut)
        current[document_id] = (
            version + 1, document.text_hash, document.source, document.record, [*texts, document.text_hash],
        )  # fmt: skip
    _insert(con, "documents", pa.Table.from_pylist(documents, _DOCUMENT))
    _insert(con, "document_keys", _texts(("key", "document_id"), keys.items()))
    places = [(*row, run_id) for row in seen]
    names_of_places = ("document_id", "source", "record", "text_hash", "run_id")
    _insert(con, "provenance", _texts(names_of_places, places), "ON CONFLICT DO NOTHING")
    related = {(document_id, *one, run_id): None for document_id, one in stated}
    _insert(
        con, "related", _texts(("document_id", "relation", "key", "run_id"), related),
        "ON CONFLICT DO NOTHING",
    )  # fmt: skip
    add_pairs(con, run_id, "identifier", pairs)
    return Arrived(new, versions, duplicates, _add_passages(con, passages))


def _same(
    keys: Sequence[str], ids: Mapping[str, str], whole: Mapping[str, str], names: Mapping[str, set[str]]
) -> list[str]:
    """Return the known documents that go by one of the keys, that of the strongest key first.

    A title alone makes no two papers one where each has its own identifier of the same scheme: two
    editorials, or a paper that was published twice.
    """
    found: dict[str, None] = {}
    for key in keys:
        known = ids.get(key)
        if known and not (key.startswith("title:") and identity.conflict(keys, names[whole[known]])):
            found[known] = None
    return list(found)


def _pair(one: str, other: str, whole: Mapping[str, str], names: Mapping[str, set[str]]) -> Pair:
    """Return what a record says of two documents by carrying a key of each."""
    ours, theirs = names[whole[one]], names[whole[other]]
    if scheme := identity.conflict(ours, theirs):
        reason = f"one record carries identifiers of both, but they have two {scheme}s"
        return Pair(one, other, "doubtful", 1.0, reason)
    natures = {identity.nature(ours), identity.nature(theirs)}
    if natures == {"preprint", "article"}:
        reason = "one record carries identifiers of both, a preprint's and an article's"
        one, other = (one, other) if identity.nature(ours) == "article" else (other, one)
        return Pair(one, other, "preprint", 1.0, reason)
    return Pair(one, other, "same", 1.0, "one record carries identifiers of both")


def _join(one: str, other: str, whole: dict[str, str], names: dict[str, set[str]]) -> None:
    names[one] |= names.pop(other)
    whole.update({name: one for name, of in whole.items() if of == other})


def _wholes(con: DuckDBPyConnection, ids: set[str]) -> dict[str, str]:
    """Return which paper each document belongs to, as that paper's canonical document: all its members."""
    rows = con.execute(
        "WITH merged AS MATERIALIZED (FROM same_document) SELECT document_id, canonical_id FROM merged "
        "SEMI JOIN (SELECT canonical_id FROM merged SEMI JOIN (SELECT unnest(?) AS document_id) "
        "USING (document_id)) USING (canonical_id)",
        [sorted(ids)],
    ).fetchall()
    return {name: name for name in ids} | dict(rows)


def _names(con: DuckDBPyConnection, whole: Mapping[str, str]) -> dict[str, set[str]]:
    """Return all keys of each paper."""
    names: dict[str, set[str]] = defaultdict(set)
    rows = con.execute(
        "SELECT document_id, key FROM document_keys SEMI JOIN (SELECT unnest(?) AS document_id) "
        "USING (document_id)",
        [sorted(whole)],
    ).fetchall()
    for document_id, key in rows:
        names[whole[document_id]].add(key)
    return names


def add_pairs(con: DuckDBPyConnection, run_id: str | None, decided_by: str, pairs: Sequence[Pair]) -> int:
    """Keep what is said of pairs of documents; return how many statements are new.

    Left out is what holds already, and what a rule says where a person has spoken.
    """
    if not pairs:
        return 0
    rows = [
        {**asdict(pair), "decided_by": decided_by, "run_id": run_id, "place": place}
        for place, pair in enumerate(pairs)
    ]
    batch = pa.Table.from_pylist(
        rows, pa.schema([
            ("document_id", pa.string()), ("other_id", pa.string()), ("verdict", pa.string()),
            ("score", pa.float64()), ("reason", pa.string()), ("decided_by", pa.string()),
            ("run_id", pa.string()), ("place", pa.int64()),
        ]),
    )  # fmt: skip
    return _insert(
        con, "document_pairs", batch,
        select="""
            (document_id, other_id, verdict, score, reason, decided_by, run_id)
            SELECT b.* EXCLUDE (place) FROM batch b ANTI JOIN document_pairs_current c
            ON least(b.document_id, b.other_id) = least(c.document_id, c.other_id)
            AND greatest(b.document_id, b.other_id) = greatest(c.document_id, c.other_id)
            AND CASE WHEN b.decided_by IN ('rule', 'identifier')
              THEN b.verdict = c.verdict OR c.decided_by NOT IN ('rule', 'identifier')
              ELSE b.verdict = c.verdict AND b.decided_by = c.decided_by END
            ORDER BY place""",
    )  # fmt: skip


def add_match_keys(con: DuckDBPyConnection, run_id: str, traits: Mapping[str, Sequence[str]]) -> None:
    """Note that documents have been compared, by the traits (`identity.blocks`) that found their likes."""
    rows = [(key, name, run_id) for name, keys in traits.items() for key in keys]
    _insert(
        con, "match_keys", _texts(("key", "document_id", "run_id"), rows),
        select="SELECT * FROM batch ANTI JOIN match_keys USING (document_id)",
    )  # fmt: skip


def _said(con: DuckDBPyConnection, ids: set[str]) -> set[tuple[str, str, str]]:
    return set(
        con.execute(
            "SELECT DISTINCT document_id, source, text_hash FROM provenance "
            "SEMI JOIN (SELECT unnest(?) AS document_id) USING (document_id)",
            [sorted(ids)],
        ).fetchall()
    )


def _known_ids(con: DuckDBPyConnection, keys: set[str]) -> dict[str, str]:
    return dict(
        con.execute(
            "SELECT key, document_id FROM document_keys SEMI JOIN (SELECT unnest(?) AS key) USING (key)",
            [sorted(keys)],
        ).fetchall()
    )


def _current_versions(
    con: DuckDBPyConnection, ids: set[str]
) -> dict[str, tuple[int, str, str, str, list[str]]]:
    """Return each document's newest version: number, text_hash, source, record; and its every text_hash."""
    rows = con.execute(
        "SELECT document_id, max(version), arg_max(text_hash, version), arg_max(source, version), "
        "arg_max(record, version), list(text_hash) FROM documents "
        "SEMI JOIN (SELECT unnest(?) AS document_id) USING (document_id) GROUP BY document_id",
        [sorted(ids)],
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def _document_row(document: Document, document_id: str, version: int, run_id: str) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "version": version,
        "text_hash": document.text_hash,
        "kind": document.kind,
        "title": document.title,
        "text": document.text,
        "authors": list(document.authors),
        "year": document.year,
        "journal": document.journal,
        "keywords": list(document.keywords),
        "mesh": list(document.mesh),
        "language": document.language,
        "sections": [asdict(s) for s in document.sections],
        "turns": [asdict(t) for t in document.turns],
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False, default=str),
        "source": document.source,
        "record": document.record,
        "run_id": run_id,
    }


def _add_passages(con: DuckDBPyConnection, passages: Iterable[Passage]) -> int:
    rows = [
        {
            "passage_id": p.passage_id, "document_id": p.document_id, "text_hash": p.text_hash,
            "start": p.start, "end": p.end, "ordinal": p.ordinal, "text": p.text, "section": p.section,
            "speaker": p.speaker, "role": p.role, "context": p.context, "input_hash": p.input_hash,
        }
        for p in passages
    ]  # fmt: skip
    return _insert(con, "passages", pa.Table.from_pylist(rows, _PASSAGE))


def quarantine_id(rejected: Rejected) -> str:
    """Name an unreadable record: its place, its reason and its bytes."""
    return content_hash(rejected.source, rejected.record, rejected.reason, rejected.raw.hex())


def add_rejected(con: DuckDBPyConnection, run_id: str, at: datetime, rejected: Sequence[Rejected]) -> int:
    """Put unreadable records into the quarantine; return how many wait there that did not before.

    An entry that was read or superseded and is met once more waits again; one that a person
    dismissed stays dismissed.
    """
    if not rejected:
        return 0
    ids = [quarantine_id(r) for r in rejected]
    waited = _waiting(con)
    con.executemany(
        "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            [name, r.source, r.record, r.reason, r.raw, run_id, at]
            for name, r in zip(ids, rejected, strict=True)
        ],
    )
    con.execute(
        "INSERT INTO quarantine_resolved SELECT quarantine_id, ?, ?, 'again', '' FROM quarantine_resolved "
        "SEMI JOIN (SELECT unnest(?) AS quarantine_id) USING (quarantine_id) GROUP BY quarantine_id "
        "HAVING arg_max(how, resolved_at) IN ('read', 'superseded')",
        [run_id, at, ids],
    )
    return _waiting(con) - waited


def resolve(
    con: DuckDBPyConnection, run_id: str, at: datetime, ids: Sequence[str], how: str, note: str = ""
) -> int:
    """Record that entries in quarantine wait no longer; return how many of them did."""
    row = con.execute(
        "INSERT INTO quarantine_resolved SELECT quarantine_id, ?, ?, ?, ? FROM quarantine_open "
        "SEMI JOIN (SELECT unnest(?) AS quarantine_id) USING (quarantine_id)",
        [run_id, at, how, note, list(ids)],
    ).fetchone()
    return int(row[0]) if row else 0


def _waiting(con: DuckDBPyConnection) -> int:
    row = con.execute("SELECT count(*) FROM quarantine_open").fetchone()
    return int(row[0]) if row else 0


def add_vectors(
    con: DuckDBPyConnection, encoder: str, hashes: Sequence[str], vectors: np.ndarray[Any, Any]
) -> int:
    """Keep vectors, shape (len(hashes), dimension), under the hashes of what was encoded."""
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    batch = pa.table({"input_hash": pa.array(hashes), "encoder": [encoder] * len(hashes), "vector": flat})
    return _insert(
        con, "vectors", batch,
        select="SELECT input_hash, encoder, vector::FLOAT[] FROM batch "
        "ANTI JOIN (SELECT input_hash, encoder FROM vectors) v USING (input_hash, encoder)",
    )  # fmt: skip


def add_codebook(con: DuckDBPyConnection, run_id: str, codebook: Codebook) -> None:
    """Keep a codebook version that is about to be used."""
    con.execute(
        "INSERT INTO codebooks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [codebook.hash, codebook.id, codebook.version, codebook.title, codebook.kind, run_id],
    )
    con.executemany(
        "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            [codebook.hash, codebook.id, c.id, c.name, c.parent, position, c.assignable, c.definition]
            for position, c in enumerate(codebook.codes)
        ],
    )


def add_thresholds(
    con: DuckDBPyConnection, rows: Sequence[tuple[str, str, str, float, float, float, str]]
) -> None:
    """Keep how a machine coder decides: coder, codebook, code, threshold, unsure from, to, origin."""
    con.executemany("INSERT INTO thresholds VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)


def add_codings(
    con: DuckDBPyConnection,
    run_id: str,
    coder: str,
    codebook: Codebook,
    coded: Sequence[str],
    codings: pa.Table,
) -> int:
    """Keep one batch of one codebook: the passages coded, and their codings.

    `codings` has the columns passage_id, code, probability, decision. Passages that this coder was the
    last to code are left out, so a batch that is repeated adds nothing. Returns the rows added.
    """
    batch = pa.table({"passage_id": pa.array(coded, pa.string())})
    con.register("coded_batch", batch)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT passage_id FROM coded_batch ANTI JOIN "
        "(SELECT passage_id FROM coded SEMI JOIN coded_batch USING (passage_id) WHERE codebook = ? "
        "GROUP BY passage_id HAVING arg_max(coder, run_id) = ? AND arg_max(codebook_hash, run_id) = ?) "
        "USING (passage_id)",
        [codebook.id, coder, codebook.hash],
    )
    con.unregister("coded_batch")
    con.execute(
        "INSERT INTO coded SELECT ?, passage_id, ?, ?, ? FROM fresh",
        [run_id, codebook.id, codebook.hash, coder],
    )
    return _insert(
        con, "codings", codings,
        select="SELECT ?, passage_id, ?, code, probability, decision FROM batch "
        "SEMI JOIN fresh USING (passage_id)",
        parameters=[run_id, codebook.id],
    )  # fmt: skip


def add_judgements(con: DuckDBPyConnection, judgements: Sequence[Judgement]) -> None:
    """Keep what people said."""
    _insert(
        con, "judgements",
        pa.table(
            {
                "judgement_id": [j.judgement_id for j in judgements],
                "passage_id": [j.passage_id for j in judgements],
                "codebook": [j.codebook for j in judgements],
                "code": [j.code for j in judgements],
                "coder": [j.coder for j in judgements],
                "present": pa.array([j.present for j in judgements], pa.bool_()),
                "memo": [j.memo for j in judgements],
                "judged_at": pa.array([j.judged_at for j in judgements], pa.timestamp("us", "UTC")),
                "review_id": pa.array([j.review_id or None for j in judgements], pa.string()),
                "adjudicates": pa.array([j.adjudicates for j in judgements], pa.bool_()),
            }
        ),
        "ON CONFLICT DO NOTHING",
    ) if judgements else None  # fmt: skip


def add_review(con: DuckDBPyConnection, run_id: str, act: Act) -> None:
    """Keep that a person went through a passage, skipped or flagged it."""
    body = act.body
    status = {"review": "coded", "skip": "skipped", "flag": "flagged"}[act.kind]
    con.execute(
        "INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            act.act_id, act.passage_id, act.codebook, body.get("codebook_hash", ""), act.coder, status,
            bool(body.get("adjudicates")), body.get("memo", ""), body.get("seconds"), body.get("why", ""),
            body.get("strategy", ""), act.at, run_id,
        ],
    )  # fmt: skip


def add_recut(
    con: DuckDBPyConnection, run_id: str, recut_id: str, replaces: Sequence[str], cut: Sequence[Passage],
    coder: str, at: datetime,
) -> None:  # fmt: skip
    """Let passages that a person cut stand in the place of others."""
    new = [p.passage_id for p in cut]
    there = {
        row[0]
        for row in con.execute(
            "SELECT passage_id FROM passages SEMI JOIN (SELECT unnest(?) AS passage_id) USING (passage_id)",
            [new],
        ).fetchall()
    }
    _add_passages(con, [p for p in cut if p.passage_id not in there])
    con.executemany(
        "INSERT INTO recuts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            *([recut_id, name, "old", False, coder, at, run_id] for name in replaces if name not in new),
            *([recut_id, name, "new", name not in there, coder, at, run_id] for name in new),
        ],
    )


def withdraw(con: DuckDBPyConnection, run_id: str, act_id: str, coder: str, at: datetime) -> None:
    """Keep that a coder took a review or recut of theirs back."""
    con.execute(
        "INSERT INTO withdrawn VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [act_id, coder, at, run_id]
    )


def desk_carried(con: DuckDBPyConnection, run_id: str, desk: str, seq: int, at: datetime) -> None:
    """Record how far a desk's acts have been taken over."""
    con.execute("INSERT INTO carried VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [desk, seq, run_id, at])


def _texts(names: Sequence[str], rows: Iterable[tuple[str, ...]]) -> pa.Table:
    """Return rows as a table whose columns are all texts."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))


def _insert(
    con: DuckDBPyConnection,
    table: str,
    batch: pa.Table,
    conflict: str = "",
    *,
    select: str = "SELECT * FROM batch",
    parameters: Sequence[Any] = (),
) -> int:
    con.register("batch", batch)
    try:
        row = con.execute(f"INSERT INTO {table} {select} {conflict}", list(parameters)).fetchone()
    finally:
        con.unregister("batch")
    return int(row[0]) if row else 0
