"""The steps of the work: each moves data from one stage into the store. Flows and CLI call these.

No step holds the database while it computes. Each batch is committed in one transaction with
the note that it is done, so a step that was killed at any moment is simply run again.
"""

from qinlp.steps.carrying import Carried, carry
from qinlp.steps.coding import Coded, code, find_model, predict
from qinlp.steps.publishing import publish
from qinlp.steps.reading import Ingested, ingest
from qinlp.steps.run import Watch, unwatched

__all__ = [
    "Carried",
    "Coded",
    "Ingested",
    "Watch",
    "carry",
    "code",
    "find_model",
    "ingest",
    "predict",
    "publish",
    "unwatched",
]
