"""The program: what stands before every command, and what commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qinlp import __version__

if TYPE_CHECKING:
    from qinlp.config import Config

app = typer.Typer(
    name="qinlp",
    help="Find what hinders and what helps a change in health care, in abstracts and interviews.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich takes 0.2 s to load
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True)
class Chosen:
    """What was said before the command."""

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
    context.obj = Chosen(project)


def config_of(context: typer.Context) -> Config:
    """Return the chosen project's settings."""
    from qinlp.config import load, project_folder

    return load(project_folder(context.obj.project))


def codebook_folders(context: typer.Context) -> tuple[Path, ...]:
    """Return where the chosen project's codebooks lie, also where it has no settings yet."""
    from qinlp.config import project_folder

    return (project_folder(context.obj.project) / "codebooks",)


def login() -> str:
    """Return the login name, which coders go by where they give no other."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "coder"
