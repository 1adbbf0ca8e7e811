"""Questions to the store: SQL typed by hand, or kept by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qinlp.cli.app import app, config_of
from qinlp.errors import QuestionError

_FORMAT = Annotated[str, typer.Option("--format", help="table, csv, json, markdown or parquet.")]
_OUTPUT = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file.", show_default=False)
]


@app.command()
def sql(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="One SQL statement (DuckDB's dialect).")],
    form: _FORMAT = "table",
    output: _OUTPUT = None,
) -> None:
    """Ask the store in SQL, read-only.

    Example: `qinlp sql "SELECT code, count(*) FROM coded_passages GROUP BY ALL" --format csv`
    """
    from qinlp import show
    from qinlp.store import Store, questions

    with Store(config_of(context).database_path).read() as con:
        rows = questions.run(con, statement)
    show.write(rows, form, output)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ask(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The question; none lists them all.", show_default=False)
    ] = None,
    form: _FORMAT = "table",
    output: _OUTPUT = None,
) -> None:
    """Ask a named question; without a name, list them. Parameters are given as `--name value`.

    Your own questions are .sql files in the project's `questions/` folder.

    Example: `qinlp ask quotes --code inr.resources --limit 5`
    """
    from qinlp import show
    from qinlp.store import Store, questions

    if name is None:
        _list_questions(context)
        return
    config = config_of(context)
    question = questions.find(name, [config.folder / "questions"])
    given = _parameters(context.args, question.name)
    with Store(config.database_path).read() as con:
        rows = questions.ask(con, question, given)
    show.write(rows, form, output)


def _parameters(words: list[str], question: str) -> dict[str, str]:
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            raise QuestionError(f"{word!r}: parameters of {question!r} are given as --name value")
        key, equals, value = word[2:].partition("=")
        if not equals:
            try:
                value = next(rest)
            except StopIteration:
                raise QuestionError(f"--{key} of {question!r} has no value; write --{key} VALUE") from None
        given[key] = value
    return given


def _list_questions(context: typer.Context) -> None:
    from rich.markup import escape
    from rich.table import Table

    from qinlp import show
    from qinlp.config import project_folder
    from qinlp.store.questions import questions

    table = Table(box=None)
    table.add_column("question", style="bold", no_wrap=True)
    table.add_column("asks")
    table.add_column("parameters", style="dim")
    for question in questions([project_folder(context.obj.project) / "questions"]).values():
        parameters = ", ".join(f"--{p.name} {p.default}" for p in question.parameters)
        table.add_row(question.name, escape(question.about), escape(parameters))
    show.console().print(table)
