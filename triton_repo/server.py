"""How tritonserver is started from the nvidia-pytriton wheel: the only place that knows.

The wheel holds the server, the Python backend and a backend process for each Python version,
apart from each other; `prepare_backends` puts the last two together as the server wants them.
"""

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

STUB = "triton_python_backend_stub"


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
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    memory_prefix: str,
) -> list[str]:
    """The command line: every model of the repository, on the loopback interface.

    memory_prefix: starts the names of its shared memory; servers on one machine need different
        ones.
    A model that does not load leaves the others served. Ready: GET /v2/models/<model>/ready.
    """
    return [
        str(binary()),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        "--load-model=*",
        "--exit-on-error=false",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc_port}",
        f"--metrics-port={metrics_port}",
        "--metrics-address=127.0.0.1",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        "--log-info=false",
        f"--backend-config=python,shm-region-prefix-name={memory_prefix}",
    ]


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
