"""Python environments for servers that nobody here wrote, each of its own lock file.

They are installed on first use, into `build/foreign`, and again when the lock file has changed.
A lock file is made anew by `uv pip compile --universal --python-version 3.11 --no-header
--no-annotate --upgrade --output-file requirements.lock requirements.in`.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_UV = _ROOT / "build" / "uv" / "bin" / "uv"  # of the Makefile


def environment(folder: Path) -> Path:
    """The environment that the folder's requirements.lock describes."""
    lock = folder / "requirements.lock"
    digest = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()[:12]
    path = _ROOT / "build" / "foreign" / f"{folder.name}-{digest}"
    done = path / ".installed"
    if not done.exists():
        _uv("venv", "--allow-existing", "--python", sys.executable, str(path))
        _uv("pip", "install", "--python", str(path), "--requirement", str(lock))
        done.touch()
    return path


def _uv(*arguments: str) -> None:
    subprocess.run([_UV, "--quiet", *arguments], check=True)
