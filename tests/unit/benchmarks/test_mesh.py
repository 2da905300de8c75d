"""A stack of any revision, as its data directory tells of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from benchmarks.checkout import Checkout
from benchmarks.mesh import Mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    home = tmp_path / "home"
    home.mkdir()
    return Mesh(Checkout(name="HEAD", path=tmp_path), home, port=1)


def say(mesh: Mesh, pid: int, *parts: tuple[str, str, int | None]) -> None:
    """Write a status with fields that no code here knows."""
    said = [{"name": n, "state": s, "pid": p, "mood": "good"} for n, s, p in parts]
    status = {"pid": pid, "parts": said, "weather": "fair"}
    (mesh.home / "status.json").write_text(json.dumps(status))


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def words_of(processes: Sequence[psutil.Process]) -> list[str]:
    """Of their command lines."""
    return [word for process in processes for word in process.cmdline()]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child."""
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    with subprocess.Popen((sys.executable, "-c", code), start_new_session=True) as process:
        # Until then it is a copy of its parent, which waits for it and cannot be stopped.
        wait_until(lambda: "sleep" in words_of(psutil.Process(process.pid).children()))
        yield process
        os.killpg(process.pid, 9)


def test_all_parts_that_run_count_but_mlflow(mesh: Mesh) -> None:
    say(mesh, 1, ("gateway", "ready", 5), ("mlflow", "ready", 6), ("training", "done", None))

    assert mesh.parts() == {"gateway": 5}


def test_progress_counts_parts_that_are_ready_and_jobs_that_are_done(mesh: Mesh) -> None:
    assert mesh.progress() == (0, 1)
    assert not mesh.has_started_all()

    say(mesh, 1, ("gateway", "ready", 5), ("relay", "waiting", None), ("training", "done", None))
    assert mesh.progress() == (2, 3)
    assert not mesh.has_started_all()

    say(mesh, 1, ("gateway", "ready", 5), ("relay", "starting", 7))
    assert mesh.has_started_all()


def test_triton_is_found_by_what_it_was_started_with(mesh: Mesh) -> None:
    words = ("--grpc-address=unix:/run/triton", "--allow-http=false", "--grpc-port=1")
    command = ("sh", "-c", "sleep 60 & wait", *words)
    with subprocess.Popen(command, start_new_session=True) as process:
        say(mesh, 1, ("triton", "ready", process.pid))
        try:
            wait_until(lambda: words[0] in words_of([psutil.Process(process.pid)]))
            assert mesh.triton == "unix:/run/triton:1"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_paused_stack_rests_as_a_whole_and_goes_on(
    mesh: Mesh, sleeper: "subprocess.Popen[bytes]"
) -> None:
    say(mesh, sleeper.pid)
    processes = [psutil.Process(sleeper.pid), *psutil.Process(sleeper.pid).children()]
    assert len(processes) == 2

    with mesh.paused():
        wait_until(lambda: all(p.status() == psutil.STATUS_STOPPED for p in processes))
    wait_until(lambda: all(p.status() == psutil.STATUS_SLEEPING for p in processes))


def test_a_process_goes_on_before_those_that_look_after_it(
    mesh: Mesh, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    say(mesh, sleeper.pid)
    (child,) = psutil.Process(sleeper.pid).children()
    went_on: list[tuple[int, float]] = []
    resume = psutil.Process.resume

    def note(process: psutil.Process) -> None:
        went_on.append((process.pid, time.monotonic()))
        resume(process)

    monkeypatch.setattr(psutil.Process, "resume", note)
    with mesh.paused():
        pass

    (first, first_at), (last, last_at) = went_on
    assert (first, last) == (child.pid, sleeper.pid)
    assert last_at > first_at + 0.1  # time to show itself
