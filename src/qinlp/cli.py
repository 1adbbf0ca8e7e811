"""The command line: thin over steps and questions. Heavy libraries are imported inside commands."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qinlp import __version__
from qinlp.errors import ConfigError, QinlpError, QuestionError, SourceError, nearest

if TYPE_CHECKING:
    from qinlp.config import Config
    from qinlp.steps import Coded, Ingested

app = typer.Typer(
    name="qinlp",
    help="Find what hinders and what helps a change in health care, in abstracts and interviews.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich takes 0.2 s to load
    pretty_exceptions_enable=False,
)
codebooks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read and check codebooks.")
app.add_typer(codebooks, name="codebook")


@dataclass(frozen=True)
class _Chosen:
    project: Path | None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qinlp {__version__}")
        raise typer.Exit


@app.callback()
def _project(
    context: typer.Context,
    project: Annotated[
        Path | None,
        typer.Option(
            help="The project folder; else QINLP_PROJECT, else the current folder.", show_default=False
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = _Chosen(project)


def _config(context: typer.Context) -> Config:
    from qinlp.config import load, project_folder

    return load(project_folder(context.obj.project))


@app.command()
def init(context: typer.Context) -> None:
    """Make a project: a folder with a `qinlp.toml`.

    Example: `qinlp --project ward-study init`
    """
    from qinlp.config import project_folder, write

    path = write(project_folder(context.obj.project))
    (path.parent / "documents").mkdir(exist_ok=True)
    typer.echo(
        f"{path} written. Put exports and transcripts into {path.parent / 'documents'}, then: qinlp run"
    )


@app.command()
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to read.")],
) -> None:
    """Read files and folders into documents and passages.

    Example: `qinlp ingest exports/ interviews/ward3.docx`
    """
    from qinlp import show, steps

    config = _config(context)
    with show.progress() as watch:
        done = steps.ingest(config, paths, watch)
    _tell_ingested(done)
    named = {str(p) for p in paths}
    if any(line.startswith(tuple(f"{name}:" for name in named)) for line in done.refused):
        raise typer.Exit(2)


def _tell_ingested(done: Ingested) -> None:
    for line in done.refused:
        typer.echo(f"qinlp: {line}", err=True)
    if not done.files and not done.refused:
        typer.echo(f"Nothing new: {_count(done.unchanged, 'file')} read before and unchanged.")
        return
    a = done.arrived
    typer.echo(
        f"{_count(done.files, 'file')} read ({done.unchanged:,} unchanged), "
        f"{_count(done.records, 'record')}: "
        f"{_count(a.documents, 'new document')}, {_count(a.versions, 'new version')}, "
        f"{_count(a.duplicates, 'duplicate')}, {_count(a.passages, 'passage')}."
    )
    if done.quarantined:
        typer.echo(f"{_count(done.quarantined, 'record')} in quarantine; `qinlp ask quarantine` tells why.")


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


@app.command()
def code(context: typer.Context) -> None:
    """Encode and code what is not coded yet.

    Example: `qinlp code`
    """
    from qinlp import show, steps

    config = _config(context)
    with show.progress() as watch:
        done = steps.code(config, watch)
    _tell_coded(done)


def _tell_coded(done: Coded) -> None:
    if not done.passages and not done.vectors:
        typer.echo("Nothing to code: 0 vectors computed, every passage is coded with every codebook in use.")
        return
    typer.echo(
        f"{_count(done.passages, 'passage')} coded, {_count(done.codings, 'coding')}, "
        f"{_count(done.vectors, 'vector')} computed{f' ({done.encoder})' if done.encoder else ''}."
    )


@app.command()
def run(
    context: typer.Context, flow: Annotated[str, typer.Argument(help="nightly, ingest or code")] = "nightly"
) -> None:
    """Run a flow once: ingest, code, publish.

    No server is needed; what is read stands in `qinlp.toml`.

    Example: `qinlp run nightly`
    """
    config = _config(context)
    _flow(config, flow)
    _status(config)


def _flow(config: Config, name: str) -> None:
    from qinlp.flow import run as run_flow

    ingested, coded = run_flow(name, config.folder)
    if ingested is not None:
        _tell_ingested(ingested)
    if coded is not None:
        _tell_coded(coded)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to make the demonstration project.")] = Path(
        "sample-project"
    ),
) -> None:
    """Make and run a project of the bundled sample.

    Example: `qinlp demo /tmp/demo`
    """
    from qinlp import shipped
    from qinlp.config import FILE, load, write

    sample = shipped.folder("data/sample").resolve()
    if not (folder / FILE).exists():
        write(folder, paths=(str(sample / "abstracts"), str(sample / "transcripts")))
    config = load(folder)
    _flow(config, "nightly")
    typer.echo()
    _status(config)


@app.command()
def status(context: typer.Context) -> None:
    """Show what the project holds.

    Documents, passages, barriers and enablers, the commonest constructs, what waits for review.

    Example: `qinlp status`
    """
    _status(_config(context))


def _status(config: Config) -> None:
    from qinlp import show
    from qinlp.store import Store, questions

    with Store(config.database_path).read() as con:
        counts = {r["what"]: r["n"] for r in questions.ask(con, questions.find("overview"), {}).to_pylist()}
        constructs = questions.ask(con, questions.find("constructs"), {"limit": "6"}).to_pylist()
    at = "" if config.folder.resolve() == Path.cwd() else f" --project {config.folder}"
    at = _as_called() + at
    show.summary(
        {k: v for k, v in counts.items() if v or k in {"documents", "passages"}},
        constructs,
        config.database_path,
        [
            (f"{at} ask barriers", "what hinders, by construct"),
            (f"{at} ask quotes --code inr.resources", "quotes for a code"),
            (f'{at} sql "FROM coded_passages LIMIT 5"', "any SQL"),
        ],
    )


def _as_called() -> str:
    """Return what to type for this program: its name, or its path where the shell does not know it."""
    if shutil.which("qinlp"):
        return "qinlp"
    called = Path(sys.argv[0])
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


@app.command()
def publish(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help="Where to; else beside the database.", show_default=False)
    ] = None,
) -> None:
    """Replace the snapshot for notebooks and SQL shells.

    Example: `qinlp publish`
    """
    from qinlp import steps

    typer.echo(f"{steps.publish(_config(context), to)} written; open it read-only from any program.")


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

    with Store(_config(context).database_path).read() as con:
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
    config = _config(context)
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


@app.command()
def predict(
    file: Annotated[
        Path, typer.Argument(help="JSONL: id, text, optional context and kind, one object a line.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the answers go, JSONL.")],
    model: Annotated[str, typer.Option(help="A shipped model, or a model folder.")] = "qinlp-minilm",
) -> None:
    """Code passages from a file; needs no project.

    Each answer holds id, probabilities (`codebook/code`) and decisions.

    Example: `qinlp predict passages.jsonl -o coded.jsonl`
    """
    from qinlp import steps
    from qinlp.coding.evaluation import read_labelled
    from qinlp.coding.model import named

    rows = read_labelled(file)
    if not rows:
        raise SourceError(f"{file}: no passage in it; give one JSON object a line with id and text")
    answers = steps.predict(named(model), rows)
    try:
        with output.open("w", encoding="utf-8") as out:
            for answer in answers:
                out.write(json.dumps(answer, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}); name another file") from None
    typer.echo(f"{_count(len(rows), 'passage')} coded into {output}.")


@app.command()
def train(
    context: typer.Context,
    labelled: Annotated[
        list[Path] | None,
        typer.Argument(help="JSONL of labelled passages; else qinlp's own.", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option(help="The new model's name.")] = "my-model",
    to: Annotated[Path, typer.Option(help="The folder that it is made in.")] = Path("models"),
    encoder: Annotated[
        str, typer.Option(help="base, a shipped model's name, a sentence-transformers folder or a hub name.")
    ] = "base",
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the encoder on the passages too: better, and much slower.")
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="With --tune: times that every passage is read.")] = 5,
    goal: Annotated[
        str, typer.Option(help="What thresholds are chosen for: f1, or precision=0.9, say.")
    ] = "f1",
) -> None:
    """Train a model on labelled passages.

    It gets calibrated heads for every codebook that the labels name, and a model card.

    Example: `qinlp train coded.jsonl --name ward-study --to models`
    """
    from qinlp import show, training
    from qinlp.coding.calibration import Goal

    aim = Goal.named(goal)
    with show.progress() as watch:
        folder = training.train(
            labelled or [], name=name, to=to, encoder=encoder, tune=tune, epochs=epochs, goal=aim,
            watch=watch, codebooks=_folders(context),
        )  # fmt: skip
    typer.echo(f"{folder} written; its README.md says how good it is. Use it with [coding] model = {name!r}")


@app.command()
def evaluate(
    labelled: Annotated[Path, typer.Argument(help="JSONL of labelled passages.")],
    model: Annotated[str, typer.Option(help="A shipped model, or a model folder.")] = "qinlp-minilm",
    against: Annotated[
        str | None, typer.Option(help="A second model, for a paired test.", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    card: Annotated[bool, typer.Option("--card", help="Add the scores to the model's card.")] = False,
) -> None:
    """Score a model on labelled passages.

    By codebook and kind of text, with intervals over documents.

    Disputed labels are left out cell by cell. A passage of a document that the model was trained
    on tells nothing: keep such documents out of the file.

    Example: `qinlp evaluate held-out.jsonl --against models/my-model`
    """
    from qinlp import show, training
    from qinlp.coding import evaluation
    from qinlp.coding.model import named

    if form not in {"table", "json"}:
        raise ConfigError(f"format {form!r}; {nearest(form, ('table', 'json'))}")
    rows = evaluation.read_labelled(labelled)
    one = named(model)
    judged = training.evaluate(one, rows)
    if not judged:
        raise SourceError(f"{labelled}: no label of a codebook that {one.name} has heads for")
    found = [evaluation.summary(j, rows) for j in judged.values()]
    other = training.evaluate(named(against), rows) if against else {}
    compared = {book: evaluation.compare(judged[book], other[book], rows) for book in judged if book in other}
    if card:
        training.note(one, labelled.name, found)
    if form == "json":
        typer.echo(json.dumps({"scores": found, "compared": compared}, indent=1))
        return
    show.scores(found, compared, one.name, against or "")


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
    for path in codebook.available(_folders(context)).values():
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

    book = codebook.load(name) if Path(name).suffix else codebook.find(name, _folders(context))
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

    known = codebook.available(_folders(context))
    found = 0
    for name in names or sorted(known):
        path = Path(name) if Path(name).suffix else None
        path = path or Path(codebook.find(name, _folders(context)).path)
        problems = codebook.problems(path)
        found += len(problems)
        for problem in problems:
            typer.echo(problem, err=True)
        if not problems:
            typer.echo(f"{name}: good")
    if found:
        raise typer.Exit(2)


def _folders(context: typer.Context) -> tuple[Path, ...]:
    from qinlp.config import project_folder

    return (project_folder(context.obj.project) / "codebooks",)


_STOPPED = 130
"""What Typer ends with after Ctrl-C."""


def main() -> None:
    """Run the command line; what qinlp refuses is one line on standard error and exit code 2."""
    try:
        app()
    except QinlpError as error:
        typer.echo(f"qinlp: {error}", err=True)
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == _STOPPED:
            typer.echo(
                "qinlp: stopped; what was committed is kept, the same command goes on from there", err=True
            )
        raise
    except OSError as error:
        typer.echo(
            f"qinlp: {error.filename or ''}: {error.strerror or error}; nothing committed is lost", err=True
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
