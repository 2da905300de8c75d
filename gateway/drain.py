"""How the launcher tells the application inside Envoy of its end: by an inherited pipe."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from enum import Enum


class Stage(Enum):
    """A step of the drain, as the byte that announces it."""

    LEAVING = b"l"
    """Nothing is ready any more; all is served still."""
    DRAINING = b"d"
    """Who waits is answered, streams end."""
    OVER = b""
    """What is left is refused: the pipe's end, so that it also follows the launcher's."""


class DrainPipe:
    """The launcher's end."""

    def __init__(self) -> None:
        self.application_fd, self._fd = os.pipe()
        """Of the end that the application inherits."""

    def tell(self, stage: Stage) -> None:
        """Announce a stage."""
        if stage is Stage.OVER:
            os.close(self._fd)
        else:
            with suppress(BrokenPipeError):  # the application has ended
                os.write(self._fd, stage.value)


def listen(fd: int, on_stage: Callable[[Stage], None]) -> None:
    """Have the running loop tell of each stage, in the application."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        stage = Stage(os.read(fd, 1))
        if stage is Stage.OVER:
            loop.remove_reader(fd)
            os.close(fd)
        on_stage(stage)

    loop.add_reader(fd, read)
