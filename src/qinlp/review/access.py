"""Who may come in: a one-time address on this machine, or accounts with passwords.

Passwords are kept as Argon2id hashes (RFC 9106). A session is a random token, of which the desk
keeps the SHA-256 alone; its cookie is out of reach of scripts and is sent to this site only. Every
form carries a token derived from the session (OWASP CSRF prevention: HMAC-based token).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock

from qinlp.errors import ConfigError, nearest
from qinlp.store.desk import Desk

COOKIE = "qinlp_review"
LASTS = timedelta(hours=12)
SHORTEST = 10
"""Characters that a password must have."""

_one_at_a_time = Lock()  # a hash takes 64 MB; and nobody guesses faster than this machine hashes


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a session."""

    name: str
    adjudicates: bool
    token: str

    @property
    def form_token(self) -> str:
        """What every form of this session must carry."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def sent(self, form_token: str) -> bool:
        """Tell whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Account:
    """A coder who may sign in."""

    name: str
    adjudicates: bool


def add_account(desk: Desk, name: str, password: str, *, adjudicates: bool = False) -> None:
    """Let a coder sign in; an account that is there gets the new password.

    Raises:
        ConfigError: the name is empty or the password too short.
    """
    from argon2 import PasswordHasher

    if not name.strip() or not name.isprintable():
        raise ConfigError(f"account {name!r}: a name of visible characters is needed")
    if len(password) < SHORTEST:
        raise ConfigError(f"account {name!r}: the password needs at least {SHORTEST} characters")
    with desk.open() as con:
        con.execute(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)",
            [name, PasswordHasher().hash(password), adjudicates, datetime.now(UTC).isoformat()],
        )
        con.execute("DELETE FROM sessions WHERE name = ?", [name])


def remove_account(desk: Desk, name: str) -> None:
    """Let a coder sign in no more and end their sessions; what they did stays.

    Raises:
        ConfigError: there is no such account.
    """
    known = [one.name for one in accounts(desk)]
    if name not in known:
        raise ConfigError(f"no account {name!r}; {nearest(name, known)}")
    with desk.open() as con:
        con.execute("DELETE FROM accounts WHERE name = ?", [name])
        con.execute("DELETE FROM sessions WHERE name = ?", [name])


def accounts(desk: Desk) -> list[Account]:
    """Return who may sign in."""
    with desk.open() as con:
        rows = con.execute("SELECT name, adjudicates FROM accounts ORDER BY name").fetchall()
        return [Account(row["name"], bool(row["adjudicates"])) for row in rows]


def password_fits(desk: Desk, name: str, password: str) -> bool:
    """Tell whether a coder may come in with this password; takes as long where there is no such account."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    with desk.open() as con:
        row = con.execute("SELECT secret FROM accounts WHERE name = ?", [name]).fetchone()
    secret = row["secret"] if row else _nobody()
    try:
        with _one_at_a_time:
            return PasswordHasher().verify(secret, password) and row is not None
    except (Argon2Error, InvalidHashError):
        return False


def begin(desk: Desk, name: str) -> str:
    """Begin a session and return its token."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    with desk.open() as con:
        con.execute("DELETE FROM sessions WHERE until < ?", [now.isoformat()])
        con.execute("INSERT INTO sessions VALUES (?, ?, ?)", [_kept(token), name, (now + LASTS).isoformat()])
    return token


def end(desk: Desk, token: str) -> None:
    """End a session."""
    with desk.open() as con:
        con.execute("DELETE FROM sessions WHERE token = ?", [_kept(token)])


def visitor(desk: Desk, token: str, *, alone: bool) -> Visitor | None:
    """Return whose session it is, None where it is nobody's or over.

    `alone`: there are no accounts, and whoever has the machine may do everything.
    """
    with desk.open() as con:
        row = con.execute(
            "SELECT s.name, a.adjudicates FROM sessions s LEFT JOIN accounts a USING (name) "
            "WHERE token = ? AND until > ?",
            [_kept(token), datetime.now(UTC).isoformat()],
        ).fetchone()
    if row is None or (row["adjudicates"] is None and not alone):
        return None
    return Visitor(row["name"], alone or bool(row["adjudicates"]), token)


def _kept(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _nobody() -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(secrets.token_hex(8))
