"""Serves the floor: `python -m benchmarks.bare PORT`.

BENCH_TRITON tells the runtime where to ask, the other variables are those of benchmarks.bare.app.
Both programs run as those of the stack do: the gateway's own Envoy with another application in it,
and the runtime beside it.
"""

import logging
import os
import subprocess
import sys

from benchmarks.stack import free_port
from gateway.envoy.settings import EnvoySettings
from gateway.main import OLDER_POLLER, prepare_child, run


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    os.environ["BENCH_RUNTIME"] = f"127.0.0.1:{free_port()}"
    subprocess.Popen(
        (sys.executable, "-m", "benchmarks.bare.runtime"),
        env=OLDER_POLLER | os.environ,
        preexec_fn=prepare_child,  # it ends with this process
    )
    settings = EnvoySettings(
        port=int(sys.argv[1]), admin_port=free_port(), app="benchmarks.bare.app:app"
    )
    sys.exit(run(settings))


if __name__ == "__main__":
    main()
