"""The stack that runs on a data directory, as commands that work beside it need it."""

from pathlib import Path

from pmesh.cli.options import fail, for_home
from pmesh.stack.control import Stack
from pmesh.stack.local import LocalStack
from pmesh.stack.replicas import ALONE, SIDE_BY_SIDE


def running_stack(home: Path) -> LocalStack:
    """What runs there, with its ports and environments; ends the command if nothing does."""
    from pmesh.stack.environment import base_environment
    from pmesh.stack.model_list import read_model_list

    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", for_home("pmesh up", home))
    return LocalStack(
        Stack(home).home,
        gateway_port=status.gateway_port,
        ports=status.ports,
        models=read_model_list(),
        environment=base_environment(),
        replicas=SIDE_BY_SIDE if status.replicas else ALONE,
    )
