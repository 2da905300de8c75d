"""Runs the programs that train and evaluate models, with what they need of the stack."""

import signal
import subprocess
from pathlib import Path

import typer

from pmesh.cli.options import fail
from pmesh.cli.running import running_stack
from pmesh.stack.model_list import read_model_list
from pmesh.stack.services import program


def run_training(home: Path, model: str, module: str, *arguments: str) -> list[str]:
    """Run `python -P -m module arguments` for a model; the lines of its stdout.

    Its stderr is this command's. Ends the command if no stack runs, there is no such model, or
    the program fails, which then has said why.
    """
    known = [entry.id for entry in read_model_list()]
    if model not in known:
        fail(f"there is no model {model!r}", "one of: " + ", ".join(known))
    given = running_stack(home).labels_environment()
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for the program, then this ends
    done = subprocess.run(
        program(module, *arguments),
        env=given,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout.splitlines()
