"""`pmesh train`: a new version of a model, from data to traffic."""

import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, fail
from pmesh.stack.control import Stack


def train(
    model: Annotated[str, typer.Argument(help="Id of the model, such as sentiment.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Tab-separated file of id, rating and text; may be given again."
            " Else the model's own data.",
        ),
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Train a new version of a model, load it, and give it all the model's traffic.

    [bold]pmesh train sentiment --data movies.tsv --data tweets.tsv[/]
    """
    from pmesh.stack.environment import base_environment
    from pmesh.stack.local import LocalStack
    from pmesh.stack.model_list import read_model_list

    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", "pmesh up")
    models = read_model_list()
    if model not in (known := [entry.id for entry in models]):
        fail(f"there is no model {model!r}", "one of: " + ", ".join(known))
    stack = LocalStack(
        Stack(home).home,
        gateway_port=status.gateway_port,
        ports=status.ports,
        models=models,
        environment=base_environment(),
    )
    files = ["--data", *map(str, data)] if data else []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, then this ends
    done = subprocess.run(
        stack.release_command(model, *files), env=stack.release_environment(), check=False
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
