"""The command line: thin over steps and questions. Heavy libraries are imported inside commands.

A new command is a function with a docstring that ends with an example, in the module it belongs to.
"""

from __future__ import annotations

import sys

import typer

from qinlp.cli.app import app
from qinlp.errors import QinlpError

# in the order that help lists their commands
# isort: off
from qinlp.cli import work, serve, quarantine, duplicates, review, queue, questions, models, codebooks  # noqa: F401 - each puts its commands into the program
# isort: on

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
