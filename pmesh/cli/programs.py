"""Runs the programs that work on models, with the stack's environment."""

import signal
import subprocess
import sys
from pathlib import Path

import typer

from pmesh.cli.options import fail
from pmesh.stack.control import Stack


def run_program(home: Path, model: str, module: str, *arguments: str) -> list[str]:
    """Run `python -m module arguments` for a model; the lines of its stdout.

    Its stderr is this command's. Ends the command if no stack runs, there is no such model, or
    the program fails, which then has said why.
    """
    from pmesh.stack.environment import base_environment
    from pmesh.stack.local import LocalStack
    from pmesh.stack.model_list import read_model_list

    models = read_model_list()
    if model not in (known := [entry.id for entry in models]):
        fail(f"there is no model {model!r}", "one of: " + ", ".join(known))
    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", "pmesh up")
    stack = LocalStack(
        Stack(home).home,
        gateway_port=status.gateway_port,
        ports=status.ports,
        models=models,
        environment=base_environment(),
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, then this ends
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=stack.release_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout.splitlines()
