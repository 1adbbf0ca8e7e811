"""The work: make a project, bring texts in, code them, look at what is there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qinlp.cli.app import app, config_of
from qinlp.errors import ConfigError
from qinlp.report import counted

if TYPE_CHECKING:
    from qinlp.analysis.health import Finding
    from qinlp.config import Config
    from qinlp.steps import Coded, Ingested


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

    config = config_of(context)
    with show.progress() as watch:
        done = steps.ingest(config, paths, watch)
    _tell_ingested(done)
    named = {str(p) for p in paths}
    if any(line.startswith(tuple(f"{name}:" for name in named)) for line in done.refused):
        raise typer.Exit(2)


def _tell_ingested(done: Ingested) -> None:
    for line in (*done.refused, *done.unsettled):
        typer.echo(f"qinlp: {line}", err=True)
    moved = f", {done.moved:,} moved" if done.moved else ""
    if not done.files and not done.refused and not done.unsettled:
        typer.echo(f"Nothing new: {counted(done.unchanged, 'file')} read before and unchanged{moved}.")
        return
    a = done.arrived
    typer.echo(
        f"{counted(done.files, 'file')} read ({done.unchanged:,} unchanged{moved}), "
        f"{counted(done.records, 'record')}: "
        f"{counted(a.documents, 'new document')}, {counted(a.versions, 'new version')}, "
        f"{counted(a.duplicates, 'duplicate')}, {counted(a.passages, 'passage')}."
    )
    if done.quarantined:
        typer.echo(f"{counted(done.quarantined, 'record')} in quarantine; `qinlp quarantine list` tells why.")


@app.command()
def code(context: typer.Context) -> None:
    """Encode and code what is not coded yet.

    Example: `qinlp code`
    """
    from qinlp import show, steps

    config = config_of(context)
    with show.progress() as watch:
        done = steps.code(config, watch)
    _tell_coded(done)


def _tell_coded(done: Coded) -> None:
    if not done.passages and not done.vectors:
        typer.echo("Nothing to code: 0 vectors computed, every passage is coded with every codebook in use.")
        return
    typer.echo(
        f"{counted(done.passages, 'passage')} coded, {counted(done.codings, 'coding')}, "
        f"{counted(done.vectors, 'vector')} computed{f' ({done.encoder})' if done.encoder else ''}."
    )


@app.command()
def run(
    context: typer.Context, flow: Annotated[str, typer.Argument(help="nightly, ingest or code")] = "nightly"
) -> None:
    """Run a flow once; nightly searches, reads, codes, measures and publishes.

    No server is needed; what is searched and read stands in `qinlp.toml`. Exit code 1 says that a part
    failed, such as a search whose source is down, and the others went on.

    Example: `qinlp run nightly`
    """
    config = config_of(context)
    failed = _flow(config, flow)
    if config.database_path.exists() or not failed:
        _status(config)
    if failed:
        raise typer.Exit(1)


def _flow(config: Config, name: str) -> bool:
    """Run a flow and tell what it did; return whether a part of it failed."""
    from qinlp import report
    from qinlp.flow import run as run_flow

    outcome = run_flow(name, config.folder)
    if outcome.found:
        for line in report.arrivals(report.Outcome(outcome.found)):
            typer.echo(line)
    if outcome.ingested is not None:
        _tell_ingested(outcome.ingested)
    if outcome.coded is not None:
        _tell_coded(outcome.coded)
    if outcome.learned is not None:
        typer.echo(f"{outcome.learned.why}.")
    for failure in outcome.failures:
        typer.echo(f"qinlp: {failure.line}", err=True)
    return bool(outcome.failures)


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
    failed = _flow(config, "nightly")
    typer.echo()
    _status(config)
    if failed:
        raise typer.Exit(1)


@app.command()
def status(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what needs a look, a line each; exit code 1 if any.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="With --check: table, csv, json, markdown or parquet.", show_default=False
        ),
    ] = None,
) -> None:
    """Show what the project holds, and what needs a look.

    Documents, passages, barriers and enablers, the commonest constructs, what waits for review. What
    needs a look: a run that departs from its history, failed runs, searches that lag, a schedule that
    stands still, records that could not be read.

    Example: `qinlp status --check`
    """
    if check:
        _check(config_of(context), form)
    elif form is not None:
        raise ConfigError(f"--format {form} is for --check; write both, or neither")
    else:
        _status(config_of(context))


def _check(config: Config, form: str | None) -> None:
    found = _findings(config)
    if form is None:
        for one in found:
            typer.echo(str(one))
        if not found:
            typer.echo("well")
    else:
        import pyarrow as pa

        from qinlp import show

        names = ("level", "what", "why", "remedy")
        show.write(pa.table({n: pa.array([getattr(f, n) for f in found], pa.string()) for n in names}), form)
    if found:
        raise typer.Exit(1)


def _findings(config: Config) -> tuple[Finding, ...]:
    from datetime import UTC, datetime

    from qinlp.analysis import health
    from qinlp.store import Store

    with Store(config.database_path).read() as con:
        return health.report(con, config, datetime.now(UTC))


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
        [str(one) for one in _findings(config)],
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

    typer.echo(f"{steps.publish(config_of(context), to)} written; open it read-only from any program.")
