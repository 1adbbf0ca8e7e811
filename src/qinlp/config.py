"""qinlp.toml: what a project says, checked. Unknown keys are refused with the nearest known key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from types import GenericAlias
from typing import Any, get_args, get_type_hints

from qinlp.errors import ConfigError, nearest

FILE = "qinlp.toml"
RUNNERS = ("thread", "dask")


@dataclass(frozen=True, slots=True)
class Ingest:
    """What comes in."""

    paths: tuple[str, ...] = ("documents",)
    """Files and folders that `qinlp run` reads, relative to the project folder."""
    settle_seconds: float = 2.0
    """A file that changed so lately may still be being written: it is left until it rests."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search that every run asks for what is new since the last one."""

    name: str
    """What it is called in the store and in messages."""
    source: str
    """europepmc, pubmed or openalex."""
    query: str
    """In the source's own language; qinlp adds the dates."""
    since: date = date(1800, 1, 1)
    """Records that the source took in before that day are not asked for."""
    overlap_days: int = 7
    """So many days before the last run's end are asked for again, for records that appeared late."""
    base_url: str = ""
    """Another address of the service; else its public one."""


@dataclass(frozen=True, slots=True)
class Network:
    """How far a run may go on the network; e-mail and keys come from the environment."""

    requests: int = 10_000
    """Requests that one run may send, all searches and repetitions together."""
    minutes: float = 60.0
    """How long one run may ask, all searches together."""
    tries: int = 6
    """How often one request is sent before its search is given up for this run."""
    timeout_seconds: float = 60.0
    """How long one answer may take."""


@dataclass(frozen=True, slots=True)
class Passages:
    """How documents are cut."""

    turn_words: int = 60
    """About how many words of one speaker's turn make a passage; sentences stay whole."""


@dataclass(frozen=True, slots=True)
class CodingOptions:
    """How passages are coded."""

    model: str = "qinlp-minilm"
    """A folder under the project's or qinlp's `models/`."""
    codebooks: tuple[str, ...] = ("valence", "cfir", "npt")
    """Ids of codebooks in the project's `codebooks/` folder or shipped with qinlp."""
    interviewer: bool = False
    """Whether the interviewer's own passages are coded too."""
    keep_from: float = 0.05
    """Codings less probable than this are not stored, unless they were decided present."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Where passages are encoded and coded."""

    runner: str = "thread"
    """thread: this process; dask: a Dask cluster, for `qinlp run`."""
    address: str = ""
    """The Dask scheduler, such as tcp://head-node:8786; else a cluster on this machine for the run."""
    workers: int = 2
    """Processes of the cluster on this machine."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When `qinlp serve` runs which flow, as cron has it; an empty one is not scheduled."""

    nightly: str = "15 2 * * *"
    ingest: str = ""
    code: str = ""
    train: str = ""
    timezone: str = ""
    """Such as Europe/Oslo; else UTC."""


@dataclass(frozen=True, slots=True)
class Health:
    """When a run counts as departing from its history."""

    departure: float = 3.75
    """So many robust standard deviations (median and MAD) from the runs before."""
    history: int = 5
    """Runs that must have been before any is judged."""
    stale_hours: float = 48.0
    """A project with a schedule whose last run is older is not well."""


@dataclass(frozen=True, slots=True)
class Review:
    """How people review."""

    strategy: str = "uncertainty"
    """The order of the queue; `qinlp review strategies` lists them."""
    audit_share: float = 0.1
    """Share of the queue drawn by chance from all that nobody looked at, to measure the errors there."""
    double_share: float = 0.1
    """Share of reviewed passages that a second coder is given as well, blind."""
    target_error: float = 0.05
    """The expected share of passages coded wrongly among those nobody looks at that the team accepts."""
    length: int = 2000
    """Passages that the queue of a codebook holds at a time."""
    retrain_after: int = 0
    """So many new reviews make `nightly` train a new model; 0: never by itself."""


@dataclass(frozen=True, slots=True)
class Config:
    """One project's settings; every one has a default, so an empty file is valid."""

    folder: Path
    name: str = ""
    database: str = "qinlp.duckdb"
    ingest: Ingest = field(default_factory=Ingest)
    passages: Passages = field(default_factory=Passages)
    coding: CodingOptions = field(default_factory=CodingOptions)
    search: tuple[Search, ...] = ()
    network: Network = field(default_factory=Network)
    compute: Compute = field(default_factory=Compute)
    schedule: Schedule = field(default_factory=Schedule)
    health: Health = field(default_factory=Health)
    review: Review = field(default_factory=Review)
    scheduled: bool = False
    """Whether qinlp.toml has a [schedule], so that runs are expected."""

    @property
    def database_path(self) -> Path:
        """The DuckDB file."""
        return self.folder / self.database

    @property
    def codebook_folders(self) -> tuple[Path, ...]:
        """Where the project's own codebooks lie; the shipped ones are found after them."""
        return (self.folder / "codebooks",)

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where the project's own models lie; the shipped ones are found after them."""
        return (self.folder / "models",)


def project_folder(given: Path | None) -> Path:
    """Return the project chosen by `--project`, by QINLP_PROJECT, or the current folder."""
    return given or Path(os.environ.get("QINLP_PROJECT") or ".")


def load(folder: Path) -> Config:
    """Read `folder/qinlp.toml`.

    Raises:
        ConfigError: there is no such file, it is no TOML, a key is unknown or a value has the wrong type.
    """
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{folder}: no {FILE} here; make a project with `qinlp --project {folder} init`, "
            "or name one with --project"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); it must be a UTF-8 text file") from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}; mend the line or delete it for the default") from None
    settings = _build(
        Config, given, path, text, prefix="", extra={"folder": folder, "scheduled": "schedule" in given}
    )
    assert isinstance(settings, Config)  # noqa: S101
    _check_values(settings, path)
    return settings


def _check_values(config: Config, path: Path) -> None:
    checks = (
        ("passages.turn_words", config.passages.turn_words, 10 <= config.passages.turn_words <= 2000,
         "10 to 2000"),
        ("coding.keep_from", config.coding.keep_from, 0 <= config.coding.keep_from <= 1, "0 to 1"),
        ("coding.codebooks", list(config.coding.codebooks), bool(config.coding.codebooks), "at least one id"),
        ("ingest.settle_seconds", config.ingest.settle_seconds, 0 <= config.ingest.settle_seconds <= 3600,
         "0 to 3600"),
        ("network.requests", config.network.requests, config.network.requests > 0, "at least 1"),
        ("network.minutes", config.network.minutes, config.network.minutes > 0, "more than 0"),
        ("network.tries", config.network.tries, 1 <= config.network.tries <= 20, "1 to 20"),
        ("network.timeout_seconds", config.network.timeout_seconds, config.network.timeout_seconds > 0,
         "more than 0"),
        ("compute.runner", config.compute.runner, config.compute.runner in RUNNERS, " or ".join(RUNNERS)),
        ("compute.workers", config.compute.workers, config.compute.workers > 0, "at least 1"),
        ("health.departure", config.health.departure, config.health.departure > 0, "more than 0"),
        ("health.history", config.health.history, config.health.history >= 3, "at least 3"),
        ("health.stale_hours", config.health.stale_hours, config.health.stale_hours > 0, "more than 0"),
        ("review.audit_share", config.review.audit_share, 0 < config.review.audit_share < 1,
         "between 0 and 1"),
        ("review.double_share", config.review.double_share, 0 <= config.review.double_share <= 1, "0 to 1"),
        ("review.target_error", config.review.target_error, 0 < config.review.target_error < 1,
         "between 0 and 1"),
        ("review.length", config.review.length, 10 <= config.review.length <= 100_000, "10 to 100000"),
        ("review.retrain_after", config.review.retrain_after, config.review.retrain_after >= 0, "0 and more"),
        *_search_checks(config.search),
        ("search names", (names := [one.name for one in config.search]), len(set(names)) == len(names),
         "each once"),
    )  # fmt: skip
    for key, value, valid, allowed in checks:
        if not valid:
            raise ConfigError(f"{path}: {key} = {value!r}; allowed: {allowed}")


def _search_checks(searches: tuple[Search, ...]) -> Iterator[tuple[str, Any, bool, str]]:
    for number, one in enumerate(searches, 1):
        at = f"search {one.name!r}"
        yield (
            f"search.{number}.name",
            one.name,
            bool(re.fullmatch(r"[\w.-]+", one.name)),
            "letters, digits, -, _",
        )
        yield (
            f"{at}: overlap_days",
            one.overlap_days,
            one.overlap_days >= 1,
            "1 and more: sources count in days",
        )
        yield f"{at}: query", one.query, bool(one.query.strip()), "what to search for"


def _build(  # the one recursive walk over tables and their dataclasses
    kind: type[Any], given: Mapping[str, Any], path: Path, text: str, *, prefix: str, extra: Mapping[str, Any]
) -> object:
    known = {f.name: f for f in fields(kind) if f.name not in extra}
    hints = get_type_hints(kind)
    values: dict[str, Any] = dict(extra)
    for key, value in given.items():
        if key not in known:
            raise ConfigError(
                f"{path}:{_line(text, key)}: unknown key {prefix + key!r}; {nearest(key, known)}"
            )
        hint = hints[key]
        where = f"{path}:{_line(text, key)}: {prefix}{key} = {value!r}"
        if is_dataclass(hint):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}; this is a table: write [{prefix}{key}]")
            assert isinstance(hint, type)  # noqa: S101
            values[key] = _build(hint, value, path, text, prefix=f"{prefix}{key}.", extra={})
        elif (inner := (get_args(hint) or (None,))[0]) is not None and is_dataclass(inner):
            if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                raise ConfigError(f"{where}; these are tables: write [[{prefix}{key}]] before each")
            assert isinstance(inner, type)  # noqa: S101
            values[key] = tuple(
                _build(inner, one, path, text, prefix=f"{prefix}{key}.", extra={}) for one in value
            )
        else:
            values[key] = _checked(hint, value, where)
    missing = [
        name for name, f in known.items()
        if name not in values and f.default is MISSING and f.default_factory is MISSING
    ]  # fmt: skip
    if missing:
        raise ConfigError(f"{path}: {prefix}{missing[0]} is missing; add it")
    built: object = kind(**values)
    return built


def _checked(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, GenericAlias) or get_args(hint):
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f'{where}; a list of texts is needed, such as ["a", "b"]')
        return tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    odd = (hint is int and isinstance(value, bool)) or (hint is date and isinstance(value, datetime))
    if not isinstance(value, hint) or odd:
        if hint is date:
            raise ConfigError(f"{where}; a date is needed, without quotes: 2024-01-31")
        raise ConfigError(f"{where}; a {hint.__name__} is needed")
    return value


def _line(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().lstrip("[").replace('"', "").split("=")[0].strip(" ]").split(".")[-1] == key:
            return number
    return 1


TEMPLATE = """\
# A qinlp project. Every key is optional; what stands here are the defaults.
name = "{name}"

[ingest]
# files and folders that `qinlp run` reads, relative to this folder
paths = {paths}

[passages]
# about how many words of one speaker's turn make a passage
turn_words = 60

[coding]
model = "qinlp-minilm"
codebooks = ["valence", "cfir", "npt"]
interviewer = false

# a search that every run asks for what is new (`qinlp run nightly`); europepmc, pubmed or openalex
# [[search]]
# name = "falls"
# source = "europepmc"
# query = 'TITLE_ABS:("fall prevention" AND implementation)'
# since = 2024-01-01

# when `qinlp serve` runs what, as cron has it
# [schedule]
# nightly = "15 2 * * *"
# timezone = "Europe/Oslo"
"""


def write(folder: Path, *, paths: tuple[str, ...] = ("documents",)) -> Path:
    """Write a new project's qinlp.toml and return its path.

    Raises:
        ConfigError: there is one already, or the folder cannot be written.
    """
    import json

    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = json.dumps(folder.resolve().name, ensure_ascii=False)[1:-1]
        with path.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE.format(name=name, paths=json.dumps(list(paths), ensure_ascii=False)))
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; edit it, or choose another folder") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None
    return path
