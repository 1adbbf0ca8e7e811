"""Schedules."""

from __future__ import annotations

from typing import Annotated

import typer

from qinlp.cli.app import app, config_of


@app.command()
def serve(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(help="Where the server listens; else 4200, or a free one.", show_default=False),
    ] = None,
) -> None:
    """Run flows as `[schedule]` in `qinlp.toml` says, until stopped.

    Starts a Prefect server for this machine, with its pages of runs and reports, unless PREFECT_API_URL
    or the Prefect profile names one.

    Example: `qinlp serve --port 4300`
    """
    from qinlp import serving

    serving.serve(config_of(context), port, typer.echo)
