"""Which days a search is to be asked for, and in what parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

Days = tuple[date, date]
"""First and last day, both included."""

RECORDS_A_WINDOW = 5_000
"""A window with more is halved, down to a day: so much, and no more, is asked again after a failure."""

_DAY = timedelta(days=1)


def to_ask(since: date, today: date, covered: Sequence[Days], overlap_days: int) -> list[Days]:
    """Return the stretches of days to ask for, in order: those not covered, and the latest again.

    The latest are those from `overlap_days` before the watermark, the last day covered, up to it:
    a source shows some records days after it took them in. A stretch is either new or asked
    again, never both. `covered` are stretches apart from each other, in order.
    """
    found: list[Days] = []
    start = since
    for first, last in covered:
        watermark = min(covered[-1][1], today)
        found.append((start, min(first - _DAY, today)))
        found.append((max(since, first, watermark - timedelta(overlap_days)), min(last, today)))
        start = max(start, last + _DAY)
    found.append((start, today))
    return [(first, last) for first, last in found if first <= last]


def parts(
    first: date, last: date, most: int, count: Callable[[date, date], int]
) -> Iterator[tuple[date, date, int]]:
    """Yield windows that make up the days from `first` to `last`, in order: first day, last day, records.

    Each holds at most `most` records and at most `RECORDS_A_WINDOW`, where it is not a single day.
    `count` is asked once for all days and once for every halving. It is asked when a window's turn
    comes, so that the first windows can be worked on before the last are known. A window of 0
    records was counted itself, not worked out.
    """
    waiting = [(first, last, count(first, last))]
    while waiting:
        begin, end, n = waiting.pop()
        if n <= min(most, RECORDS_A_WINDOW) or begin == end:
            yield begin, end, n
            continue
        middle = begin + (end - begin) // 2
        left = count(begin, middle)
        right = n - left  # what was counted an hour ago may differ a little: pages tell their own number
        if right <= 0:
            right = count(middle + _DAY, end)
        waiting += [(middle + _DAY, end, right), (begin, middle, left)]
