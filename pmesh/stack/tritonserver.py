"""How tritonserver is started from the nvidia-pytriton wheel: the only place that knows.

The wheel holds the server, the Python backend and a backend process for each Python version,
apart from each other; `prepare_backends` puts the last two together as the server wants them.
"""

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from inference.repository import KEY_HEADER

STUB = "triton_python_backend_stub"

_SOCKET, _PORT = "triton", 1
"""Triton appends the port to its address, also where that is a path: the socket is `triton:1`."""
_RESTRICTED = "model-repository,shared-memory,model-config,statistics,trace,logging"
"""All that is no question to a model: the first of them runs the code that it is sent."""
_KEY_NAME = KEY_HEADER.removeprefix("triton-grpc-protocol-")


def prepare_backends(directory: Path) -> None:
    """Make the folder that `command` takes as its backends. May be called again."""
    backend = directory / "python"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(_wheel() / "backends" / "python", backend, dirs_exist_ok=True)
    stub = backend / STUB
    stub.unlink(missing_ok=True)  # it may be running
    shutil.copyfile(_wheel() / "python_backend_stubs" / python / STUB, stub)
    stub.chmod(0o755)


def binary() -> Path:
    """The tritonserver program."""
    return _wheel() / "bin" / "tritonserver"


def command(
    *,
    repository: Path,
    backends: Path,
    sockets: Path,
    metrics_port: int,
    memory_prefix: str,
    key: str,
    traces: str = "",
) -> list[str]:
    """The command line: every model of the repository, by gRPC on a socket, without HTTP.

    sockets: a folder that nobody else may enter. It is what keeps other users of the machine away,
        who could read the key in this command line; a browser, which reaches loopback, cannot reach
        a socket. Neither keeps out the code of the models, which runs as the server's own user.
    memory_prefix: starts the names of its shared memory; servers on one machine need different
        ones.
    key: what it asks for before it loads or unloads models, or changes anything of itself.
    traces: the URL that it sends spans to, by OTLP as JSON; empty: it sends none.
    A model that does not load leaves the others served.
    """
    return [
        str(binary()),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        "--load-model=*",
        "--exit-on-error=false",
        "--allow-http=false",
        "--allow-vertex-ai=false",  # doors of clouds, which a variable of theirs would open
        "--allow-sagemaker=false",
        f"--grpc-address=unix:{sockets / _SOCKET}",
        f"--grpc-port={_PORT}",
        f"--grpc-restricted-protocol={_RESTRICTED}:{_KEY_NAME}={key}",
        f"--metrics-port={metrics_port}",
        "--metrics-address=127.0.0.1",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        "--log-info=false",
        f"--backend-config=python,shm-region-prefix-name={memory_prefix}",
        *(_tracing(traces) if traces else ()),
    ]


def _tracing(url: str) -> list[str]:
    """Of each call that comes with a traceparent, which our programs send with those that are
    recorded; of no other."""
    settings = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=2147483647",  # one in so many of the others
        f"opentelemetry,url={url}",
        "opentelemetry,resource=service.name=triton",
        "opentelemetry,resource=service.namespace=predict-mesh",
        "opentelemetry,bsp_schedule_delay=1000",  # ms; up to 2048 wait, what is more is dropped
    )
    return [f"--trace-config={setting}" for setting in settings]


def address(*sockets: Path) -> str:
    """Where clients find the servers that `command` starts, as gRPC writes it."""
    return "unix:" + ",".join(f"{folder / _SOCKET}:{_PORT}" for folder in sockets)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment: the backend's processes find the wheel's libraries and this Python."""
    wheel_libraries = _wheel().parent.parent / "nvidia_pytriton.libs"
    libraries = f"{wheel_libraries}:{Path(sys.base_prefix) / 'lib'}"  # the second: libpython
    path = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}"
    return {
        **inherited,
        "LD_LIBRARY_PATH": libraries,
        "PATH": path,
    }


def _wheel() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the nvidia-pytriton package is not installed")
    return Path(spec.origin).parent / "tritonserver"
