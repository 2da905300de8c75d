"""The programs of the last landed release, run from its own files with this environment."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Release:
    """Where its files are."""

    path: Path

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """In which Python finds its packages before this checkout's."""
        packages = f"{self.path}:{self.path / 'build/gen'}"
        return {**os.environ, **variables, "PYTHONPATH": packages}

    def run(self, *arguments: str, variables: Mapping[str, str], stdin: str = "") -> str:
        """Run a program to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", *arguments],
            env=self.environment(variables),
            cwd=self.path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, module: str, log: Path, variables: Mapping[str, str]) -> Iterator[None]:
        """Run a program for the length of the block; it must not have ended by then."""
        with log.open("ab") as stream:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-P", "-m", module],
                env=self.environment(variables),
                cwd=self.path,
                stderr=stream,
            )
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(100)


def landed_commit() -> str:
    """The last landed commit; "" where git does not know it."""
    found = subprocess.run([ROOT / ".ci/landed"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def unpack(commit: str, path: Path) -> Release:
    """Lay out a commit's files, and generate its code."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(path, filter="tar")
    subprocess.run([sys.executable, "build_protos.py"], cwd=path, capture_output=True, check=True)
    return Release(path)


def this_checkout() -> Release:
    """What is tested."""
    return Release(ROOT)
