"""Models: predict, train, evaluate; none needs a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from qinlp.cli.app import app, codebook_folders, counted
from qinlp.errors import ConfigError, SourceError, nearest


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
            watch=watch, codebooks=codebook_folders(context),
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
