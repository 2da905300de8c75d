"""The supervisor as a program: `python -m pmesh.stack HOME GATEWAY_PORT [--auth] [--replicas]`.

`pmesh up` starts it; the stack's state is in the data directory, see status.py.
"""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from modelkit.alerts import InvalidAlerts
from modelkit.values import InvalidValues
from pmesh.mesh_file import InvalidMesh
from pmesh.stack.environment import base_environment
from pmesh.stack.home import AlreadyRunningError, Home
from pmesh.stack.issuer import Issuer
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import read_model_list
from pmesh.stack.ports import assign_ports
from pmesh.stack.replicas import ALONE, SIDE_BY_SIDE
from pmesh.stack.run import StackRun
from pmesh.stack.supervisor import PartsFailedError


def main() -> None:
    """Run the stack until a signal; exit with a reason if it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    arguments = _parser().parse_args()
    home = Home(arguments.home)
    environment = base_environment(os.environ)
    # What the stack's own code connects to is not what the user's variables name either.
    os.environ.clear()
    os.environ.update(environment)
    try:
        home.create()
        with home.lock():
            asyncio.run(_run(home, arguments, environment))
    except (
        AlreadyRunningError,
        InvalidAlerts,
        InvalidMesh,
        InvalidValues,
        PartsFailedError,
        OSError,
    ) as error:
        sys.exit(str(error))


async def _run(home: Home, arguments: argparse.Namespace, environment: dict[str, str]) -> None:
    replicas = SIDE_BY_SIDE if arguments.replicas else ALONE
    ports = assign_ports(home.ports, port_names(replicas))
    issuer = Issuer(home)
    if not arguments.auth:
        issuer.leave()
    stack = LocalStack(
        home,
        gateway_port=arguments.gateway_port,
        ports=ports,
        models=read_model_list(),
        environment=environment,
        replicas=replicas,
        issuer=issuer if arguments.auth else None,
    )
    await StackRun(
        home,
        stack.parts,
        gateway_port=arguments.gateway_port,
        ports=ports,
        replicas=arguments.replicas,
    ).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pmesh.stack")
    parser.add_argument("home", type=Path)
    parser.add_argument("gateway_port", type=int)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--replicas", action="store_true")
    return parser


if __name__ == "__main__":
    main()
