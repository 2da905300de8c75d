"""The supervisor as a program: `python -m pmesh.stack HOME GATEWAY_PORT [--auth] [--replicas]
[--observe]`.

`pmesh up` starts it; the stack's state is in the data directory, see status.py.
"""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from pmesh.stack.environment import (
    alerts_environment,
    base_environment,
    telemetry_environment,
)
from pmesh.stack.home import AlreadyRunningError, Home
from pmesh.stack.issuer import Issuer
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import read_model_list
from pmesh.stack.observers import installed, observer_parts, sends_elsewhere, shown
from pmesh.stack.observers import port_names as observer_port_names
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
    telemetry = telemetry_environment(os.environ)
    alerts = alerts_environment(os.environ)
    # What the stack's own code connects to is not what the user's variables name either.
    os.environ.clear()
    os.environ.update(environment | alerts)
    try:
        home.create()
        with home.lock():
            asyncio.run(_run(home, arguments, environment, telemetry))
    except (AlreadyRunningError, PartsFailedError, OSError, ValueError) as error:
        sys.exit(str(error))


async def _run(
    home: Home,
    arguments: argparse.Namespace,
    environment: dict[str, str],
    telemetry: dict[str, str],
) -> None:
    replicas = SIDE_BY_SIDE if arguments.replicas else ALONE
    models = read_model_list()
    observers = installed(environment.get("PATH")) if arguments.observe else {}
    names = [*port_names(models, replicas), *observer_port_names(observers)]
    ports = assign_ports(home.ports, names)
    are_shown = arguments.observe and not sends_elsewhere(telemetry)
    if arguments.observe:
        telemetry = shown(telemetry, ports)
    issuer = Issuer(home)
    if not arguments.auth:
        issuer.leave()
    stack = LocalStack(
        home,
        gateway_port=arguments.gateway_port,
        ports=ports,
        models=models,
        environment=environment,
        telemetry=telemetry,
        replicas=replicas,
        issuer=issuer if arguments.auth else None,
    )
    await StackRun(
        home,
        lambda: [*stack.parts(), *observer_parts(home, observers, ports, environment)],
        gateway_port=arguments.gateway_port,
        ports=ports,
        replicas=arguments.replicas,
        observed=are_shown,
    ).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pmesh.stack")
    parser.add_argument("home", type=Path)
    parser.add_argument("gateway_port", type=int)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--replicas", action="store_true")
    parser.add_argument("--observe", action="store_true")
    return parser


if __name__ == "__main__":
    main()
