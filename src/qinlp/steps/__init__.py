"""The steps of the work: each moves data from one stage into the store. Flows and CLI call these.

No step holds the database while it computes. Each batch is committed in one transaction with
the note that it is done, so a step that was killed at any moment is simply run again.
"""

from qinlp.steps.carrying import Carried, carry
from qinlp.steps.coding import Coded, Compute, code, find_model, predict
from qinlp.steps.matching import Matched, decide, match
from qinlp.steps.measuring import Measured, measure
from qinlp.steps.promoting import Known, models, promote, rollback
from qinlp.steps.publishing import publish, unpublished
from qinlp.steps.quarantine import Retried, dismiss, retry
from qinlp.steps.queueing import Queued, assign, queue
from qinlp.steps.reading import Ingested, ingest
from qinlp.steps.reporting import measures, quarantined
from qinlp.steps.run import Watch, unwatched
from qinlp.steps.searching import Found, search, window
from qinlp.steps.teaching import Learned, Lesson, due, labelled, lesson, note_attempt, vectors

__all__ = [
    "Carried",
    "Coded",
    "Compute",
    "Found",
    "Ingested",
    "Known",
    "Learned",
    "Lesson",
    "Matched",
    "Measured",
    "Queued",
    "Retried",
    "Watch",
    "assign",
    "carry",
    "code",
    "decide",
    "dismiss",
    "due",
    "find_model",
    "ingest",
    "labelled",
    "lesson",
    "match",
    "measure",
    "measures",
    "models",
    "note_attempt",
    "predict",
    "promote",
    "publish",
    "quarantined",
    "queue",
    "retry",
    "rollback",
    "search",
    "unpublished",
    "unwatched",
    "vectors",
    "window",
]
