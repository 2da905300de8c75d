"""Starts, watches and stops a stack from outside: what the command line and the tests use."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pmesh.stack.home import Home
from pmesh.stack.logs import last_lines
from pmesh.stack.status import PartStatus, StackStatus, State, is_alive, read_status

_POLL_S = 0.1


class StackFailedError(Exception):
    """The stack did not start, or ended while it was waited for."""


class Stack:
    """The stack on one data directory, running or not."""

    def __init__(
        self,
        home: Path,
        *,
        gateway_port: int = 8080,
        auth: bool = False,
        replicas: bool = False,
        observe: bool = False,
    ) -> None:
        """Of one that is started from here, auth: whether callers need tokens; replicas: whether it
        has several of what may be several, see replicas.py; observe: whether it has what shows
        metrics and traces, see observers.py."""
        self.home = Home(home)
        self._auth = auth
        self._gateway_port = gateway_port
        self._replicas = replicas
        self._observe = observe
        self._supervisor: subprocess.Popen[bytes] | None = None

    def status(self) -> StackStatus | None:
        """How it stands; None if it does not run."""
        status = read_status(self.home.status)
        return status if status is not None and is_alive(status) else None

    def launch(self, *, detached: bool = False) -> None:
        """Start its supervisor, which ends with this process unless detached."""
        self.home.create()
        prefix = () if detached else ("setpriv", "--pdeathsig", "TERM")
        module = (sys.executable, "-P", "-m", "pmesh.stack")
        options = (
            *(["--auth"] * self._auth),
            *(["--replicas"] * self._replicas),
            *(["--observe"] * self._observe),
        )
        arguments = (str(self.home.path), str(self._gateway_port), *options)
        self.home.log("supervisor").unlink(missing_ok=True)
        with self.home.log("supervisor").open("ab") as log:
            self._supervisor = subprocess.Popen(
                (*prefix, *module, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is not for it
                cwd=self.home.path,  # Triton's Python imports from there, whatever its flags
            )

    def follow(self) -> Iterator[StackStatus]:
        """Each status of the stack that `launch` started, until the supervisor ends."""
        assert self._supervisor is not None
        last, ended = None, False
        while not ended:
            ended = self._supervisor.poll() is not None
            status = read_status(self.home.status)
            if status is not None and status.pid == self._supervisor.pid and status != last:
                yield status
                last = status
            time.sleep(_POLL_S)

    def start(self) -> None:
        """Launch it and return once it is ready. Raises StackFailedError."""
        self.launch()
        if not any(status.state is State.READY for status in self.follow()):
            raise StackFailedError(self.last_words())

    def interrupt(self) -> None:
        """Ask it to stop; a second time: to kill its parts."""
        if self._supervisor is not None:
            self._supervisor.terminate()
        elif (status := self.status()) is not None:
            os.kill(status.pid, signal.SIGTERM)

    def change_parts(self) -> None:
        """Have it look again which parts it has. Raises StackFailedError when nothing runs."""
        if (status := self.status()) is None:
            raise StackFailedError(f"no stack runs on {self.home.path}")
        os.kill(status.pid, signal.SIGUSR1)

    def stop(self, *, timeout_s: float = 60) -> None:
        """Stop it and return once it has ended. Raises TimeoutError."""
        self.interrupt()
        until = time.monotonic() + timeout_s
        while self.status() is not None:
            if time.monotonic() > until:
                raise TimeoutError(f"the stack has not stopped within {timeout_s:.0f} s")
            time.sleep(_POLL_S)
        if self._supervisor is not None:
            self._supervisor.wait()

    def part(self, name: str) -> PartStatus:
        """How one part stands. Raises KeyError, and StackFailedError when nothing runs."""
        if (status := self.status()) is None:
            raise StackFailedError(f"no stack runs on {self.home.path}")
        return status.part(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a running part's process; its pid."""
        pid = self.part(name).pid
        if pid is None:
            raise StackFailedError(f"{name} does not run")
        os.kill(pid, number)
        return pid

    def set_environment(self, name: str, environment: Mapping[str, str]) -> None:
        """What is added to the environment of one part from its next start on."""
        self.home.set_environment(name, environment)

    def last_words(self) -> str:
        """What the supervisor wrote last."""
        return "\n".join(last_lines(self.home.log("supervisor"), 10))
