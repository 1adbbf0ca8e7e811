"""What people see in a terminal: tables, progress, the summary of a run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qinlp.errors import ConfigError, nearest

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from qinlp.steps import Watch

FORMATS = ("table", "csv", "json", "markdown", "parquet")


def console(*, error: bool = False) -> Console:
    """Return the terminal; where it is none, 80 columns and no colour."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    return Console(stderr=error, width=None if stream.isatty() else 80, highlight=False)


@contextmanager
def progress() -> Iterator[Watch]:
    """Show bars for the steps inside the block; quiet where the terminal is none."""
    if not sys.stderr.isatty():
        from qinlp.steps import unwatched

        yield unwatched
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(error=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def watch(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of or None)
            bars.update(tasks[what], completed=done, total=of or None)

        yield watch


def write(rows: pa.Table, form: str, to: Path | None = None) -> None:
    """Write rows to the terminal or to a file: table, csv, json (a list of objects), markdown, parquet.

    Raises:
        ConfigError: the format is unknown, or the file cannot be written.
    """
    if form not in FORMATS:
        raise ConfigError(f"format {form!r}; {nearest(form, FORMATS)}")
    if form == "parquet":
        _parquet(rows, to)
        return
    rows = _shortest(rows)
    if form == "table" and to is None:
        _table(rows)
        return
    try:
        out = to.open("w", encoding="utf-8", newline="") if to else sys.stdout
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written ({error.strerror}); name another file") from None
    try:
        if form == "csv":
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(rows.column_names)
            writer.writerows([_plain(v) for v in row.values()] for row in rows.to_pylist())
        elif form == "json":
            json.dump(_jsonable(rows.to_pylist()), out, ensure_ascii=False, indent=1)
            out.write("\n")
        else:
            out.write("| " + " | ".join(rows.column_names) + " |\n")
            out.write("|" + "---|" * rows.num_columns + "\n")
            for row in rows.to_pylist():
                cells = (_plain(v).replace("|", "\\|").replace("\n", " ") for v in row.values())
                out.write("| " + " | ".join(cells) + " |\n")
    finally:
        if to:
            out.close()


def _shortest(rows: pa.Table) -> pa.Table:
    """Return the rows with 32-bit numbers as people write them: 0.17, not 0.17000000178813934."""
    import pyarrow as pa

    for place, field in enumerate(rows.schema):
        if pa.types.is_float32(field.type):
            said = rows.column(place).cast(pa.string()).cast(pa.float64())
            rows = rows.set_column(place, field.name, said)
    return rows


def _parquet(rows: pa.Table, to: Path | None) -> None:
    import pyarrow.parquet as pq

    if to is None and sys.stdout.isatty():
        raise ConfigError("parquet is no text; name a file with --output, or send it into a pipe")
    try:
        pq.write_table(rows, to or sys.stdout.buffer)
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written ({error.strerror}); name another file") from None


def _jsonable(value: Any) -> Any:
    """Return a value as JSON has it: no NaN, no infinity, a decimal as a number, the rest as text."""
    if isinstance(value, dict):
        return {str(key): _jsonable(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return "; ".join(value)
        return json.dumps(_jsonable(value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def _table(rows: pa.Table) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    cells = [[escape(_plain(v)) for v in row.values()] for row in rows.to_pylist()]
    columns = zip(rows.column_names, *cells, strict=True)
    longest = [max(map(len, column)) for column in columns]
    needs = [min(length, 32 if length > 60 else 10) for length in longest]
    if sum(needs) + 3 * len(needs) + 1 > screen.width:
        for row in cells:  # too narrow for columns: a line a value
            record = Table.grid(padding=(0, 2))
            record.add_column(style="dim", no_wrap=True)
            record.add_column(overflow="fold")
            for name, cell in zip(rows.column_names, row, strict=True):
                record.add_row(name, cell)
            screen.print(record)
            screen.print()
    else:
        wordy = any(str(kind) == "string" for kind in rows.schema.types)
        table = Table(show_lines=wordy and rows.num_rows < 200)
        for field in rows.schema:
            numeric = str(field.type).startswith(("int", "uint", "float", "double", "decimal"))
            table.add_column(field.name, justify="right" if numeric else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        screen.print(table)
    screen.print(f"{rows.num_rows} row{'' if rows.num_rows == 1 else 's'}", style="dim")


def summary(
    counts: Mapping[str, int],
    constructs: Sequence[Mapping[str, Any]],
    database: Path,
    hints: Sequence[tuple[str, str]],
    findings: Sequence[str] = (),
) -> None:
    """Print what is held, the commonest constructs with a quote each, what needs a look and what next."""
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    numbers = Table.grid(padding=(0, 2))
    numbers.add_column(justify="right", style="bold")
    numbers.add_column()
    for what, n in counts.items():
        colour = {"barrier passages": "orange3", "enabler passages": "deep_sky_blue3"}.get(what)
        numbers.add_row(f"{n:,}", f"[{colour}]{what}[/]" if colour else what)
    screen.print(numbers)
    if constructs:
        screen.print()
        table = Table(title="What is talked about most", title_justify="left", title_style="bold", box=None)
        table.add_column("construct", max_width=20)
        table.add_column("barrier", justify="right", style="orange3")
        table.add_column("enabler", justify="right", style="deep_sky_blue3")
        table.add_column("for example", style="italic")
        for row in constructs:
            quote = " ".join(str(row["example"]).split())
            quote = quote if len(quote) <= 110 else quote[:107].rsplit(" ", 1)[0] + " …"
            table.add_row(
                escape(row["name"]), f"{row['barrier']:,}", f"{row['enabler']:,}", f"“{escape(quote)}”"
            )
        screen.print(table)
    screen.print()
    screen.print(f"Database: [bold]{escape(str(database))}[/]", soft_wrap=True)
    if findings:
        screen.print("[bold orange3]Needs a look:[/]")
        for line in findings:
            screen.print(f"  {escape(line)}", soft_wrap=True)
    if hints:
        screen.print("Try next:")
        wide = max(len(command) for command, _ in hints)
        for command, why in hints:  # never folded: a command is copied whole
            line = f"  [bold]{escape(command)}[/]{' ' * (wide - len(command))}  [dim]{escape(why)}[/]"
            screen.print(line, soft_wrap=True)


def scores(
    found: Sequence[Mapping[str, Any]],
    compared: Mapping[str, Mapping[str, float]],
    model: str,
    against: str,
) -> None:
    """Print an evaluation: a table of scores, a table of codes, and the paired test if there is one."""
    from rich.table import Table

    screen = console()
    table = Table(box=None, title=f"{model}: scores, 95% intervals over documents", title_justify="left")
    for column in ("codebook", "text", "codes", "passages", "macro-F1", "micro-F1", "mean AP", "ECE"):
        table.add_column(column, justify="left" if column in {"codebook", "text"} else "right")
    for one in found:
        for level, kinds in one["levels"].items():
            for kind, s in kinds.items():
                if s["codes"]:
                    table.add_row(
                        one["codebook"] if level == "codes" else f"{one['codebook']} {level}", kind,
                        str(s["codes"]), str(s["passages"]), _range(s["macro_f1"]), _range(s["micro_f1"]),
                        f"{s['mean_average_precision']:.2f}", f"{s['calibration_error']:.3f}",
                    )  # fmt: skip
    screen.print(table)
    screen.print()
    codes = Table(box=None)
    for column in ("code", "present", "precision", "recall", "F1", "AP", "ECE"):
        codes.add_column(column, justify="left" if column == "code" else "right")
    for one in found:
        for c in one["per_code"]:
            codes.add_row(
                f"{one['codebook']}/{c['code']}", str(c["present"]), f"{c['precision']:.2f}",
                f"{c['recall']:.2f}", f"{c['f1']:.2f}", f"{c['average_precision']:.2f}",
                f"{c['calibration_error']:.3f}",
            )  # fmt: skip
    screen.print(codes)
    for book, c in compared.items():
        screen.print(
            f"{book}: macro-F1 of {model} less that of {against}: {c['difference']:+.3f} "
            f"({c['low']:+.3f} to {c['high']:+.3f}), p = {c['p']:g}, {c['codes']} codes, "
            f"{c['documents']} documents (paired bootstrap)"
        )


def _range(value: Mapping[str, float]) -> str:
    return f"{value['value']:.2f}\n{value['low']:.2f}-{value['high']:.2f}"
