"""qinlp.toml: what a project says, checked. Unknown keys are refused with the nearest known key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, get_args, get_type_hints

from qinlp.errors import ConfigError, nearest

FILE = "qinlp.toml"


@dataclass(frozen=True, slots=True)
class Ingest:
    """What comes in."""

    paths: tuple[str, ...] = ("documents",)
    """Files and folders that `qinlp run` reads, relative to the project folder."""


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
class Config:
    """One project's settings; every one has a default, so an empty file is valid."""

    folder: Path
    name: str = ""
    database: str = "qinlp.duckdb"
    ingest: Ingest = field(default_factory=Ingest)
    passages: Passages = field(default_factory=Passages)
    coding: CodingOptions = field(default_factory=CodingOptions)

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
    settings = _build(Config, given, path, text, prefix="", extra={"folder": folder})
    assert isinstance(settings, Config)  # noqa: S101
    _check_values(settings, path)
    return settings


def _check_values(config: Config, path: Path) -> None:
    checks = (
        ("passages.turn_words", config.passages.turn_words, 10 <= config.passages.turn_words <= 2000,
         "10 to 2000"),
        ("coding.keep_from", config.coding.keep_from, 0 <= config.coding.keep_from <= 1, "0 to 1"),
        ("coding.codebooks", list(config.coding.codebooks), bool(config.coding.codebooks), "at least one id"),
    )  # fmt: skip
    for key, value, valid, allowed in checks:
        if not valid:
            raise ConfigError(f"{path}: {key} = {value!r}; allowed: {allowed}")


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
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
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
