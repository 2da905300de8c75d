"""Serves the floor: `python -m benchmarks.bare PORT`, with the variables of its two programs.

The gateway's own Envoy with another application in it, and the runtime beside it, both scheduled
as those of the stack are.
"""

import logging
import os
import subprocess
import sys

from benchmarks.stack import free_port
from gateway.envoy.settings import EnvoySettings
from gateway.main import OLDER_POLLER, run


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    command = ("chrt", "--batch", "0", sys.executable, "-m", "benchmarks.bare.runtime")
    os.environ["BENCH_RUNTIME"] = f"127.0.0.1:{free_port()}"
    runtime = subprocess.Popen(
        ("setpriv", "--pdeathsig", "KILL", *command), env=os.environ | OLDER_POLLER
    )
    settings = EnvoySettings(
        port=int(sys.argv[1]), admin_port=free_port(), app="benchmarks.bare.app:app"
    )
    status = run(settings)
    runtime.kill()
    sys.exit(status)


if __name__ == "__main__":
    main()
