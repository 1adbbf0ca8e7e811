"""Models: predict, train, evaluate, which need no database, and which model a project codes with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qinlp.cli.app import app, codebook_folders, config_of, login
from qinlp.errors import ConfigError, SourceError, nearest
from qinlp.report import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

models = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Which model the project codes with.")
app.add_typer(models, name="model")


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
    typer.echo(f"{counted(len(rows), 'passage')} coded into {output}.")


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
    judgements: Annotated[
        bool,
        typer.Option(
            "--judgements", help="Let the project's model learn from what people reviewed, instead."
        ),
    ] = False,
) -> None:
    """Train a model on labelled passages.

    It gets calibrated heads for every codebook that the labels name, and a model card. With
    `--judgements` the project's own model learns from the passages that people reviewed, and the new
    one is taken into use if it is better on documents that it has not seen.

    Example: `qinlp train coded.jsonl --name ward-study --to models`
    """
    from qinlp import show, training
    from qinlp.coding.calibration import Goal

    if judgements:
        if labelled:
            raise ConfigError(f"--judgements and {labelled[0]}: give one of them")
        _learn(context)
        return
    aim = Goal.named(goal)
    with show.progress() as watch:
        folder = training.train(
            labelled or [], name=name, to=to, encoder=encoder, tune=tune, epochs=epochs, goal=aim,
            watch=watch, codebooks=codebook_folders(context),
        )  # fmt: skip
    typer.echo(f"{folder} written; its README.md says how good it is. Use it with [coding] model = {name!r}")


def _learn(context: typer.Context) -> None:
    from qinlp import learning, show

    with show.progress() as watch:
        done = learning.learn(config_of(context), watch)
    typer.echo(f"{done.why}.")
    if done.model:
        typer.echo(
            "The next `qinlp code` codes with it; `qinlp ask changed-codings` then shows what changed."
        )


@models.command("list")
def model_list(context: typer.Context) -> None:
    """List the models: which is in use, what each was trained on, how good it is, when and why promoted.

    Example: `qinlp model list`
    """
    from rich.markup import escape
    from rich.table import Table

    from qinlp import show, steps

    table = Table(box=None, pad_edge=False)
    table.add_column("model", style="bold", no_wrap=True)
    for column in ("in use", "trained on", "macro-F1", "promoted"):
        table.add_column(column, overflow="fold")
    for one in steps.models(config_of(context)):
        promoted = f"{one.promoted.promoted_at:%Y-%m-%d}, {one.promoted.why}" if one.promoted else ""
        table.add_row(
            escape(one.name), "yes" if one.in_use else "", _trained_on(one.card),
            "\n".join(_scores(one.card)), promoted,
        )  # fmt: skip
    show.console().print(table)


def _trained_on(card: Mapping[str, Any]) -> str:
    if not card:
        return "its folder is gone"
    if "documents" not in card:
        return ""
    data = f"{counted(sum(card['kinds'].values()), 'passage')} of {counted(card['documents'], 'document')}"
    return f"as {card['base']}, and {data} reviewed" if "base" in card else data


def _scores(card: Mapping[str, Any]) -> list[str]:
    return [
        f"{one['codebook']} {one['levels']['codes']['all']['macro_f1']['value']:.2f}"
        for one in card.get("scores", ())
        if one.get("levels", {}).get("codes", {}).get("all", {}).get("codes")
    ]


@models.command("promote")
def model_promote(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model: its folder under models/.")],
    coder: Annotated[str, typer.Option(help="Who says so; else your login name.", show_default=False)] = "",
) -> None:
    """Take a model into use by hand; the next `qinlp code` codes with it.

    Example: `qinlp model promote ward-study`
    """
    from qinlp import steps

    done = steps.promote(config_of(context), name, coder or login())
    typer.echo(f"{done.model} is in use instead of {done.replaces}; `qinlp code` codes with it.")


@models.command("rollback")
def model_rollback(
    context: typer.Context,
    coder: Annotated[str, typer.Option(help="Who says so; else your login name.", show_default=False)] = "",
) -> None:
    """Take the model back into use that was in use before; the next `qinlp code` codes with it.

    Example: `qinlp model rollback`
    """
    from qinlp import steps

    done = steps.rollback(config_of(context), coder or login())
    typer.echo(f"{done.model} is in use again instead of {done.replaces}; `qinlp code` codes with it.")


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
