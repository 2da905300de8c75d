"""Starts stacks side by side, and ends them whatever happens."""

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.mesh import Mesh

_POLL_S = 0.3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def running(meshes: Sequence[Mesh], console: Console) -> Iterator[None]:
    """Start the stacks, models trained; stop them at the end. Raises MeshFailedError."""
    try:
        with _progress(console) as progress:
            _start(meshes, progress)
        yield
    finally:
        with undisturbed(), console.status("stopping"), ThreadPoolExecutor() as pool:
            list(pool.map(Mesh.stop, meshes))


@contextmanager
def undisturbed() -> Iterator[None]:
    """What must be ended is ended, however often Ctrl-C is pressed meanwhile."""
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _start(meshes: Sequence[Mesh], progress: Progress) -> None:
    tasks = [progress.add_task(f"starting {mesh.name}, which first trains") for mesh in meshes]
    launched = 0
    while not (launched == len(meshes) and all(mesh.is_up() for mesh in meshes)):
        # One after the other has taken its ports: both choose among those that are free.
        if launched < len(meshes) and all(m.has_started_all() for m in meshes[:launched]):
            meshes[launched].launch()
            launched += 1
        for mesh, task in zip(meshes[:launched], tasks[:launched], strict=True):
            mesh.is_up()
            ready, parts = mesh.progress()
            progress.update(task, completed=ready, total=parts)
        time.sleep(_POLL_S)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} parts"),
        TimeElapsedColumn(),
        console=console,
    )
