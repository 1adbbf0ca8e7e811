"""Review: the app for the browser, and who may come in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qinlp.cli.app import app, config_of, login
from qinlp.errors import ConfigError, StoreBusy, StoreError

if TYPE_CHECKING:
    from threading import Event

    from qinlp.config import Config
    from qinlp.steps import Carried
    from qinlp.store.desk import Desk

review = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
account = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who may come in, where the app serves several people."
)
review.add_typer(account, name="account")
app.add_typer(review, name="review")

EVERY = 3.0
"""Seconds between two looks for acts to carry into the store."""


@review.callback()
def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 0,
    coder: Annotated[
        str, typer.Option(help="Whose judgements they are; else your login name.", show_default=False)
    ] = "",
    host: Annotated[
        str, typer.Option(help="The address to serve; another than this machine's own needs accounts.")
    ] = "127.0.0.1",
    user: Annotated[
        list[str] | None,
        typer.Option(
            help="An account to make, if it is not there; its password is asked for.", show_default=False
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="A TLS certificate, PEM.", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.", show_default=False)] = None,
) -> None:
    """Code passages in the browser: prints the address to open, and serves until Ctrl-C.

    It serves this machine alone, and the address works once. To serve others give `--host`, and an
    account to each.

    Example: `qinlp review`
    """
    if context.invoked_subcommand is not None:
        return
    from qinlp.store.desk import of

    config = config_of(context)
    if not config.database_path.exists():
        raise StoreError(f"{config.database_path}: no database yet; `qinlp run` makes it and codes")
    if (certificate is None) != (key is None):
        raise ConfigError("--certificate and --key belong together; give both")
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise ConfigError(f"{file}: no such file; give a certificate and its key as PEM files")
    desk, alone = of(config.database_path), _is_loopback(host)
    for name in user or ():
        _add_if_missing(desk, name)
    if not alone:
        _check_open(desk, host, tls=certificate is not None)
    _lay(config)
    _serve(config, host, port, (coder or login()) if alone else "", certificate, key)


def _serve(
    config: Config, host: str, port: int, alone: str, certificate: Path | None, key: Path | None
) -> None:
    import socket
    from threading import Event, Thread

    import uvicorn

    from qinlp.review import app as pages

    hosts = frozenset({"127.0.0.1", "::1", "localhost"}) if alone else frozenset[str]()
    site = pages.make(config, alone=alone, hosts=hosts)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        door = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port}: cannot be served ({error.strerror or error}); choose another --port or --host"
        ) from None
    named = f"[{host}]" if ":" in host else socket.gethostname() if host == "0.0.0.0" else host  # noqa: S104
    at = f"{'https' if certificate else 'http'}://{named}:{door.getsockname()[1]}/"
    typer.echo(
        f"Open {at}?key={site.state.house.key} (it works once; you are {alone})."
        if alone
        else f"Open {at} and come in with your account."
    )
    typer.echo("Ctrl-C ends it; what you did is kept as soon as the page says so.")
    sys.stdout.flush()
    server = uvicorn.Server(
        uvicorn.Config(
            site, log_level="warning", access_log=False, server_header=False,
            ssl_certfile=certificate, ssl_keyfile=key, timeout_graceful_shutdown=5,
        )
    )  # fmt: skip
    ended = Event()
    carrier = Thread(target=_carry_on, args=(config, ended), name="carry")
    carrier.start()
    try:
        server.run(sockets=[door])
    except KeyboardInterrupt:
        pass  # uvicorn ends what is under way, then passes it on
    finally:
        ended.set()
        carrier.join()
        door.close()
    _carry_last(config)


def _carry_on(config: Config, ended: Event) -> None:
    """Carry acts into the store whenever there are new ones, until the app ends."""
    import logging

    from qinlp.store.desk import of

    desk, reached = of(config.database_path), -1
    while not ended.wait(EVERY):
        try:
            now = desk.reached()
            if now != reached:
                _carry(config)
                reached = now
        except StoreBusy:
            continue
        except StoreError as error:
            logging.getLogger(__name__).warning("%s", error)


def _carry(config: Config) -> Carried:
    from qinlp import steps

    return steps.carry(config, wait=2.0)


def _lay(config: Config) -> None:
    """Make the queues that are not as the store is now; while a step writes, those there will do."""
    from contextlib import suppress

    from qinlp import show, steps

    with show.progress() as watch, suppress(StoreBusy):
        steps.carry(config, watch, wait=10.0)
        steps.queue(config, watch)


def _carry_last(config: Config) -> None:
    try:
        _carry(config)
    except StoreError:
        typer.echo("\nWhat you did is kept on the desk; the next `qinlp review` takes it into the store.")
        return
    typer.echo("\nWhat you did is in the store.")


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_open(desk: Desk, host: str, *, tls: bool) -> None:
    from qinlp.review.access import accounts

    if not accounts(desk):
        raise ConfigError(
            f"--host {host} lets others in, and there is no account; make one: qinlp review account add NAME"
        )
    if not tls:
        typer.echo(
            "qinlp: without --certificate and --key, passwords and texts travel readable for anybody on the "
            "network; do so only behind a proxy that has TLS, or in a network of your own",
            err=True,
        )


# Accounts -------------------------------------------------------------------------------------


@account.command("add")
def account_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The coder's name, as judgements will have it.")],
    adjudicates: Annotated[
        bool, typer.Option("--adjudicates", help="May decide where coders differ.")
    ] = False,
) -> None:
    """Let a coder come in with a password, or give them a new one.

    The password is asked for twice; where there is no terminal it is read from standard input.

    Example: `qinlp review account add kari --adjudicates`
    """
    from qinlp.review.access import add_account
    from qinlp.store.desk import of

    config = config_of(context)
    add_account(of(config.database_path), name, _password(name), adjudicates=adjudicates)
    typer.echo(f"{name} may come in{' and decide between coders' if adjudicates else ''}.")


@account.command("list")
def account_list(context: typer.Context) -> None:
    """List who may come in.

    Example: `qinlp review account list`
    """
    from qinlp.review.access import accounts
    from qinlp.store.desk import of

    found = accounts(of(config_of(context).database_path))
    for one in found:
        typer.echo(f"{one.name}{', decides between coders' if one.adjudicates else ''}")
    if not found:
        typer.echo("No accounts; make one: qinlp review account add NAME")


@account.command("remove")
def account_remove(
    context: typer.Context, name: Annotated[str, typer.Argument(help="The coder's name.")]
) -> None:
    """Let a coder come in no more; what they judged stays.

    Example: `qinlp review account remove kari`
    """
    from qinlp.review.access import remove_account
    from qinlp.store.desk import of

    remove_account(of(config_of(context).database_path), name)
    typer.echo(f"{name} comes in no more; their judgements stay.")


def _add_if_missing(desk: Desk, name: str) -> None:
    from qinlp.review.access import accounts, add_account

    if name not in [one.name for one in accounts(desk)]:
        add_account(desk, name, _password(name))


def _password(name: str) -> str:
    """Return a password: asked for twice on a terminal, else the first line of standard input.

    Raises:
        ConfigError: the two are not the same.
    """
    from getpass import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass(f"Password for {name}: ")
    if getpass("Again: ") != first:
        raise ConfigError(f"account {name!r}: the two passwords differ; try again")
    return first
