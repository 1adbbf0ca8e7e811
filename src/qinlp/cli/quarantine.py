"""The quarantine: list, show, retry, dismiss what could not be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qinlp.cli.app import app, config_of
from qinlp.errors import ConfigError
from qinlp.report import counted

if TYPE_CHECKING:
    from qinlp.store.quarantine import Entry

quarantine = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See to what could not be read.")
app.add_typer(quarantine, name="quarantine")

_SHOWN = 4000
_ID = "An entry's id, or its beginning."


@quarantine.command("list")
def quarantine_list(
    context: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", help="List also what was read since, superseded or dismissed.")
    ] = False,
) -> None:
    """List what could not be read and why.

    Example: `qinlp quarantine list`
    """
    from rich.markup import escape
    from rich.table import Table

    from qinlp import show
    from qinlp.store import Store
    from qinlp.store import quarantine as kept

    with Store(config_of(context).database_path).read() as con:
        found = kept.entries(con)
    ids = dict(zip((one.id for one in found), kept.shortened(found), strict=True))
    listed = [one for one in found if every or not one.how]
    if not listed:
        typer.echo("Nothing waits in quarantine." if found else "Nothing is in quarantine.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", style="bold", no_wrap=True)
    for column in ("source", "record", "reason"):
        table.add_column(column, overflow="fold")
    table.add_column("since", no_wrap=True)
    for one in listed:
        since = f"{one.since:%Y-%m-%d}" + (f"\n{one.how}" if one.how else "")
        table.add_row(ids[one.id], *map(escape, (one.source, one.record or "whole", one.reason)), since)
    screen = show.console()
    screen.print(table)
    waiting = sum(not one.how for one in listed)
    screen.print(f"{waiting:,} waiting" + (f", {len(listed) - waiting:,} not" if every else ""), style="dim")


@quarantine.command("show")
def quarantine_show(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(help=_ID)],
    raw: Annotated[bool, typer.Option("--raw", help="Give nothing but the bytes as they were.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the bytes to this file.", show_default=False)
    ] = None,
) -> None:
    """Show an entry with its bytes, as text that harms no terminal.

    Example: `qinlp quarantine show 3f2a91c`
    """
    from qinlp.store import Store
    from qinlp.store import quarantine as kept

    with Store(config_of(context).database_path).read() as con:
        one = kept.entry(con, entry)
        found = kept.raw(con, one.id)
    if output is not None:
        try:
            output.write_bytes(found)
        except OSError as error:
            raise ConfigError(f"{output}: cannot be written ({error.strerror}); name another file") from None
        typer.echo(f"{counted(len(found), 'byte')} written to {output}.")
    elif raw:
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()
    else:
        typer.echo(_described(one))
        typer.echo(_harmless(found))


def _described(one: Entry) -> str:
    lines = [("id", one.id), ("source", one.source), ("record", one.record or "the whole file")]
    lines += [("reason", one.reason), ("run", one.run_id), ("since", f"{one.since:%Y-%m-%d %H:%M}")]
    if one.how and one.resolved:
        note = f": {one.note}" if one.note else ""
        lines.append((one.how, f"{one.resolved:%Y-%m-%d %H:%M}{note}"))
    return "\n".join(f"{name:<10} {_safe(value)}" for name, value in lines) + "\n"


def _harmless(raw: bytes) -> str:
    text = raw.decode("utf-8", "backslashreplace")
    shown = _safe(text[:_SHOWN], kept="\n\t")
    if len(text) > _SHOWN:
        shown += f"\n... {counted(len(raw), 'byte')} in all; --output FILE writes them"
    return shown or "(no bytes were kept)"


def _safe(text: str, kept: str = "") -> str:
    """Escape what a terminal would obey instead of show: control, direction and other odd characters."""
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text.replace("\r\n", "\n"))


@quarantine.command("retry")
def quarantine_retry(
    context: typer.Context,
    entries: Annotated[
        list[str] | None, typer.Argument(help=f"{_ID} None: all that wait.", show_default=False)
    ] = None,
) -> None:
    """Read again what could not be read, after it was mended or qinlp has learnt to.

    A file is read again from where it lies, a record of a search from the bytes that were kept.

    Example: `qinlp quarantine retry`
    """
    from qinlp import show, steps

    config = config_of(context)
    with show.progress() as watch:
        done = steps.retry(config, entries or (), watch)
    for line in done.waiting:
        typer.echo(f"{_safe(line)}", err=True)
    a = done.arrived
    typer.echo(
        f"{counted(done.read, 'entry', 'entries')} read: {counted(a.documents, 'new document')}, "
        f"{counted(a.versions, 'new version')}, {counted(a.duplicates, 'duplicate')}; "
        f"{len(done.waiting):,} still waiting."
    )


@quarantine.command("dismiss")
def quarantine_dismiss(
    context: typer.Context,
    entries: Annotated[list[str], typer.Argument(help=_ID)],
    note: Annotated[str, typer.Option(help="Why it need not be read.")],
) -> None:
    """Let entries go that need not be read; they stay in the store and wait no longer.

    Example: `qinlp quarantine dismiss 3f2a91c --note "an empty line of the export"`
    """
    from qinlp import steps

    done = steps.dismiss(config_of(context), entries, note)
    typer.echo(f"{counted(done, 'entry', 'entries')} dismissed.")
