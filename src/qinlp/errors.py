"""The error tree. Every message carries the bad value, the place and the remedy.

    QinlpError                      anything qinlp refuses; the CLI prints it in one line, exit code 2
    ├── ConfigError                 qinlp.toml or an option is wrong
    ├── CodebookError               a codebook is malformed, or a codebook or code is unknown
    ├── SourceError                 a whole file cannot be read (missing, empty, binary, unknown suffix),
    │   │                           or a search is refused
    │   └── SourceDown              a search gives no answer now, or the run may ask no more; it may pass
    ├── ModelError                  an encoder or heads are missing, altered or do not fit
    ├── StoreError                  the database is missing, newer than this program, or refuses a statement
    │   └── StoreBusy               another process held the database for longer than we waited
    └── QuestionError               a named question is unknown or lacks a parameter

A bad *record* inside a good file is no exception: readers yield `records.Rejected`, which the
store keeps in its quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class QinlpError(Exception):
    """Something qinlp refuses to do, said in one line: the value, the place, the remedy."""


class ConfigError(QinlpError):
    """The configuration or an option is wrong."""


class CodebookError(QinlpError):
    """A codebook is malformed, or a codebook or code is unknown."""


class SourceError(QinlpError):
    """A whole file cannot be read, or a search is refused."""


class SourceDown(SourceError):  # noqa: N818 - what it is, as people say it
    """A searched source gives no usable answer now, or the run's budget is spent; a later run catches up."""


class ModelError(QinlpError):
    """An encoder or a set of heads is missing, altered, or does not fit the codebook."""


class StoreError(QinlpError):
    """The database is missing, was written by a newer qinlp, or refuses a statement."""


class StoreBusy(StoreError):  # noqa: N818 - what it is, as people say it
    """Another process held the database for longer than we were willing to wait."""


class QuestionError(QinlpError):
    """A named question is unknown or lacks a parameter."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy naming the nearest known word, or all of them where none is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"
