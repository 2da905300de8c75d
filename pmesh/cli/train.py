"""`pmesh train`: a new version of a model from data."""

from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, console
from pmesh.cli.programs import run_program


def train(
    model: Annotated[str, typer.Argument(help="Id of the model, such as sentiment.")],
    variant: Annotated[
        str, typer.Option(help="Which architecture: the file of the model's folder that has it.")
    ] = "model",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Tab-separated file of id, rating or label, and text; may be given again."
            " Else the model's own data.",
        ),
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Train a new version of a model and register it. It gets no traffic yet.

    [bold]pmesh train sentiment[/]

    [bold]pmesh train sentiment --data movies.tsv --data tweets.tsv[/]
    """
    files = ["--data", *map(str, data)] if data else []
    *notes, version = run_program(
        home, model, "model_runtime.train", model, "--variant", variant, *files
    )
    for line in notes:
        console.print(line, markup=False)
    console.print(f"[bold green]✓[/] version {version} of {model} is registered")
    console.print(
        f"[bold]next[/]  pmesh eval {model}@{version}     is it better than the champion?"
    )
    console.print(f"      pmesh release {model}@{version}  give it the traffic")
