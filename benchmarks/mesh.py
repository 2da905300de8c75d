"""A stack that was started from a checkout by that checkout's own command line.

What is read of it is what every revision has: `pmesh up` and `down`, status.json in the data
directory, and the command line of its Triton.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from benchmarks.checkout import Checkout, environment
from benchmarks.processes import Parts, tree

_READY = {"ready", "done"}
_STOP_S = 120.0
_SHOW_S = 0.3
_STOPS = 2
"""The second time `pmesh down` kills what has not ended."""
_NOT_SERVING = "mlflow"
"""No prediction takes time of it."""


class MeshFailedError(Exception):
    """A stack did not start; says what it wrote last."""


class Mesh:
    """One stack, with a data directory of its own."""

    def __init__(
        self,
        checkout: Checkout,
        home: Path,
        *,
        port: int,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """variables: of the environment in which it is started, in addition."""
        self.checkout = checkout
        self.home = home
        self.gateway = f"127.0.0.1:{port}"
        self._port = port
        self._variables = variables
        self._log = home.with_suffix(".log")
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Of its checkout, for people."""
        return self.checkout.name

    @property
    def triton(self) -> str:
        """Where its Triton listens for gRPC: host:port, or unix: and the path of a socket."""
        words = psutil.Process(self.parts()["triton"]).cmdline()
        flags = dict(word.removeprefix("--").partition("=")[::2] for word in words)
        # Triton writes both alike: a socket is a path, a colon and the "port".
        return f"{flags['grpc-address']}:{flags['grpc-port']}"

    def parts(self) -> Parts:
        """The running parts that predictions may take time of."""
        parts = self.status()["parts"]
        return {p["name"]: p["pid"] for p in parts if p["pid"] and p["name"] != _NOT_SERVING}

    def status(self) -> dict[str, Any]:
        """What the supervisor says: its pid, and the name, state and pid of each part."""
        with suppress(FileNotFoundError):
            status: dict[str, Any] = json.loads((self.home / "status.json").read_text())
            return status
        return {"pid": None, "parts": []}

    def launch(self) -> None:
        """Start it; `is_up` tells when it runs."""
        with self._log.open("wb") as log:
            self._up = subprocess.Popen(
                self._command("up", "--detach", "--port", str(self._port)),
                cwd=self.checkout.path,
                env=environment() | dict(self._variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is for `stop` to pass on
            )

    def is_up(self) -> bool:
        """Whether everything runs and has answered. Raises MeshFailedError."""
        assert self._up is not None
        if self._up.poll():
            said = self._log.read_text(errors="replace").strip()[-1500:]
            raise MeshFailedError(
                f"{said}\n\nThe stack of {self.name} did not start. If a port was taken or the"
                " machine too busy, another run may go well; `pmesh doctor` looks for the rest."
            )
        return self._up.returncode == 0

    def progress(self) -> tuple[int, int]:
        """Parts that are ready, and all of them; 0 of 1 before it says anything."""
        states = [part["state"] for part in self.status()["parts"]]
        return sum(state in _READY for state in states), len(states) or 1

    def has_started_all(self) -> bool:
        """Whether no part waits any more for those that it needs."""
        states = [part["state"] for part in self.status()["parts"]]
        return bool(states) and "waiting" not in states

    def stop(self) -> None:
        """End it, however far it has come."""
        if self._up is None:
            return
        self._resume()
        if self._up.poll() is None:
            self._up.terminate()  # it stops the stack, and then ends
            with suppress(subprocess.TimeoutExpired):
                self._up.wait(_STOP_S)
        for _ in range(_STOPS):
            if not self._processes():
                return
            subprocess.run(
                self._command("down"),
                cwd=self.checkout.path,
                env=environment(),
                capture_output=True,
                check=False,
            )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without any work of it, so that another has the machine to itself."""
        try:
            # The supervisor first: it would take a part that is stopped for a dead one.
            for process in self._processes():
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            self._resume()

    def _resume(self) -> None:
        """The processes at the end of the tree first: Triton's backend looks whether those of the
        models have shown themselves meanwhile, and falls when it finds that they have not."""
        processes = self._processes()
        parents = {_parent(process) for process in processes}
        _continue([process for process in processes if process.pid not in parents])
        time.sleep(_SHOW_S)
        _continue([process for process in reversed(processes) if process.pid in parents])

    def _processes(self) -> list[psutil.Process]:
        """The supervisor, and all below it; nothing if it does not run."""
        pid = self.status()["pid"]
        with suppress(psutil.NoSuchProcess):
            return tree(pid) if pid else []
        return []

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (*self.checkout.command(*arguments), "--home", str(self.home))


def _parent(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return process.ppid()
    return 0


def _continue(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()
