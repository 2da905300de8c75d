"""`pmesh eval`: whether a version is better than the champion."""

import typer

from pmesh.cli.arguments import parse
from pmesh.cli.options import HOME, HomeOption, console, for_home
from pmesh.cli.programs import run_training


def evaluate(context: typer.Context, home: HomeOption = HOME) -> None:
    """Compare a version with the champion on the same examples.

    pmesh eval sentiment@7
    pmesh eval sentiment@7 --data movies.tsv --json
    """
    from training.options import add_evaluate_options

    asked = parse(context, evaluate, add_evaluate_options)
    model, number = asked.version
    for line in run_training(home, model, "training.evaluate", *context.args):
        print(line)
    if not asked.json:
        console.print("[bold]to give it the traffic[/] ", end=" ")
        console.print(for_home(f"pmesh release {model}@{number}", home), markup=False)
