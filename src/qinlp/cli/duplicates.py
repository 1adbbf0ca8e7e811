"""Duplicates: pairs of documents that are one paper, or might be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qinlp.cli.app import app, config_of, login
from qinlp.errors import ConfigError, nearest
from qinlp.report import counted

if TYPE_CHECKING:
    from rich.console import Console

duplicates = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at duplicates, and decide what is one paper."
)
app.add_typer(duplicates, name="duplicates")

VERDICTS = ("doubtful", "same", "preprint", "different")
_One = Annotated[str, typer.Argument(metavar="ID", help="A document, such as doi:10.5555/1.")]
_Other = Annotated[str, typer.Argument(metavar="ID", help="The other one.")]
_Coder = Annotated[str | None, typer.Option(help="Who says so; else your login name.", show_default=False)]


@duplicates.command("find")
def duplicates_find(context: typer.Context) -> None:
    """Compare the papers that came since the last time with all others.

    What is one paper is joined, preprints are linked to their articles, the rest waits for you.

    Example: `qinlp duplicates find`
    """
    from qinlp import show, steps

    with show.progress() as watch:
        done = steps.match(config_of(context), watch)
    if done == steps.Matched():
        typer.echo("Nothing to compare: every paper has been compared with the others.")
        return
    typer.echo(
        f"{counted(done.compared, 'paper')} compared: {counted(done.same, 'pair')} joined, "
        f"{counted(done.preprints, 'preprint')} linked, {counted(done.doubtful, 'pair')} in doubt."
    )
    if done.doubtful:
        typer.echo("`qinlp duplicates list` shows what is in doubt.")


@duplicates.command("list")
def duplicates_list(
    context: typer.Context,
    verdict: Annotated[str, typer.Option(help="doubtful, same, preprint or different.")] = "doubtful",
    form: Annotated[str, typer.Option("--format", help="table, csv, json, markdown or parquet.")] = "table",
) -> None:
    """List pairs of documents side by side, the surest first: those that wait for you, or those decided.

    Example: `qinlp duplicates list --verdict same`
    """
    from qinlp import show
    from qinlp.store import Store, questions

    if verdict not in VERDICTS:
        raise ConfigError(f"verdict {verdict!r}; {nearest(verdict, VERDICTS)}")
    with Store(config_of(context).database_path).read() as con:
        rows = questions.ask(con, questions.find("pairs"), {"verdict": verdict})
    if form != "table":
        show.write(rows, form)
        return
    screen = show.console()
    for row in rows.to_pylist():
        _show(screen, row)
    typer.echo(f"{counted(rows.num_rows, 'pair')}: {verdict}.")


def _show(screen: Console, row: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=1)
    sides = (("id", "document_id", "other_id"), *((f, f, f"other_{f}") for f in _FACTS))
    for name, one, other in sides:
        table.add_row(name, *(escape(_plain(row[side])) for side in (one, other)))
    screen.print(
        f"[bold]{row['score']:.2f}[/]  {escape(row['reason'])}  [dim]({escape(row['decided_by'])})[/]"
    )
    screen.print(table)
    screen.print()


_FACTS = ("title", "year", "authors", "journal", "source")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(value[:3]) + (" ..." if len(value) > 3 else "")
    return "" if value is None else str(value)


@duplicates.command("same")
def duplicates_same(context: typer.Context, one: _One, other: _Other, coder: _Coder = None) -> None:
    """Say that two documents are one paper; they are one from now on.

    Example: `qinlp duplicates same doi:10.5555/1 pmid:22222222`
    """
    from qinlp import steps

    steps.decide(config_of(context), "same", one, other, coder or login())
    typer.echo(f"{one} and {other} are one document.")


@duplicates.command("different")
def duplicates_different(context: typer.Context, one: _One, other: _Other, coder: _Coder = None) -> None:
    """Say that two documents are two papers; if they were joined, they are parted.

    Example: `qinlp duplicates different doi:10.5555/1 pmid:22222222`
    """
    from qinlp import steps

    between = steps.decide(config_of(context), "different", one, other, coder or login())
    if between:
        typer.echo(
            f"Noted, but both are one through {', '.join(between)}: say of each from which it differs."
        )
    else:
        typer.echo(f"{one} and {other} are two documents.")
