"""`pmesh train`: a new version of a model from data."""

import typer

from pmesh.cli.arguments import parse
from pmesh.cli.options import HOME, HomeOption, console, fail, for_home
from pmesh.cli.programs import run_training


def train(context: typer.Context, home: HomeOption = HOME) -> None:
    """Train a new version of a model and register it. It gets no traffic yet.

    pmesh train sentiment
    pmesh train sentiment --variant encoder
    pmesh train sentiment --data movies.tsv tweets.tsv
    pmesh train sentiment --from-labels --since 2026-11-01
    """
    from training.options import add_train_options, check_train_options

    arguments = parse(context, train, add_train_options)
    try:
        check_train_options(arguments)
    except ValueError as error:
        fail(str(error), "pmesh train --help")
    model = arguments.name
    *notes, version = run_training(home, model, "training.train", *context.args)
    for line in notes:
        console.print(line, markup=False)
    console.print(f"[bold green]✓[/] version {version} of {model} is registered")
    console.print("[bold]next[/] ", end=" ")
    judge, use = (for_home(f"pmesh {command}", home) for command in ("eval", "release"))
    console.print(f"{judge} {model}@{version}     is it better than the champion?", markup=False)
    console.print(f"      {use} {model}@{version}  give it the traffic", markup=False)
