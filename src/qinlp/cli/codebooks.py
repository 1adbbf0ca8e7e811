"""Codebooks: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qinlp.cli.app import app, codebook_folders

codebooks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read and check codebooks.")
app.add_typer(codebooks, name="codebook")


@codebooks.command("list")
def codebook_list(context: typer.Context) -> None:
    """List the project's and the shipped codebooks.

    Example: `qinlp codebook list`
    """
    from rich.table import Table

    from qinlp import codebook, show

    table = Table(box=None)
    for column in ("id", "version", "title", "kind"):
        table.add_column(column, no_wrap=column == "id")
    table.add_column("codes", justify="right")
    for path in codebook.available(codebook_folders(context)).values():
        book = codebook.load(path)
        table.add_row(book.id, book.version, book.title, book.kind, str(len(book)))
    show.console().print(table)


@codebooks.command("show")
def codebook_show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A codebook's id or file.")],
    code: Annotated[str | None, typer.Argument(help="One code of it.", show_default=False)] = None,
) -> None:
    """Show a codebook's codes, or one code with its rules and examples.

    Example: `qinlp codebook show cfir inr.resources`
    """
    from rich.markup import escape
    from rich.tree import Tree

    from qinlp import codebook, show

    book = codebook.load(name) if Path(name).suffix else codebook.find(name, codebook_folders(context))
    screen = show.console()
    if code is not None:
        one = book.code(code)
        screen.print(f"[bold]{escape(book.label(one))}[/]  {escape(one.name)}\n\n{escape(one.definition)}")
        parts = (("include", one.include), ("exclude", one.exclude), ("examples", one.examples))
        for what, lines in parts:
            if lines:
                screen.print(f"\n[bold]{what}[/]")
                for line in lines:
                    screen.print(f"  • {escape(line)}")
        return
    tree = Tree(f"[bold]{escape(book.title or book.id)}[/] {escape(book.version)}")
    branches = {None: tree}
    for one in book:
        branches[one.id] = branches[one.parent].add(f"[bold]{escape(one.id)}[/]  {escape(one.name)}")  # type: ignore[index]
    screen.print(tree)
    if book.citation:
        screen.print(f"\n{escape(book.citation)} {escape(book.doi)}", style="dim")


@codebooks.command("check")
def codebook_check(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Ids or files; none checks all.", show_default=False)
    ] = None,
) -> None:
    """Check codebooks: keys, ids, rules that name unknown codes, missing definitions and examples.

    Example: `qinlp codebook check codebooks/my-codes.yaml`
    """
    from qinlp import codebook

    known = codebook.available(codebook_folders(context))
    found = 0
    for name in names or sorted(known):
        path = Path(name) if Path(name).suffix else None
        path = path or Path(codebook.find(name, codebook_folders(context)).path)
        problems = codebook.problems(path)
        found += len(problems)
        for problem in problems:
            typer.echo(problem, err=True)
        if not problems:
            typer.echo(f"{name}: good")
    if found:
        raise typer.Exit(2)
