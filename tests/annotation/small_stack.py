"""A stack of PostgreSQL and Label Studio, as a program: `... small_stack HOME`."""

import asyncio
import os
import sys
from pathlib import Path

from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import read_model_list
from pmesh.stack.part import Part
from pmesh.stack.ports import assign_ports
from pmesh.stack.run import StackRun

NAMES = ("postgres", "label-studio", "annotation")


def main() -> None:
    home = Home(Path(sys.argv[1]))
    ports = assign_ports(home.ports, port_names(read_model_list()))
    stack = LocalStack(
        home,
        gateway_port=8080,
        ports=ports,
        models=read_model_list(),
        environment=base_environment(os.environ),
    )

    def parts() -> list[Part]:
        return [part for part in stack.parts() if part.name in NAMES]

    with home.lock():
        asyncio.run(StackRun(home, parts, gateway_port=8080, ports=ports).run())


if __name__ == "__main__":
    main()
