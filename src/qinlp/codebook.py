"""Codebooks: what may be coded, with the rules and examples that say when.

One YAML file is one codebook (a CSV file `name,description,parent` will do for a start):

    id: cfir
    version: "2.0"
    title: ...
    kind: framework            # framework | valence | level | actor | theme
    exclusive: false           # true: at most one code per passage
    source: {citation: ..., doi: ...}
    licence: ...
    codes:
    - id: inn                  # ids are written out in full, also in nested codes
      name: Innovation
      definition: ...
      assignable: false        # a heading, given to no passage
      codes:
      - id: inn.cost
        name: Cost
        definition: ...
        include: [...]
        exclude: ["outside money [out.financing]"]    # the code in brackets takes it
        examples: [...]
        synonyms: [...]
        maps: {other-codebook: [code, ...]}

`load` refuses a file it cannot make sense of, with file, line and remedy; `check` lists what a
good codebook would not leave so; `problems` does both for one file.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from qinlp import shipped
from qinlp.errors import CodebookError, nearest
from qinlp.records import content_hash, folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

KINDS = ("framework", "valence", "level", "actor", "theme")
ENOUGH_EXAMPLES = 4
"""A code with fewer examples than this cannot be coded by similarity with any trust."""

_SUFFIXES = (".yaml", ".yml", ".csv")
_TOP_KEYS = ("id", "version", "title", "kind", "exclusive", "source", "licence", "codes")
_SOURCE_KEYS = ("citation", "doi")
_CODE_KEYS = (
    "id",
    "name",
    "definition",
    "include",
    "exclude",
    "examples",
    "synonyms",
    "assignable",
    "maps",
    "codes",
)
_COLUMNS = ("name", "description", "parent", "id", "include", "exclude", "examples", "synonyms")
_ID = re.compile(r"[^\W_]+(?:[._-][^\W_]+)*")
_NAMED = re.compile(r"\[([^\[\]\s]+)\]")
_MEANING = ("definition", "include", "exclude", "examples", "synonyms", "assignable", "maps")
"""The fields of a code that say what it means; the others say what it is called and where it stands."""
_Row = tuple[int, dict[str, str]]
"""A row of a CSV file: its line, and its cells by column."""


@dataclass(frozen=True)
class Code:
    """One code: what it means, what belongs to it, what does not, and how it sounds."""

    id: str
    name: str
    definition: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """What is not meant; an id in [brackets] names the code that takes it."""
    examples: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    parent: str | None = None
    assignable: bool = True
    """False for a heading: it groups codes and is given to no passage."""
    maps: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Codes of other codebooks that this one corresponds to: codebook id -> code ids."""
    line: int = field(default=0, compare=False, repr=False)
    """The line of the file where it starts; 0 if it came from no file."""

    @property
    def siblings_named(self) -> tuple[str, ...]:
        """The ids that the exclude rules name in [brackets]."""
        return tuple(name for rule in self.exclude for name in _NAMED.findall(rule))


@dataclass(frozen=True)
class Codebook:
    """A tree of codes with a name, a version and a source."""

    id: str
    codes: tuple[Code, ...]
    """In tree order: every code stands before its children, siblings as in the file."""
    version: str = "1"
    title: str = ""
    kind: str = "theme"
    exclusive: bool = False
    """True: a passage gets at most one of the codes."""
    citation: str = ""
    doi: str = ""
    licence: str = ""
    path: str = field(default="", compare=False, repr=False)
    """The file it was read from, for messages."""

    @cached_property
    def _by_id(self) -> dict[str, Code]:
        return {code.id: code for code in self.codes}

    def __contains__(self, code_id: object) -> bool:
        """Tell whether `code_id` is the id of one of the codes."""
        return code_id in self._by_id

    def __iter__(self) -> Iterator[Code]:
        """Go through the codes in tree order."""
        return iter(self.codes)

    def __len__(self) -> int:
        """Count the codes, headings included."""
        return len(self.codes)

    def code(self, code_id: str) -> Code:
        """Return the code of that id; CodebookError naming the nearest one if there is none."""
        try:
            return self._by_id[code_id]
        except KeyError:
            last = [known for known in self._by_id if known.rpartition(".")[2] == code_id]
            remedy = f"did you mean {last[0]!r}?" if last else nearest(code_id, self._by_id)
            message = f"codebook {self.id!r} has no code {code_id!r}; {remedy}"
            raise CodebookError(message) from None

    def children(self, code_id: str) -> tuple[Code, ...]:
        """Return the codes directly below that one."""
        self.code(code_id)
        return tuple(code for code in self.codes if code.parent == code_id)

    def ancestors(self, code_id: str) -> tuple[Code, ...]:
        """Return the codes above that one, the nearest first."""
        found: list[Code] = []
        parent = self.code(code_id).parent
        while parent is not None and len(found) < len(self.codes):
            found.append(self.code(parent))
            parent = found[-1].parent
        return tuple(found)

    @property
    def roots(self) -> tuple[Code, ...]:
        """The codes that have no parent."""
        return tuple(code for code in self.codes if code.parent is None)

    @property
    def assignable(self) -> tuple[Code, ...]:
        """The codes that a passage may get: all but the headings."""
        return tuple(code for code in self.codes if code.assignable)

    @property
    def maps(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """The correspondences: other codebook -> code here -> codes there."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for code in self.codes:
            for other, targets in code.maps.items():
                found.setdefault(other, {})[code.id] = targets
        return found

    @cached_property
    def hash(self) -> str:
        """Names the content: changes with any word, not with the order of keys or the layout."""
        content = asdict(self)
        content.pop("path")
        for code in content["codes"]:
            code.pop("line")
        return content_hash(json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")))

    def label(self, code: Code | str) -> str:
        """Return the label that codings and training data use: `cfir/inn.cost`."""
        code_id = code if isinstance(code, str) else code.id
        return f"{self.id}/{self.code(code_id).id}"

    def place(self, line: int = 0) -> str:
        """Return `file:line`, or the codebook's id if it came from no file."""
        where = self.path or f"codebook {self.id!r}"
        return f"{where}:{line}" if self.path and line else where


# Finding -------------------------------------------------------------------------------------


def shipped_folder() -> Path:
    """Return the folder of the codebooks that come with qinlp."""
    return shipped.folder("data/codebooks")


def available(folders: Iterable[Path | str] = ()) -> dict[str, Path]:
    """Return every codebook that `find` would find by its id, and its file.

    `folders` (a project's own `codebooks/`) go before the shipped ones and may replace them; of
    several versions in one folder the newest counts. A folder that is not there is empty.
    """
    found: dict[str, Path] = {}
    for path in _files(folders):
        found.setdefault(_id_of(path), path)
    return dict(sorted(found.items()))


def valence_beside(book: Codebook, books: Iterable[Codebook]) -> Codebook | None:
    """Return the codebook of valence, to be coded beside another one; None where there is none to add."""
    return next((one for one in books if one.kind == "valence" and one.id != book.id), None)


def find(name: str, folders: Iterable[Path | str] = ()) -> Codebook:
    """Return the codebook of that id (`cfir`) or file stem (`cfir-2.0`), own folders first."""
    files = _files(folders)
    wanted = name.strip().casefold()
    for path in files:
        if wanted in {path.stem.casefold(), _id_of(path)}:
            return load(path)
    known = {path.stem for path in files} | {_id_of(path) for path in files}
    message = f"unknown codebook {name!r}; {nearest(name, known)}"
    raise CodebookError(message)


def load(path_or_name: Path | str, folder: Path | str | None = None) -> Codebook:
    """Return the codebook of a file, or the one that `find` finds by name in `folder` or shipped."""
    path = Path(path_or_name)
    if path.suffix.casefold() not in _SUFFIXES:
        if isinstance(path_or_name, Path) or path.parent != Path():
            message = f"{path}: a codebook is a file ending in {', '.join(_SUFFIXES)}"
            raise CodebookError(message)
        return find(path_or_name, () if folder is None else (folder,))
    if folder is not None and not path.exists():
        path = Path(folder) / path
    codebook, found = _read(path)
    if codebook is None or found:
        more = f" (and {len(found) - 1} more like it in this file)" if len(found) > 1 else ""
        raise CodebookError(found[0] + more)
    return codebook


def problems(path: Path | str, others: Iterable[Codebook] | None = None) -> list[str]:
    """Return all that is wrong with a codebook file, each as `file:line: what; remedy`.

    `others` are the codebooks it maps to; without them they are looked for beside the file and
    among the shipped ones.
    """
    path = Path(path)
    codebook, found = _read(path)
    if codebook is None or found:
        return found
    if others is None:
        known = available((path.parent,))
        others = [load(known[other]) for other in codebook.maps if other in known and other != codebook.id]
    return check(codebook, others)


def _files(folders: Iterable[Path | str]) -> list[Path]:
    """Codebook files in order of precedence: own folders first, then newest version first."""
    found: list[Path] = []
    for folder in (*map(Path, folders), shipped_folder()):
        if folder.is_dir():
            inside = [p for p in folder.iterdir() if p.suffix.casefold() in _SUFFIXES and p.is_file()]
            found.extend(sorted(inside, key=_natural, reverse=True))
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order `cfir-10` after `cfir-2`."""
    parts = re.findall(r"\d+|\D+", path.stem.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _id_of(path: Path) -> str:
    """The id of a codebook file without reading all of it; its stem where it does not say."""
    if path.suffix.casefold() != ".csv":
        text = path.read_text("utf-8-sig", errors="replace")
        if said := re.search(r"""^id:[ \t]*["']?([^\s"'#]+)""", text, re.MULTILINE):
            return said[1].casefold()
    return _slug(path.stem)


def _slug(name: str) -> str:
    return re.sub(r"[\s_]+", "-", folded(name)).strip("-")


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and text == text.casefold()


def _no_id(text: str) -> str:
    return f"{text!r} is no id; use lower-case letters, digits, - and ."


# Reading -------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[Codebook | None, list[str]]:
    """Read one file: the codebook as far as it goes, and everything that makes it unusable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        return None, [f"{path}: cannot be read ({reason}); check the path"]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [f"{path}:{line}: not UTF-8 text; save the file as UTF-8 (in Excel: 'CSV UTF-8')"]
    reader = _Table(path) if path.suffix.casefold() == ".csv" else _Tree(path)
    codebook = reader.read(text)
    if codebook is not None and not reader.found:
        reader.found.extend(_broken(codebook))
    return codebook, reader.found


class _Problems:
    """Collects what is wrong with one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, line: int, message: str) -> None:
        self.found.append(f"{self.path}:{line}: {message}")


class _Tree(_Problems):
    """Reads YAML."""

    def read(self, text: str) -> Codebook | None:
        root = self.root(text)
        if root is None:
            return None
        top = self.mapping(root, _TOP_KEYS, "the codebook")
        for key in ("id", "codes"):
            if key not in top:
                self.add(1, f"the codebook has no {key!r}; add it at the left margin")
        codebook_id = self.text(top.get("id"))
        if codebook_id and not _is_id(codebook_id):
            self.add(_line(top["id"]), _no_id(codebook_id))
        kind = self.text(top.get("kind")) or "theme"
        if kind not in KINDS:
            self.add(_line(top["kind"]), f"unknown kind {kind!r}; {nearest(kind, KINDS)}")
        source = self.mapping(top["source"], _SOURCE_KEYS, "source") if "source" in top else {}
        codes: list[Code] = []
        if "codes" in top:
            self.codes(top["codes"], None, codes)
        return Codebook(
            id=codebook_id,
            codes=tuple(codes),
            version=self.text(top.get("version")) or "1",
            title=self.text(top.get("title")) or codebook_id,
            kind=kind,
            exclusive=self.flag(top.get("exclusive"), default=False),
            citation=self.text(source.get("citation")),
            doi=self.text(source.get("doi")),
            licence=self.text(top.get("licence")),
            path=str(self.path),
        )

    def root(self, text: str) -> yaml.Node | None:
        """Return the document's node: the text with its lines, and nothing but text in it."""
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for event in yaml.parse(text, Loader=loader):
                if isinstance(event, yaml.AliasEvent):
                    self.add(_line(event), f"alias *{event.anchor} is not allowed; write the text out")
                    return None
            root: yaml.Node | None = yaml.compose(text, Loader=loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            remedy = "quote a text that holds ': ' or ' #' or starts with a sign, and check the indentation"
            self.add(mark.line + 1 if mark else 1, f"not readable as YAML ({error.problem}); {remedy}")
            return None
        except yaml.YAMLError as error:
            what = " ".join(str(error).split())
            self.add(1, f"not readable as YAML ({what}); remove the characters it names")
            return None
        if root is None:
            self.add(1, "the file is empty; a codebook needs at least 'id' and 'codes'")
        return root

    def codes(self, node: yaml.Node, parent: str | None, into: list[Code]) -> None:
        if not isinstance(node, yaml.SequenceNode):
            self.add(_line(node), "'codes' is no list; start each code with '- id: ...'")
            return
        for item in node.value:
            keys = self.mapping(item, _CODE_KEYS, "a code")
            code_id = self.text(keys.get("id"))
            if not code_id:
                self.add(_line(item), "a code has no 'id'; add one, as 'id: staff.workload'")
            maps = self.mapping(keys["maps"], None, "maps") if "maps" in keys else {}
            into.append(
                Code(
                    id=code_id,
                    name=self.text(keys.get("name")) or code_id,
                    definition=self.text(keys.get("definition")),
                    include=self.texts(keys.get("include")),
                    exclude=self.texts(keys.get("exclude")),
                    examples=self.texts(keys.get("examples")),
                    synonyms=self.texts(keys.get("synonyms")),
                    parent=parent,
                    assignable=self.flag(keys.get("assignable"), default=True),
                    maps={other: self.texts(targets) for other, targets in maps.items()},
                    line=_line(item),
                )
            )
            if "codes" in keys:
                self.codes(keys["codes"], code_id, into)

    def mapping(self, node: yaml.Node, known: Sequence[str] | None, what: str) -> dict[str, yaml.Node]:
        """Return the keys and values of a mapping; unknown and doubled keys are wrong."""
        if not isinstance(node, yaml.MappingNode):
            self.add(_line(node), f"{what} is no mapping; write 'key: value' lines")
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node)
            if known is not None and key not in known:
                self.add(_line(key_node), f"unknown key {key!r} in {what}; {nearest(key, known)}")
            elif key in found:
                self.add(_line(key_node), f"key {key!r} stands twice in {what}; keep one")
            else:
                found[key] = value
        return found

    def text(self, node: yaml.Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.add(_line(node), "text expected here, not a list or a mapping; quote it if it is text")
            return ""
        return " ".join(str(node.value).split())

    def texts(self, node: yaml.Node | None) -> tuple[str, ...]:
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.add(_line(node), "a list expected here; put each entry on its own line, after '- '")
            return ()
        found = []
        for item in node.value:
            if entry := self.text(item):
                found.append(entry)
            elif isinstance(item, yaml.ScalarNode):
                self.add(_line(item), "an empty list entry; fill it in or remove the line")
        return tuple(found)

    def flag(self, node: yaml.Node | None, *, default: bool) -> bool:
        said = self.text(node)
        if node is not None and said not in {"", "true", "false"}:
            self.add(_line(node), f"{said!r} is neither true nor false; write one of them")
        return {"true": True, "false": False}.get(said, default)


class _Table(_Problems):
    """Reads CSV: one code a row, the parent by name or id, an id made of the name where none is given."""

    def read(self, text: str) -> Codebook | None:
        rows = self.rows(text)
        if rows is None:
            return None
        parents = self.parents(rows)
        slugs = Counter(_slug(row["name"]) for _, row in rows)
        codes: list[Code] = []
        placed: set[int] = set()

        def place(number: int, parent: str | None) -> None:
            line, row = rows[number]
            code_id = row.get("id") or _slug(row["name"])
            if not row.get("id") and parent is not None and slugs[code_id] > 1:
                code_id = f"{parent}.{code_id}"
            placed.add(number)
            codes.append(
                Code(
                    id=code_id,
                    name=" ".join(row["name"].split()),
                    definition=" ".join(row.get("description", "").split()),
                    include=_several(row.get("include", "")),
                    exclude=_several(row.get("exclude", "")),
                    examples=_several(row.get("examples", "")),
                    synonyms=_several(row.get("synonyms", "")),
                    parent=parent,
                    line=line,
                )
            )
            for child, above in enumerate(parents):
                if above == number and child not in placed:
                    place(child, code_id)

        for number, above in enumerate(parents):
            if above is None:
                place(number, None)
        for number, (line, row) in enumerate(rows):
            if number not in placed:
                self.add(line, f"{row['name']!r} is below itself; correct the column 'parent'")
        stem = self.path.stem
        return Codebook(id=_slug(stem), codes=tuple(codes), title=stem, path=str(self.path))

    def parents(self, rows: Sequence[_Row]) -> list[int | None]:
        """Return for each row the number of the row that its column 'parent' names."""
        named: dict[str, set[int]] = {}
        for number, (_, row) in enumerate(rows):
            for name in (folded(row["name"]), row.get("id", "").casefold()):
                named.setdefault(name, set()).add(number)
        found: list[int | None] = []
        for line, row in rows:
            said = row.get("parent", "")
            key = said.casefold() if said.casefold() in named else folded(said)
            matches = sorted(named.get(key, set())) if said else []
            if said and not matches:
                names = {other["name"] for _, other in rows}
                self.add(line, f"parent {said!r} is no code of this file; {nearest(said, names)}")
            elif len(matches) > 1:
                remedy = "tell them apart in a column 'id'"
                self.add(line, f"parent {said!r} is the name of {len(matches)} codes; {remedy}")
            found.append(matches[0] if matches else None)
        return found

    def rows(self, text: str) -> list[_Row] | None:
        """Return the rows that say something, each with its line; None where the header is wrong."""
        head = text.partition("\n")[0]
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
        rows: list[_Row] = []
        header: list[str] = []
        try:
            for cells in lines:
                line = lines.line_num - sum(cell.count("\n") for cell in cells)
                if not any(cell.strip() for cell in cells):
                    continue
                if not header:
                    header = self.header(line, cells)
                    if self.found:
                        return None
                elif len(cells) > len(header):
                    what = f"{len(cells)} cells under {len(header)} columns"
                    self.add(line, f"{what}; put texts with commas in quotes")
                else:
                    row = {column: cell.strip() for column, cell in zip(header, cells, strict=False)}
                    if row.get("name"):
                        rows.append((line, row))
                    else:
                        self.add(line, "a row without a name; fill in the column 'name'")
        except csv.Error as error:
            self.add(lines.line_num, f"not readable as CSV ({error}); check the quotation marks")
            return None
        if not header:
            self.add(1, "the file is empty; the first line must be name,description,parent")
            return None
        return rows

    def header(self, line: int, cells: Sequence[str]) -> list[str]:
        columns = [cell.strip().casefold() for cell in cells]
        for column in columns:
            if column not in _COLUMNS:
                self.add(line, f"unknown column {column!r}; {nearest(column, _COLUMNS)}")
            elif columns.count(column) > 1:
                self.add(line, f"column {column!r} stands twice; keep one")
        if "name" not in columns:
            self.add(line, "no column 'name'; the first line must be name,description,parent")
        return columns


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _several(cell: str) -> tuple[str, ...]:
    """The entries of a cell that holds several: one a line, or set apart by |."""
    return tuple(" ".join(entry.split()) for entry in re.split(r"[\n|]", cell) if entry.strip())


# Checking ------------------------------------------------------------------------------------


def _broken(codebook: Codebook) -> list[str]:
    """Say what makes a codebook unusable: no code, doubled or odd ids, a parent that is not there."""
    found: list[str] = []
    if not codebook.codes:
        found.append(f"{codebook.place(1)}: no code; add one below 'codes'")
    seen: dict[str, int] = {}
    for code in codebook.codes:
        place = codebook.place(code.line)
        if not _is_id(code.id):
            found.append(f"{place}: {_no_id(code.id)}")
        if code.id in seen:
            first = f" (first in line {seen[code.id]})" if seen[code.id] else ""
            found.append(f"{place}: code id {code.id!r} stands twice{first}; give one of them another id")
        elif code.parent is not None and code.parent not in seen:
            ids = {other.id for other in codebook.codes} - {code.id}
            remedy = "put it before its children" if code.parent in ids else nearest(code.parent, ids)
            found.append(f"{place}: parent {code.parent!r} of {code.id!r} does not come before it; {remedy}")
        seen.setdefault(code.id, code.line)
    return found


def check(codebook: Codebook, others: Iterable[Codebook] = ()) -> list[str]:
    """Return what a good codebook would not leave so, each as `file:line: what; remedy`.

    `others` are the codebooks that this one maps to; maps to codebooks not among them are not
    looked into.
    """
    found = _broken(codebook)
    if codebook.kind not in KINDS:
        known = nearest(codebook.kind, KINDS)
        found.append(f"{codebook.place(1)}: unknown kind {codebook.kind!r}; {known}")
    parents = {code.parent for code in codebook.codes}
    targets = {other.id: other for other in others}
    shown: dict[str, str] = {}
    named: dict[tuple[str | None, str], str] = {}
    for code in codebook.codes:
        wrong = [*_thin(code, is_parent=code.id in parents), *_dangling(code, codebook, targets)]
        sibling = named.setdefault((code.parent, folded(code.name)), code.id)
        if sibling != code.id:
            wrong.append(f"has the same name as its sibling {sibling!r}; tell the names apart")
        for example in code.examples:
            first = shown.setdefault(folded(example), code.id)
            if first != code.id:
                wrong.append(f"has the same example as {first!r} ({_begin(example)}); keep it in one of them")
        found.extend(f"{codebook.place(code.line)}: code {code.id!r} {what}" for what in wrong)
    return found


def _thin(code: Code, *, is_parent: bool) -> Iterator[str]:
    """Say what a code lacks or has twice."""
    if not code.definition:
        yield "has no definition; say in a sentence or two what it means"
    if code.assignable and len(code.examples) < ENOUGH_EXAMPLES:
        yield f"has {len(code.examples)} examples; give it at least {ENOUGH_EXAMPLES}"
    if not code.assignable and not is_parent:
        yield "is not assignable and has no codes below it; add codes or drop 'assignable'"
    times = Counter(map(folded, code.examples))
    for example in dict.fromkeys(code.examples):
        if times.pop(folded(example), 1) > 1:
            yield f"has one example twice ({_begin(example)}); keep one"


def _dangling(code: Code, codebook: Codebook, targets: Mapping[str, Codebook]) -> Iterator[str]:
    """Say which other codes a code names that are not there."""
    for other in code.siblings_named:
        if other == code.id:
            yield "excludes itself; name the code that takes the passage"
        elif "/" not in other and other not in codebook:
            ids = (known.id for known in codebook.codes)
            yield f"has an exclude rule for the unknown code [{other}]; {nearest(other, ids)}"
    for book, ids_there in code.maps.items():
        if not ids_there:
            yield f"maps to nothing in {book!r}; name the codes or drop the line"
        for target in ids_there:
            if book in targets and target not in targets[book]:
                ids = (known.id for known in targets[book].codes)
                yield f"maps to the unknown code {book}/{target}; {nearest(target, ids)}"


def _begin(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


# Comparing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One code in two versions of a codebook."""

    before: Code
    after: Code

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        names = ("id", "name", "parent", *_MEANING)
        return tuple(name for name in names if getattr(self.before, name) != getattr(self.after, name))


@dataclass(frozen=True)
class Difference:
    """What changed from one version of a codebook to another; a code may have changed in several ways."""

    added: tuple[Code, ...] = ()
    removed: tuple[Code, ...] = ()
    renamed: tuple[Change, ...] = ()
    """Another name or another id: what was coded so far can be carried over."""
    moved: tuple[Change, ...] = ()
    """Another parent."""
    redefined: tuple[Change, ...] = ()
    """Another definition, rule, example, synonym or mapping: look at what was coded so far."""

    def __bool__(self) -> bool:
        """Tell whether any code changed."""
        return any((self.added, self.removed, self.renamed, self.moved, self.redefined))

    def __str__(self) -> str:
        """Say it in one line per change."""
        lines = [f"added {code.id} ({code.name})" for code in self.added]
        lines += [f"removed {code.id} ({code.name})" for code in self.removed]
        for change in self.renamed:
            before, after = change.before, change.after
            lines.append(f"renamed {before.id} ({before.name}) to {after.id} ({after.name})")
        for change in self.moved:
            before, after = change.before, change.after
            lines.append(f"moved {after.id} from {before.parent or 'the top'} to {after.parent or 'the top'}")
        for change in self.redefined:
            fields = ", ".join(name for name in change.fields if name in _MEANING)
            lines.append(f"redefined {change.after.id}: {fields}")
        return "\n".join(lines) or "no code changed"


def diff(before: Codebook, after: Codebook) -> Difference:
    """Compare two versions of a codebook, code by code.

    Codes are matched by id; a code that went is matched with one that came if they alone share
    name or definition.
    """
    old = {code.id: code for code in before.codes}
    new = {code.id: code for code in after.codes}
    pairs = {code_id: code_id for code_id in old if code_id in new}
    gone = [code for code_id, code in old.items() if code_id not in new]
    come = [code for code_id, code in new.items() if code_id not in old]
    for key in ("name", "definition"):
        left = _alone(gone, key)
        right = _alone(come, key)
        for said in left.keys() & right.keys():
            pairs[left[said].id] = right[said].id
        gone = [code for code in gone if code.id not in pairs]
        taken = set(pairs.values())
        come = [code for code in come if code.id not in taken]
    origin = {there: here for here, there in pairs.items()}
    changes = [Change(old[origin[code_id]], code) for code_id, code in new.items() if code_id in origin]
    return Difference(
        added=tuple(come),
        removed=tuple(gone),
        renamed=tuple(change for change in changes if {"id", "name"} & set(change.fields)),
        moved=tuple(
            change
            for change in changes
            if change.after.parent != pairs.get(change.before.parent or "", change.before.parent)
        ),
        redefined=tuple(change for change in changes if set(_MEANING) & set(change.fields)),
    )


def _alone(codes: Iterable[Code], key: str) -> dict[str, Code]:
    """The codes by the folded text of one field, where no other of them shares it."""
    found: dict[str, list[Code]] = {}
    for code in codes:
        found.setdefault(folded(getattr(code, key)), []).append(code)
    return {said: same[0] for said, same in found.items() if said and len(same) == 1}
