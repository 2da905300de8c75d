"""Works off the trainings that were asked for, each in a process of its own.

What a training makes is a version like any other: it gets no traffic before somebody releases it.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import IO

import psycopg

from contract.logs import about
from telemetry.spans import Span, span
from training import metrics
from training.store import TakenTraining, TrainingStore

POLL_S = 0.5
"""Between looks at a process: whether it has ended, and whether it is to."""
STOP_S = 10.0
"""From being asked to end until it is killed."""
LOOK_S = 15.0
"""Between looks at what waits, while one is trained."""
MAX_ERROR = 1_000  # characters
TAIL = 64 * 1024  # bytes of what a training says


class Stopped(Exception):
    """The training is not over, and left to who takes it next."""


def work_off(
    store: TrainingStore,
    *,
    model: str,
    timeout_s: float,
    stop: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Carry out what is asked for, one after the other, until nothing is or `stop` says so.

    model: of which; "" for all. timeout_s: for each; then it has failed. Raises psycopg.Error.
    """
    while not stop() and (task := store.take(model)):
        metrics.read(store, model)
        begun = time.monotonic()
        with about(model=task.model), _span(task) as training:
            tell(f"{task.model}: training from labels, as {task.id} asks for")
            try:
                version, error = _train(task, timeout_s, stop, partial(_look, store, model))
            except Stopped:
                return
            store.finish(task, version=version, error=error)
            if version:
                training.set("pmesh.version", version)
            else:
                training.fail("failed")
            tell(f"{task.model}: {f'version {version} is registered' if version else error}")
        outcome = "succeeded" if version else "failed"
        metrics.count(task.model, outcome, time.monotonic() - begun)
    metrics.read(store, model)


def _span(task: TakenTraining) -> Span:
    return span(f"train {task.model}", attributes={"pmesh.model": task.model})


def _look(store: TrainingStore, model: str) -> None:
    """At what waits; a training does not end because that cannot be seen."""
    try:
        metrics.read(store, model)
    except psycopg.Error:
        metrics.forget()


def _train(
    task: TakenTraining, timeout_s: float, stop: Callable[[], bool], look: Callable[[], None]
) -> tuple[str, str]:
    """The version that it has registered, or why there is none. look: called now and then."""
    # It ends with this process: who takes the training next would otherwise find it at work.
    command = ("setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-m", "training.train")
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        process = subprocess.Popen(
            (*command, task.model, "--from-labels"),
            env={**os.environ, "PMESH_RETRAINING": str(task.id)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
        )
        begun = looked = time.monotonic()
        try:
            while process.poll() is None:
                if stop():
                    raise Stopped
                now = time.monotonic()
                if now - begun > timeout_s:
                    return "", f"it took longer than {timeout_s:g} s"
                if now - looked > LOOK_S:
                    look()
                    looked = now
                time.sleep(POLL_S)
        finally:
            _end(process)
        if process.returncode == 0:
            return _last_line(said), ""
        return "", _why(task.model, process.returncode, _last_line(complained))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _why(model: str, code: int, last_line: str) -> str:
    """What the training said itself. What ended it unforeseen may quote a text, so only how."""
    ours = f"{model} was not trained: "
    if last_line.startswith(ours):
        return last_line.removeprefix(ours)[:MAX_ERROR]
    if code < 0:
        return f"the training was killed by {signal.Signals(-code).name}"
    return (
        f"the training ended with exit status {code}; `pmesh train {model} --from-labels` says why"
    )


def _last_line(file: IO[bytes]) -> str:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - TAIL, 0))
    lines = file.read().decode("utf-8", "replace").replace("\0", "").splitlines()
    return lines[-1] if lines else ""
