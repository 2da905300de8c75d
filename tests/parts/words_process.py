"""The words server as a process, which can stand still, die and come back.

As a program it serves at the port that it is given, and writes a line when it does.
"""

import signal
import subprocess
import sys
from typing import Self

from tests.parts.ports import free_port
from tests.parts.words_server import words_server


class WordsProcess:
    """Answers for version 1 of any model inside `with`."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Serve, at the same port each time."""
        command = [sys.executable, "-m", "tests.parts.words_process", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "serves\n"

    def kill(self) -> None:
        """As a crash."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.wait()
        self._process.stdout.close()

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP has it stand still with its connections open."""
        assert self._process is not None
        self._process.send_signal(number)


if __name__ == "__main__":
    with words_server(model="*", port=int(sys.argv[1])):
        print("serves", flush=True)
        signal.pause()
