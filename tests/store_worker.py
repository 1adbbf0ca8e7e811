"""Writes small transactions into a store, or reads it all the while; started by test_store.py."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from qinlp.store import Store, append

role, path = sys.argv[1], Path(sys.argv[2])
store = Store(path, wait=120)
if role == "hold":
    with store.write():
        sys.stdout.write("held\n")
        sys.stdout.flush()
        time.sleep(float(sys.argv[3]))
elif role == "read":
    seen = 0
    until = time.monotonic() + 60
    while seen < 40 and time.monotonic() < until:
        with store.read() as con:
            now = con.execute("SELECT count(*) FROM runs").fetchone()[0]
        assert now >= seen, "a row went away"
        seen = now
    sys.stdout.write(f"{seen}\n")
else:
    for n in range(20):
        with store.write() as con:
            append.start_run(con, f"{role}-{n}", "ingest", datetime.now(UTC), "0", {})
