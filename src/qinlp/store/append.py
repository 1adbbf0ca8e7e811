"""Put finished batches into the store; every function runs inside one `Store.write()` transaction.

Nothing is overwritten and nothing is doubled: each function leaves out what is there already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from qinlp.records import Document, Judgement, Passage, Rejected, content_hash

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


def file_read(
    con: DuckDBPyConnection, run_id: str, path: str, sha256: str, version: str, records: int, quarantined: int
) -> None:
    """Record that a file was read to its end."""
    con.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [path, sha256, version, records, quarantined, run_id],
    )


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a batch of documents brought."""

    documents: int = 0
    """Documents seen for the first time."""
    versions: int = 0
    """New texts of known documents."""
    duplicates: int = 0
    """Records of documents that were there already."""
    passages: int = 0

    def __add__(self, other: Arrived) -> Arrived:
        return Arrived(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


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


def add_documents(
    con: DuckDBPyConnection,
    run_id: str,
    found: Sequence[tuple[Document, Sequence[Passage]]],
    met: set[tuple[str, str]] | None = None,
) -> Arrived:
    """Add documents with their passages.

    `met` holds the documents met so far in each source and is added to: of several records of one
    document in one source the first counts, also where they come in different batches.

    A record that shares a key with a known document is that document. Its text becomes a new
    version only where it replaces what the same source said before (also where a file was moved
    first and corrected then), or where the document had no text yet; the differing text of another
    source is noted in provenance alone, so that two sources which disagree do not take turns for
    ever.
    """
    if not found:
        return Arrived()
    ids = _known_ids(con, {key for document, _ in found for key in document.keys})
    current = _current_versions(con, set(ids.values()))
    schemes = _known_schemes(con, set(ids.values()))
    said = _said(con, set(ids.values()))
    documents: list[dict[str, Any]] = []
    passages: list[Passage] = []
    keys: dict[str, str] = {}
    seen: dict[tuple[str, str, str, str], None] = {}
    met = set() if met is None else met
    new = versions = duplicates = 0
    for document, cut in found:
        own = document.keys
        document_id = _same(own, ids, schemes) or own[0]
        for key in own:
            if key not in ids:
                ids[key] = keys[key] = document_id
                schemes.add((document_id, key.partition(":")[0]))
        seen[(document_id, document.source, document.record, document.text_hash)] = None
        version, text_hash, source, empty = current.get(document_id, (0, "", "", True))
        says = (document_id, document.source, document.text_hash)
        own_text = source == document.source or (
            (document_id, document.source, text_hash) in said and says not in said
        )
        said.add(says)
        again = (document_id, document.source) in met
        met.add((document_id, document.source))
        changed = text_hash != document.text_hash and bool(document.text)
        if version == 0:
            new += 1
        elif changed and (empty or (own_text and not again)):
            versions += 1
        else:
            duplicates += 1
            continue
        current[document_id] = (version + 1, document.text_hash, document.source, not document.text)
        documents.append(_document_row(document, document_id, version + 1, run_id))
        passages.extend(replace(p, document_id=document_id) for p in cut)
    _insert(con, "documents", pa.Table.from_pylist(documents, _DOCUMENT))
    _insert(
        con, "document_keys",
        pa.table({"key": list(keys), "document_id": list(keys.values())},
                 pa.schema([("key", pa.string()), ("document_id", pa.string())])),
    )  # fmt: skip
    places = [dict(zip(("document_id", "source", "record", "text_hash"), row, strict=True)) for row in seen]
    places = [{**row, "run_id": run_id} for row in places]
    names = ("document_id", "source", "record", "text_hash", "run_id")
    _insert(
        con, "provenance",
        pa.Table.from_pylist(places, pa.schema([(name, pa.string()) for name in names])),
        "ON CONFLICT DO NOTHING",
    )  # fmt: skip
    return Arrived(new, versions, duplicates, _add_passages(con, passages))


def _same(keys: Sequence[str], ids: Mapping[str, str], schemes: set[tuple[str, str]]) -> str | None:
    """Return the known document that goes by one of the keys.

    A title alone makes no two papers one where each has its own identifier of the same scheme: a
    preprint and the article, or two editorials.
    """
    for key in keys:
        known = ids.get(key)
        if known is None:
            continue
        other = {k.partition(":")[0] for k in keys if k not in ids}
        if key.startswith("title:") and any((known, scheme) in schemes for scheme in other):
            continue
        return known
    return None


def _said(con: DuckDBPyConnection, ids: set[str]) -> set[tuple[str, str, str]]:
    return set(
        con.execute(
            "SELECT DISTINCT document_id, source, text_hash FROM provenance "
            "SEMI JOIN (SELECT unnest(?) AS document_id) USING (document_id)",
            [sorted(ids)],
        ).fetchall()
    )


def _known_schemes(con: DuckDBPyConnection, ids: set[str]) -> set[tuple[str, str]]:
    return set(
        con.execute(
            "SELECT DISTINCT document_id, split_part(key, ':', 1) FROM document_keys "
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


def _current_versions(con: DuckDBPyConnection, ids: set[str]) -> dict[str, tuple[int, str, str, bool]]:
    rows = con.execute(
        "SELECT document_id, max(version), arg_max(text_hash, version), arg_max(source, version), "
        "arg_max(text, version) = '' FROM documents SEMI JOIN (SELECT unnest(?) AS document_id) "
        "USING (document_id) GROUP BY document_id",
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
    return _insert(
        con, "passages", pa.Table.from_pylist(rows, _PASSAGE),
        select="SELECT * FROM batch ANTI JOIN passages USING (passage_id)",
    )  # fmt: skip


def quarantine_id(rejected: Rejected) -> str:
    """Name an unreadable record: its place, its reason and its bytes."""
    return content_hash(rejected.source, rejected.record, rejected.reason, rejected.raw.hex())


def add_rejected(con: DuckDBPyConnection, run_id: str, at: datetime, rejected: Sequence[Rejected]) -> int:
    """Put unreadable records into the quarantine; return how many are new there."""
    before = con.execute("SELECT count(*) FROM quarantine").fetchone()
    con.executemany(
        "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [[quarantine_id(r), r.source, r.record, r.reason, r.raw, run_id, at] for r in rejected],
    ) if rejected else None
    after = con.execute("SELECT count(*) FROM quarantine").fetchone()
    return int(after[0] - before[0]) if before and after else 0


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

    `codings` has the columns passage_id, code, probability, decision. Passages that this coder
    coded already are left out, so a batch that is repeated adds nothing. Returns the rows added.
    """
    batch = pa.table({"passage_id": pa.array(coded, pa.string())})
    con.register("coded_batch", batch)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT passage_id FROM coded_batch ANTI JOIN "
        "(SELECT passage_id FROM coded "
        "WHERE coder = ? AND codebook = ? AND codebook_hash = ?) USING (passage_id)",
        [coder, codebook.id, codebook.hash],
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
    _add_passages(con, cut)
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
