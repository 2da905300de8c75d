"""Programs that run beside the tests, each with a log of its own."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.parts.polling import wait_until


class Process:
    """One program; its standard output and error go to a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """directory: where it runs, and where its log lies. environment: besides PATH and HOME."""
        self._command = command
        self._directory = directory
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **(environment or {}),
        }
        self._log = directory / f"{Path(command[0]).name}.log"

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command],
                cwd=self._directory,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # with what it starts itself
            )
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Returns once it is; fails, with the end of its log, where it ends or never is."""

        def ready() -> bool:
            assert self._process.poll() is None, self.log()
            return is_ready()

        try:
            wait_until(ready)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.log()}") from error

    def log(self) -> str:
        """Its end, without what pilot-agent writes each time that it is asked."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if "proxy is NOT ready" not in line][-30:])
