"""The queue of review in a terminal: what comes next, who gives a second opinion, in what orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qinlp.cli.app import config_of
from qinlp.cli.review import review
from qinlp.errors import ConfigError, nearest
from qinlp.report import counted

if TYPE_CHECKING:
    from qinlp.config import Config

WIDTH = 80


@review.command("queue")
def review_queue(
    context: typer.Context,
    codebook: Annotated[str, typer.Option(help="A codebook's id; else all.", show_default=False)] = "",
    strategy: Annotated[
        str,
        typer.Option(
            help="Another order than review.strategy, until the queue is made anew.", show_default=False
        ),
    ] = "",
    renew: Annotated[bool, typer.Option("--renew", help="Make it anew, though nothing changed.")] = False,
    first: Annotated[int, typer.Option("-n", "--first", help="How many passages to list.", min=0)] = 10,
) -> None:
    """Make the queue of what people should look at next, and list its first passages.

    Example: `qinlp review queue --codebook npt --renew`
    """  # fmt: skip
    from dataclasses import replace

    from qinlp import show, steps
    from qinlp.store.desk import of

    config = config_of(context)
    books = [_known(config, codebook)] if codebook else list(config.coding.codebooks)
    if strategy:
        config = replace(config, review=replace(config.review, strategy=strategy))
    with show.progress() as watch:
        steps.carry(config, watch)
        steps.queue(config, watch, codebooks=books, renew=renew)
    desk = of(config.database_path)
    for book in books:
        waiting, left = desk.queue(book), desk.note(book, "left")
        of_all = desk.note(book, "passages") or 0
        typer.echo(
            f"{book}: {counted(len(waiting), 'passage')} in the queue, of {of_all:,} that nobody looked at"
        )
        if left:
            typer.echo(left)
        for number, item in enumerate(waiting[:first], 1):
            typer.echo(f"{number:>4}. {item.body['because']}")
            typer.echo(f"      {_short(item.body['text'], WIDTH - 6)}")


def _short(text: str, most: int) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 4].rstrip()} ..."


def _known(config: Config, codebook: str) -> str:
    if codebook not in config.coding.codebooks:
        raise ConfigError(f"codebook {codebook!r}; {nearest(codebook, config.coding.codebooks)}")
    return codebook


@review.command("assign")
def review_assign(
    context: typer.Context,
    codebook: Annotated[str, typer.Option(help="The codebook's id.")],
    to: Annotated[
        list[str] | None,
        typer.Option(help="Who may be given passages; else all accounts.", show_default=False),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            help="Share of what one coder has coded; else review.double_share.",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Give passages that one coder has coded to another, who codes them blind.

    Example: `qinlp review assign --codebook npt --to kari --share 0.2`
    """  # fmt: skip
    from qinlp import steps
    from qinlp.review.access import accounts
    from qinlp.store.desk import of

    config = config_of(context)
    book = _known(config, codebook)
    coders = to or [one.name for one in accounts(of(config.database_path))]
    given = steps.assign(config, book, coders, share)
    steps.carry(config)
    steps.queue(config, codebooks=[book])
    for name, n in given.items():
        typer.echo(f"{name}: {counted(n, 'passage')} more, the first when they come to their queue.")
    if not sum(given.values()):
        typer.echo("Nothing more to assign: too few passages were coded by one coder alone.")


@review.command("strategies")
def review_strategies() -> None:
    """List the orders that a queue may have.

    Example: `qinlp review strategies`
    """
    from qinlp.analysis.strategies import STRATEGIES

    for name, one in STRATEGIES.items():
        told = (one.rank.__doc__ or "").strip().splitlines()[0]
        typer.echo(f"{name:<14}{told}")
