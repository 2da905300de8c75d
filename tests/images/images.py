"""Images built by deploy/jobs/build-image.sh with a real buildah, and their containers."""

import json
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from tests.images.standins import ROOT, WHEELS, prepare

STAND_IN = "localhost/stand-in"
STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{directory}/store"
runroot = "{directory}/run"
"""
PACKAGES = """\
import importlib.metadata as metadata, sys
for found in metadata.distributions(path=[f"{sys.argv[1]}/lib/python3.11/site-packages"]):
    print(found.name.lower().replace("_", "-").replace(".", "-"), found.version)
"""


class Images:
    """A store of images of its own, gone in the end."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="images-")
        self._directory = Path(self._scratch.name)
        self._storage = self._directory / "storage.conf"
        self.secret = secrets.token_hex()
        """In the pip.conf that builds are given."""
        self._pip_config = self._directory / "pip.conf"
        self._pip_config.write_text(f"[global]\nfind-links = {WHEELS}\n# {self.secret}\n")

    def __enter__(self) -> Self:
        self._choose_driver()
        context = self._directory / "stand-in"
        context.mkdir()
        prepare(context)
        self._buildah("build", "--tag", STAND_IN, str(context))
        return self

    def __exit__(self, *_: object) -> None:
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")
        self._scratch.cleanup()

    def build(self, *arguments: str) -> str:
        """Run the job; the image's name."""
        job = subprocess.run(
            [str(ROOT / "deploy/jobs/build-image.sh"), *arguments],
            env=self._environment
            | dict.fromkeys(("PYTHON_IMAGE", "TRITON_IMAGE", "POSTGRES_IMAGE"), STAND_IN)
            | {"PIP_CONFIG_FILE": str(self._pip_config)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert job.returncode == 0, job.stderr[-4000:]
        return job.stdout.splitlines()[-1]

    def size_mb(self, image: str) -> float:
        """All layers, unpacked."""
        (fields,) = json.loads(self._buildah("images", "--json", image))
        number, unit = fields["size"].split()
        return float(number) * {"MB": 1, "GB": 1000}[unit]

    def describe(self, image: str) -> dict[str, Any]:
        """Its OCI configuration: User, Env, Entrypoint, Cmd, Labels, history."""
        fields = json.loads(self._buildah("inspect", "--type=image", image))
        described: dict[str, Any] = fields["OCIv1"]
        return described

    def container(self, image: str) -> "Container":
        """A container that runs nothing yet."""
        name = self._buildah("from", image).strip()
        root = Path(self._buildah("mount", name).strip())
        config = self.describe(image)["config"]
        start = [*config.get("Entrypoint", []), *config.get("Cmd", [])]
        return Container(name, root=root, start=start, environment=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "IMAGE_BUILDER": "buildah",
            "BUILDAH_ISOLATION": "chroot",  # needs no container runtime
            "CONTAINERS_STORAGE_CONF": str(self._storage),
        }

    def _choose_driver(self) -> None:
        """vfs works everywhere, and copies every layer whole."""
        for driver in ("overlay", "vfs"):
            self._storage.write_text(STORAGE.format(driver=driver, directory=self._directory))
            info = subprocess.run(
                ["buildah", "info"], env=self._environment, capture_output=True, check=False
            )
            if info.returncode == 0:
                return

    def _buildah(self, *arguments: str) -> str:
        run = subprocess.run(
            ["buildah", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-4000:]
        return run.stdout


class Container:
    """Runs commands in an image, as its user, on this machine's network."""

    def __init__(
        self, name: str, *, root: Path, start: Sequence[str], environment: dict[str, str]
    ) -> None:
        self.root = root
        """Its files, as this machine sees them."""
        self._name = name
        self._start = start
        self._environment = environment

    def run(
        self, *command: str, volumes: Sequence[str] = (), variables: dict[str, str] | None = None
    ) -> str:
        """What the command prints; it must succeed."""
        run = subprocess.run(
            self._command(command, volumes, variables or {}),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-4000:]
        return run.stdout

    def writable(self) -> set[str]:
        """What its user can change, but for /tmp."""
        found = "find / -xdev -path /tmp -prune -o -writable -not -type l -print 2>/dev/null"
        return set(self.run("sh", "-c", f"{found} || true").split())

    def packages(self, environment: str = "/opt/venv") -> dict[str, str]:
        """The versions of what is installed for Python, by normalized name."""
        lines = self.run("python3", "-c", PACKAGES, environment).splitlines()
        return dict(line.split() for line in lines)

    def start(
        self, *arguments: str, volumes: Sequence[str] = (), variables: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """What the image does by default, with further arguments; end it with `stop`."""
        command = self._command([*self._start, *arguments], volumes, variables or {})
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            env=self._environment,
            start_new_session=True,
        )

    @staticmethod
    def terminate(process: subprocess.Popen[bytes]) -> int:
        """SIGTERM to the program, as a container engine does; its exit status."""
        inside = psutil.Process(process.pid).children(recursive=True)
        program = next(child for child in inside if child.name().startswith("python"))
        program.terminate()
        return process.wait(100)

    @staticmethod
    def stop(process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to it and to buildah around it."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _command(
        self, command: Sequence[str], volumes: Sequence[str], variables: dict[str, str]
    ) -> list[str]:
        options = [f"--volume={volume}" for volume in volumes]
        options += [f"--env={name}={value}" for name, value in variables.items()]
        return ["buildah", "run", *options, self._name, "--", *command]
