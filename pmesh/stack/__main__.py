"""The supervisor as a program: `python -m pmesh.stack HOME GATEWAY_PORT [--auth]`.

`pmesh up` starts it; the stack's state is in the data directory, see status.py.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path

from pmesh.mesh_file import InvalidMesh
from pmesh.stack.environment import base_environment
from pmesh.stack.home import AlreadyRunningError, Home
from pmesh.stack.issuer import Issuer
from pmesh.stack.local import PORTS, LocalStack
from pmesh.stack.model_list import read_model_list
from pmesh.stack.ports import assign_ports
from pmesh.stack.run import StackRun
from pmesh.stack.supervisor import PartsFailedError


def main() -> None:
    """Run the stack until a signal; exit with a reason if it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home, gateway_port = Home(Path(sys.argv[1])), int(sys.argv[2])
    auth = "--auth" in sys.argv[3:]
    environment = base_environment(os.environ)
    # What the stack's own code connects to is not what the user's variables name either.
    os.environ.clear()
    os.environ.update(environment)
    try:
        home.create()
        with home.lock():
            asyncio.run(_run(home, gateway_port, environment, auth=auth))
    except (AlreadyRunningError, InvalidMesh, PartsFailedError, OSError) as error:
        sys.exit(str(error))


async def _run(home: Home, gateway_port: int, environment: dict[str, str], *, auth: bool) -> None:
    models = read_model_list()
    ports = assign_ports(home.ports, PORTS)
    stack = LocalStack(
        home,
        gateway_port=gateway_port,
        ports=ports,
        models=models,
        environment=environment,
        issuer=Issuer(home) if auth else None,
    )
    await StackRun(home, stack.parts, gateway_port=gateway_port, ports=ports).run()


if __name__ == "__main__":
    main()
