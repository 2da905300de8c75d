"""What the stack needs of this machine, checked before anything starts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pmesh.stack.binaries import package_directory, postgres_binary, script
from pmesh.stack.findings import Finding
from pmesh.stack.ports import is_free
from pmesh.stack.postgres import AS_NOBODY, needs_namespace

_GIB = 1 << 30
_MEMORY_BYTES = 2 * _GIB
_DISK_BYTES = 2 * _GIB
_SHARED_MEMORY = "/dev/shm"  # noqa: S108
_SHARED_MEMORY_BYTES = 256 << 20
"""Triton hands tensors to its Python models through /dev/shm."""


def check_machine(home: Path, *, gateway_port: int) -> Iterator[Finding]:
    """Everything but the gateway's port when a stack runs already."""
    yield _python()
    yield _libpython()
    yield from _tools()
    yield from _packages()
    if needs_namespace():
        yield _user_namespaces()
    yield _memory()
    yield _shared_memory()
    yield _disk(home)
    yield check_port(gateway_port)


def check_port(port: int) -> Finding:
    """Whether the gateway can listen."""
    return Finding(
        f"port {port}",
        is_free(port),
        "free" if is_free(port) else "taken by another program",
        f"stop what uses it (`ss -ltnp 'sport = :{port}'` names it)"
        f" or choose another one: pmesh up --port {port + 10}",
    )


def _python() -> Finding:
    version = sys.version_info[:2]
    return Finding(
        "Python",
        sys.platform == "linux" and (3, 11) <= version < (3, 13),
        f"{version[0]}.{version[1]} on {sys.platform}",
        "the stack's programs exist for Python 3.11 and 3.12 on Linux",
    )


def _libpython() -> Finding:
    import find_libpython  # pyvoy brings it, which is not where only models are released

    found = find_libpython.find_libpython()
    return Finding(
        "libpython",
        found is not None,
        found or "not found",
        "Envoy loads Python as a shared library, and this Python was built without: use another"
        " one, such as your system's with its libpython3 package, or `uv python install 3.11`",
    )


def _tools() -> Iterator[Finding]:
    wanted = ["setpriv", "nice"] + (["unshare"] if needs_namespace() else [])
    for name in wanted:
        found = shutil.which(name)
        remedy = "install the packages util-linux and coreutils"
        yield Finding(name, found is not None, found or "not found", remedy)


def _packages() -> Iterator[Finding]:
    programs: dict[str, Callable[[], Path]] = {
        "postgres": lambda: postgres_binary("postgres"),
        "rclone": lambda: script("rclone"),
        "envoy": lambda: script("envoy"),
        "mlflow": lambda: package_directory("mlflow"),
        "moto": lambda: package_directory("moto"),
        "tritonserver": lambda: (
            package_directory("pytriton") / "tritonserver" / "bin" / "tritonserver"
        ),
    }
    for name, locate in programs.items():
        try:
            path = locate()
        except ModuleNotFoundError as error:
            yield Finding(name, False, str(error), "install the project again: make clean run")
        else:
            detail = str(path) if path.exists() else f"{path} is missing"
            yield Finding(name, path.exists(), detail, "install the project again: make clean run")


def _user_namespaces() -> Finding:
    allowed = subprocess.run((*AS_NOBODY, "true"), capture_output=True, check=False)
    return Finding(
        "user namespaces",
        allowed.returncode == 0,
        "allowed" if allowed.returncode == 0 else allowed.stderr.decode().strip(),
        "PostgreSQL does not run as root nor as a user without a name, and here it cannot be"
        " shown another one: run as an ordinary user",
    )


def _memory() -> Finding:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    return Finding(
        "memory",
        available >= _MEMORY_BYTES,
        f"{available / _GIB:.1f} GiB available",
        f"the stack takes about {_MEMORY_BYTES // _GIB} GiB: end other programs",
    )


def _shared_memory() -> Finding:
    free = shutil.disk_usage(_SHARED_MEMORY).free
    return Finding(
        _SHARED_MEMORY,
        free >= _SHARED_MEMORY_BYTES,
        f"{free >> 20} MiB free",
        f"Triton needs {_SHARED_MEMORY_BYTES >> 20} MiB: in a container, start it with"
        " --shm-size=1g; else remount it larger",
    )


def _disk(home: Path) -> Finding:
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    return Finding(
        "data directory",
        writable and free >= _DISK_BYTES,
        f"{existing}: {free / _GIB:.1f} GiB free" if writable else f"{existing}: not writable",
        f"{_DISK_BYTES // _GIB} GiB are needed: free some space, or choose another place:"
        " pmesh up --home DIRECTORY",
    )
