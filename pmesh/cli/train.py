"""`pmesh train`: a new version of a model, from data to traffic."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption
from pmesh.cli.running import running_stack


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
    stack = running_stack(home)
    files = ["--data", *map(str, data)] if data else []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, then this ends
    command = [sys.executable, "-m", "model_runtime.train", model, *files]
    done = subprocess.run(command, env=stack.release_environment(), check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
