"""The store: one DuckDB file, one writer at a time, short leases."""

from qinlp.store.lease import Store

__all__ = ["Store"]
