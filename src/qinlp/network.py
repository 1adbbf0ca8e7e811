"""The one way out: requests with a rate, a budget and a record.

Every request passes `Client.fetch`. It keeps the service's rate, counts against the run's budget,
is written down by host and size, and is sent again while there is hope: after a broken connection, a
timeout, status 408, 429 or 5xx, or an answer that its reader calls garbled. Proxies come from the
environment (HTTPS_PROXY, NO_PROXY), as does who asks (QINLP_EMAIL).
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote_plus, urlsplit

from qinlp import __version__
from qinlp.errors import SourceDown, SourceError

if TYPE_CHECKING:
    import httpx
    from pyrate_limiter import Limiter

T = TypeVar("T")
_log = logging.getLogger(__name__)

KEYS = ("api_key",)
"""Parameters that are sent and never shown, logged or recorded."""
LARGEST = 256_000_000
"""Bytes of one answer, unpacked, that are read; a larger one is no page of a search."""
LONGEST_WAIT = 60
"""The wait between two tries grows to so many times the first one."""
REDIRECTS = 3
QUOTED = 200
"""Characters of a service's own words that a message repeats."""


class Garbled(ValueError):  # noqa: N818 - what it is, as people say it
    """An answer that is not what was asked for: cut off, or an error page. Asking again may help."""

    def __init__(self, reason: str, raw: bytes = b"") -> None:
        super().__init__(reason)
        self.raw = raw


class Refused(ValueError):  # noqa: N818 - what it is, as people say it
    """An answer that says no in its body, in the service's own words. Asking again does not help."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went to one host and came from it."""

    host: str
    """With its port, where that is not the scheme's own."""
    requests: int
    """Those that failed included."""
    bytes_out: int
    """Request lines, headers and bodies, as HTTP/1.1 has them, without TLS."""
    bytes_in: int
    """Status lines, headers and bodies as they came, before unpacking, without TLS."""


class Egress:
    """Counts what leaves the machine and what comes back; threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[str, tuple[int, int, int]] = {}

    def add(self, host: str, bytes_out: int, bytes_in: int) -> None:
        """Count one request."""
        with self._lock:
            requests, out, into = self._rows.get(host, (0, 0, 0))
            self._rows[host] = requests + 1, out + bytes_out, into + bytes_in

    def take(self) -> tuple[Traffic, ...]:
        """Return what was counted since the last time, by host, and begin anew."""
        with self._lock:
            rows, self._rows = self._rows, {}
        return tuple(Traffic(host, *counted) for host, counted in sorted(rows.items()))


class Budget:
    """How far one run may go, all its searches and repetitions together; threads may share it."""

    def __init__(self, requests: int, minutes: float) -> None:
        self._requests, self._minutes = requests, minutes
        self._lock = Lock()
        self._spent = 0
        self._began: float | None = None

    def spend(self) -> None:
        """Take one request; time counts from the first one.

        Raises:
            SourceDown: nothing is left.
        """
        with self._lock:
            if self._began is None:
                self._began = monotonic()
            if self._spent >= self._requests or self._left() <= 0:
                raise SourceDown(self._words())
            self._spent += 1

    def wait(self, seconds: float) -> None:
        """See whether a wait fits into what is left.

        Raises:
            SourceDown: it is longer.
        """
        with self._lock:
            if seconds > self._left():
                raise SourceDown(f"a wait of {seconds:.0f} s is asked for, and {self._words()}")

    def _left(self) -> float:
        passed = 0.0 if self._began is None else monotonic() - self._began
        return self._minutes * 60 - passed

    def _words(self) -> str:
        passed = self._minutes - self._left() / 60
        return (
            f"the run's budget is spent: {self._spent} of {self._requests} requests, {passed:.1f} of "
            f"{self._minutes:g} minutes; raise network.requests or network.minutes in qinlp.toml, "
            "or leave the rest to the next run"
        )


class _Passing(Exception):  # noqa: N818 - it is no error until the last try
    """What went wrong with one try and may pass."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds that the service asks us to wait."""
        self.wait = 0.0
        """Seconds that we do wait."""


class Client:
    """Asks one service; threads may share it. Use it in a `with` statement, or close it.

    Args:
        base_url: Where the service is.
        rate: Requests a second. Clients of one service in one process share it; `math.inf` sets none.
        budget: What the run may spend.
        egress: Where requests are counted.
        tries: How often one request is sent before it is given up.
        timeout_seconds: How long one answer may take.
        secrets: More words that are never shown; the values of `KEYS` never are.
        patience: Seconds of the first wait before trying again; each later one is twice as long, and
            all vary by as much again at random.

    Raises:
        SourceError: `base_url` is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        rate: float,
        budget: Budget,
        egress: Egress,
        tries: int = 6,
        timeout_seconds: float = 60.0,
        secrets: Iterable[str] = (),
        patience: float = 1.0,
    ) -> None:
        import httpx
        from stamina import instrumentation

        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SourceError(
                f"base_url = {base_url!r}; an address is needed, such as https://example.org/api"
            )
        self.host = _host(httpx.URL(base_url))
        self._base = base_url.rstrip("/")
        with _one_at_a_time:
            self._limiter = _limiter(self.host, rate)
        self._budget, self._egress = budget, egress
        self._tries, self._patience, self._timeout = tries, patience, timeout_seconds
        email = os.environ.get("QINLP_EMAIL", "").strip()
        agent = f"qinlp/{__version__}" + (f" (mailto:{email})" if email else "")
        self._http = httpx.Client(timeout=timeout_seconds, headers={"User-Agent": agent})
        _hide(secrets)
        logging.getLogger("httpx").addFilter(_discreet)
        instrumentation.set_on_retry_hooks([])  # tries are logged here, with their reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(
        self,
        path: str,
        parameters: Mapping[str, str],
        parse: Callable[[bytes], T],
        *,
        post: bool = False,
        asking: str = "",
        tries: int | None = None,
    ) -> T:
        """Return what `parse` makes of the answer.

        Args:
            path: Under the base URL.
            parameters: Sent with it; empty ones are left out.
            parse: Reads the answer's body; raises `Garbled` for one to ask for again, `Refused` for a no.
            post: Whether the parameters go as a form in the body, which may be long.
            asking: What is asked, as a message names it: the query.
            tries: Instead of the client's.

        Raises:
            SourceDown: no usable answer came in so many tries (`__cause__` is the last try's
                `Garbled`, if it was that), or the budget is spent.
            SourceError: the service refuses, in its own words.
        """
        import stamina

        tries = tries or self._tries
        parameters = {key: value for key, value in parameters.items() if value}
        _hide(parameters[key] for key in KEYS if key in parameters)
        place = f"{self.host}: {asking!r}" if asking else self.host
        attempts = stamina.retry_context(
            on=_wait, attempts=tries, timeout=None, wait_initial=self._patience, wait_jitter=0,
            wait_max=LONGEST_WAIT * self._patience,
        )  # fmt: skip
        try:
            for attempt in attempts:
                with attempt:
                    try:
                        return self._once(path, parameters, parse, post=post)
                    except _Passing as passing:
                        jitter = random.random() * self._patience  # noqa: S311 - spreads the tries
                        passing.wait = max(passing.after, attempt.next_wait + jitter)
                        if attempt.num < tries:
                            self._budget.wait(passing.wait)
                            _log.info(
                                "%s: %s; asked again in %.1f s (try %d of %d)",
                                self.host, passing, passing.wait, attempt.num, tries,
                            )  # fmt: skip
                        raise
        except _Passing as passing:
            raise SourceDown(
                f"{place}: no answer in {tries} tries, at last: {passing}; a later run catches up"
            ) from passing.__cause__
        except Refused as refused:
            raise SourceError(
                f"{place}: refused: {_shown(str(refused))}; correct the query or the key"
            ) from None
        except SourceDown as spent:
            raise SourceDown(f"{place}: {spent}") from None
        raise AssertionError

    def _once(
        self, path: str, parameters: Mapping[str, str], parse: Callable[[bytes], T], *, post: bool
    ) -> T:
        url = f"{self._base}/{path}"
        request = (
            self._http.build_request("POST", url, data=dict(parameters))
            if post
            else self._http.build_request("GET", url, params=dict(parameters))
        )
        for _ in range(REDIRECTS + 1):
            answer, body = self._send(request)
            if answer.next_request is None:
                break
            request = answer.next_request
            unsafe = answer.url.scheme == "https" != request.url.scheme
            if unsafe or _host(request.url) != self.host:
                to = f"{request.url.scheme}://{_host(request.url)}"
                raise Refused(f"it sends us on to {to}; set base_url if that is right")
        _check(answer, body)
        try:
            return parse(body)
        except Garbled as garbled:
            raise _Passing(f"a garbled answer, {_shown(str(garbled))}") from garbled

    def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Send it once, within rate and budget, and count it whatever happens."""
        import httpx

        if self._limiter is not None:
            self._limiter.try_acquire(self.host)
        self._budget.spend()
        bytes_out, bytes_in = _size(request), 0
        until = monotonic() + self._timeout
        body = bytearray()
        try:
            with closing(self._http.send(request, stream=True)) as answer:
                bytes_in = _head(answer)
                try:
                    for piece in answer.iter_bytes():
                        body += piece
                        if len(body) > LARGEST:
                            raise Refused(f"the answer is larger than {LARGEST:,} bytes")
                        if monotonic() > until:
                            raise _Passing(f"the answer took longer than {self._timeout:g} s")
                finally:
                    bytes_in += answer.num_bytes_downloaded
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            bytes_out = 0
            raise _Passing(_said(error)) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Passing(_said(error)) from None
        finally:
            self._egress.add(_host(request.url), bytes_out, bytes_in)
        return answer, bytes(body)


def _wait(error: Exception) -> float | bool:
    return error.wait if isinstance(error, _Passing) else False


_one_at_a_time = Lock()


@cache
def _limiter(host: str, rate: float) -> Limiter | None:  # noqa: ARG001 - one for each
    """Return the one limiter of a service in this process."""
    from pyrate_limiter import Limiter, Rate

    if math.isinf(rate):
        return None
    several = max(1, int(rate))
    return Limiter(Rate(several, round(1000 * several / rate)))


def _check(answer: httpx.Response, body: bytes) -> None:
    """Pass an answer that is one; raise what may pass, and what is refused."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    words = _words(body)
    after = _retry_after(answer.headers.get("Retry-After", ""))
    said = f"status {status}" + (f", {words}" if words else "")
    if status in {408, 429} or status >= 500 or (status == 403 and after is not None):
        raise _Passing(said, after or 0.0)
    raise Refused(said)


def _retry_after(header: str) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3)."""
    header = header.strip()
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _words(body: bytes) -> str:
    """Return what an error's body says, short and on one line."""
    text = body[:100_000].decode("utf-8", "replace")
    try:
        found: Any = json.loads(text, strict=False)
    except ValueError:
        return _shown(re.sub(r"(?s)<(script|style|title)\b.*?</\1>|<[^>]*>", " ", text))
    if isinstance(found, dict):
        for key in ("message", "error", "errMsg", "detail"):
            if isinstance(found.get(key), str):
                return _shown(found[key])
    return _shown(text)


def _said(error: Exception) -> str:
    words = str(error) or "no more is known"
    return _shown(f"{type(error).__name__}, {words}")


def _host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii", "replace").rpartition("@")[2]


def _size(request: httpx.Request) -> int:
    line = len(request.method) + len(request.url.raw_path) + len("  HTTP/1.1\r\n")
    return line + _lines(request.headers.raw) + len(request.read())


def _head(answer: httpx.Response) -> int:
    line = len(f"{answer.http_version} {answer.status_code} {answer.reason_phrase}\r\n")
    return line + _lines(answer.headers.raw)


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers) + len("\r\n")


_hidden: set[str] = set()


def _hide(words: Iterable[str]) -> None:
    for word in words:
        if word:
            _hidden.update({word, quote_plus(word)})


def _blanked(text: str) -> str:
    for word in sorted(_hidden, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def _shown(text: str) -> str:
    """Return a service's words as a message may repeat them."""
    line = " ".join(_blanked(text).split())
    return line if len(line) <= QUOTED else f"{line[:QUOTED]} …"


class _Discreet(logging.Filter):
    """Blanks keys in the addresses that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _blanked(record.getMessage()), ()
        return True


_discreet = _Discreet()
