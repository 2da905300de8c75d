"""Serves the floor: `python -m benchmarks.bare PORT`, with the variables of benchmarks.bare.app.

It runs as the gateway does: Envoy with another application in it.
"""

import logging
import sys

from benchmarks.ports import free_port
from gateway.envoy.front import Front
from gateway.main import run


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    port = int(sys.argv[1])
    sys.exit(run(Front(port=port, admin_port=free_port(), app="benchmarks.bare.app:app"), {}))


if __name__ == "__main__":
    main()
