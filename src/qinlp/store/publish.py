"""The snapshot: a copy that long-lived readers may hold open while the store is written."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from qinlp.errors import StoreError
from qinlp.store.lease import Store


def publish(store: Store, to: Path) -> Path:
    """Copy the database to `to`, whole and checkpointed, replacing the last snapshot in one step.

    Whoever has the old snapshot open keeps reading the old one.

    Raises:
        StoreError: there is no database, or no room for its copy.
    """
    with store.read():
        pass
    try:
        handle, name = tempfile.mkstemp(prefix=f".{to.name}.", dir=to.parent)
    except OSError as error:
        raise StoreError(
            f"{to}: cannot be written ({error.strerror}); name another place with --to"
        ) from None
    os.close(handle)
    draft = Path(name)
    try:
        with store.checkpointed():
            shutil.copyfile(store.path, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.chmod(0o444)
        draft.replace(to)
    except OSError as error:
        raise StoreError(f"{to}: cannot be written ({error.strerror}); the old snapshot stands") from None
    finally:
        draft.unlink(missing_ok=True)
    return to
