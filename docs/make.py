"""Make the pages that are made: `make docs`.

    python docs/make.py              the data dictionary, the commands, the codebooks
    python docs/make.py --outputs    also run the examples of the other pages and renew the output shown

A page's fenced `sh`, `python` and `sql` blocks are its examples. They run in order, in one shell and
one folder, where `sample-project` is what `qinlp demo sample-project` makes. A `text` block right
under an example is its output; `text lines=8` shows no more than so many lines of it.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGES = (ROOT / "README.md", DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md")))
"""The pages with examples."""

_BLOCK = re.compile(r"^```(?P<kind>\w+)(?P<rest>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("sh", "python", "sql")
_BY_HAND = re.compile(r"^(?:make|git|pip|crontab)\b", re.MULTILINE)
"""A block with one of these commands is left to the reader."""


class Undocumented(Exception):  # noqa: N818
    """A command, an argument or an option of the program does not say what it does."""


def pages() -> dict[Path, str]:
    """Return every page that is made, as it should be."""
    made = {DOCS / "data-dictionary.md": data_dictionary(), DOCS / "commands.md": commands()}
    codebooks = DOCS / "make_codebooks.py"
    if codebooks.exists():
        made[DOCS / "codebooks.md"] = runpy.run_path(str(codebooks))["whole"]()
    return made


def data_dictionary() -> str:
    """Return the page of tables, views and columns."""
    import duckdb

    from qinlp.store.dictionary import dictionary, page
    from qinlp.store.migrate import migrate

    with duckdb.connect() as con:
        migrate(con)
        return page(dictionary(con))


# Commands ------------------------------------------------------------------------------------


def commands(app: Any = None) -> str:
    """Return the page of commands, made of the help texts of `app`, or of qinlp's own.

    Raises:
        Undocumented: something has no help text, or a command no example.
    """
    import typer

    from qinlp import cli

    program = typer.main.get_command(app or cli.app)
    own = "\n".join(
        f"- `{'`, `'.join(p.opts)}`: {_help(p, 'qinlp')}" for p in program.params if p.name != "help"
    )
    index, sections = [], []
    for name, command in _leaves(program, "qinlp"):
        sections.append(_section(name, command))
        first = " ".join((command.help or "").split("\n\n")[0].split())
        index.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {first} |")
    head = (
        "# Commands\n\n<!-- Made from the program's own help texts by docs/make.py: make docs -->\n\n"
        "Exit codes: 0 done; 1 completed, but a part failed (`qinlp run`) or something needs a look\n"
        "(`qinlp status --check`); 2 refused, with one line on standard error that says what, where and the\n"
        "remedy; 130 stopped by Ctrl-C, and the same command goes on from there.\n\n"
        "Before the command may stand:\n"
    )
    return "\n".join([head, own, "", "| command | does |", "|---|---|", *index, "", *sections])


def _leaves(group: Any, path: str) -> list[tuple[str, Any]]:
    found = []
    for name, command in group.commands.items():
        inner = f"{path} {name}"
        if not hasattr(command, "commands") or command.invoke_without_command:
            found.append((inner, command))
        if hasattr(command, "commands"):
            found += _leaves(command, inner)
    return found


def _section(name: str, command: Any) -> str:
    if not (command.help or "").strip():
        raise Undocumented(f"{name}: no help text; give its function a docstring")
    about, _, example = command.help.partition("Example:")
    if not example.strip():
        raise Undocumented(f"{name}: no example; end its docstring with `Example: ...`")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(_shown(p) for p in arguments), *(["[options]"] if options else [])])
    lines = [f"## {name}", "", about.strip(), "", f"    {usage}", ""]
    lines += [f"- `{p.name}`: {_help(p, name)}" for p in arguments]
    for p in options:
        told = p.show_default and p.default not in (None, False, True)
        default = f" Default: `{p.default}`." if told else ""
        lines.append(f"- `{'`, `'.join(p.opts)}`: {_help(p, name)}{default}")
    if arguments or options:
        lines.append("")
    return "\n".join([*lines, f"Example: {example.strip()}", ""])


def _shown(argument: Any) -> str:
    name = argument.name.upper() + (" ..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _help(parameter: Any, command: str) -> str:
    if not (parameter.help or "").strip():
        raise Undocumented(f"{command}: {parameter.name} has no help text; give it one")
    return str(parameter.help)


# Examples ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """A block of a page that can be run, and the output block under it."""

    line: int
    kind: str
    body: str
    shows: re.Match[str] | None
    """The text block under it."""


def examples(text: str) -> list[Example]:
    """Return the examples of a page, in order."""
    blocks = list(_BLOCK.finditer(text))
    found = []
    for block, under in zip(blocks, [*blocks[1:], None], strict=True):
        if block["kind"] not in _RUN or _BY_HAND.search(block["body"]):
            continue
        line = text.count("\n", 0, block.start()) + 1
        shows = under if under and under["kind"] == "text" else None
        if shows and text[block.end() : shows.start()].strip():
            shows = None
        found.append(Example(line, block["kind"], block["body"], shows))
    return found


def run(page: Path, folder: Path) -> dict[int, str]:
    """Run the examples of a page in `folder`; return what each printed, by its line.

    Raises:
        RuntimeError: one failed; says which and shows what it printed.
    """
    said = folder / ".said"
    said.mkdir(parents=True)
    script = ["set -euo pipefail"]
    found = examples(page.read_text("utf-8"))
    for one in found:
        body = one.body
        if one.kind != "sh":
            (said / f"{one.line}.{one.kind}").write_text(body, "utf-8")
            file = f'"{said}/{one.line}.{one.kind}"'
            body = f"python {file}\n" if one.kind == "python" else f'qinlp sql "$(cat {file})"\n'
        script.append(f'{{\n{body}}} > "{said}/{one.line}.txt" 2>&1')
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PREFECT_HOME": str(said / "prefect"),
        "PYTHONPATH": "",
        "HF_HUB_OFFLINE": "1",
    }
    environment.pop("QINLP_PROJECT", None)
    whole = ["bash", "-c", "\n".join(script)]
    done = subprocess.run(whole, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    printed = {
        one.line: (said / f"{one.line}.txt").read_text("utf-8")
        for one in found if (said / f"{one.line}.txt").exists()
    }  # fmt: skip
    if done.returncode:
        line = max(printed, default=0)
        told = printed.get(line, "") + done.stderr
        raise RuntimeError(f"{page}:{line}: exit code {done.returncode}\n{told}")
    return printed


def renewed(text: str, printed: dict[int, str]) -> str:
    """Return a page with the outputs that its examples gave."""
    for one in reversed(examples(text)):
        if one.shows is not None:
            lines = [line.rstrip() for line in printed[one.line].strip("\n").split("\n")]
            most = re.search(r"lines=(\d+)", one.shows["rest"])
            if most and len(lines) > int(most[1]):
                lines = [*lines[: int(most[1])], "..."]
            start, end = one.shows.span("body")
            text = text[:start] + "\n".join(lines) + "\n" + text[end:]
    return text


def renew() -> None:
    """Run the examples of every page and put their output into the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for page in PAGES:
            own = folder / page.stem
            own.mkdir()
            if page.name != "README.md":
                shutil.copytree(folder / "sample-project", own / "sample-project")
            printed = run(page, own)
            if page.name == "README.md":
                shutil.copytree(own / "sample-project", folder / "sample-project")
            page.write_text(renewed(page.read_text("utf-8"), printed), "utf-8")
            print(f"{page.relative_to(ROOT)}: {len(printed)} examples run")


def main() -> None:
    """Write every page that is made and has changed."""
    for path, text in pages().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"{path.relative_to(ROOT)} written")
    if "--outputs" in sys.argv[1:]:
        renew()


if __name__ == "__main__":
    main()
