"""Python environments of programs that are not ours, each of its own lock file.

They are installed on first use, and again when the lock file has changed, beside the data of the
stack: what they need does not fit with what our programs need, or is much larger.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path


class InstallFailed(Exception):
    """An environment cannot be installed; the message says why."""


def python_of(
    home: Path, name: str, lock: Path, tell: Callable[[int, int], None] = lambda _, __: None
) -> Path:
    """The python of an environment with the packages of a lock file, installed if need be.

    tell: called with how many packages of how many have been come to. Of two who install it at
    once, one waits. Raises InstallFailed, OSError.
    """
    python = place_of(home, name, lock)
    folder = python.parents[1]
    done = folder / ".installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not done.exists():
            _install(folder, python, lock, tell)
            done.touch()
    return python


def place_of(home: Path, name: str, lock: Path) -> Path:
    """Where the python of an environment is once it is installed."""
    digest = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()[:12]
    return home / "environments" / f"{name}-{digest}" / "bin" / "python"


def _install(folder: Path, python: Path, lock: Path, tell: Callable[[int, int], None]) -> None:
    total = sum(1 for line in lock.read_text().splitlines() if "==" in line)
    try:
        venv.create(folder, with_pip=True, clear=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        raise InstallFailed("this Python's venv has no pip; on Debian, python3-venv") from error
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--no-input")
    command = (*pip, "install", "--no-deps", "--requirement", str(lock))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        last, come_to = "", 0
        for line in process.stdout:
            last = line.strip() or last
            if line.startswith("Collecting "):
                come_to += 1
                tell(come_to, total)
    if process.returncode:
        raise InstallFailed(f"pip cannot install {lock.name}: {last}")
