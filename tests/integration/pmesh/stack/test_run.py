"""A stack of small parts as a program: signals, its lock, and what a killed one leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmesh.stack.home import Home
from pmesh.stack.processes import session_members, start_time
from pmesh.stack.status import StackStatus, State, read_status
from tests.parts.polling import wait_until

ROOT = Path(__file__).parents[4]


class TinyStack:
    """A run of tiny.py."""

    def __init__(self, home: Home, *behaviours: str) -> None:
        self.home = home
        self._log = home.path.with_name(f"log-{len(list(home.path.parent.iterdir()))}")
        module = "tests.integration.pmesh.stack.tiny"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(home.path), *behaviours], cwd=ROOT, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def status(self) -> StackStatus:
        status = read_status(self.home.status)
        assert status is not None
        return status

    def wait_for(self, state: State) -> StackStatus:
        wait_until(lambda: self.home.status.exists() and self.status.state is state)
        assert self.status.pid == self.process.pid
        return self.status

    def wait_ready(self) -> list[int]:
        """The sessions of its parts."""
        pids = [part.pid for part in self.wait_for(State.READY).parts]
        return [pid for pid in pids if pid is not None]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit status."""
        return self.process.wait(100)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    status = read_status(home.status)
    for pid in [status.pid, *(p.pid for p in status.parts)] if status else []:
        if pid is not None and start_time(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def left(sessions: list[int]) -> list[int]:
    return [pid for session in sessions for pid in session_members(session)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_parts_and_leaves_no_process(home: Home, number: signal.Signals) -> None:
    stack = TinyStack(home, "bus=breeds")
    sessions = stack.wait_ready()
    assert len(left(sessions)) == 4
    stack.signal(number)
    assert stack.end() == 0
    assert left(sessions) == []
    assert stack.status.state is State.STOPPED


def test_a_signal_during_the_start_stops_what_was_started(home: Home) -> None:
    home.create()
    stack = TinyStack(home, "bus=dies")
    wait_until(lambda: home.status.exists() and stack.status.part("bus").restarts > 0)
    store = stack.status.part("store").pid
    assert store is not None
    stack.signal(signal.SIGINT)
    assert stack.end() == 0
    assert left([store]) == []


def test_a_second_signal_kills_what_does_not_stop(home: Home) -> None:
    stack = TinyStack(home, "door=stubborn")
    sessions = stack.wait_ready()
    stack.signal(signal.SIGINT)
    stack.wait_for(State.STOPPING)
    stack.signal(signal.SIGINT)
    assert stack.end() == 0
    assert left(sessions) == []


def test_a_stack_that_cannot_start_ends_with_the_reason_and_leaves_no_process(home: Home) -> None:
    stack = TinyStack(home, "bus=dies")
    assert stack.end() == 1
    assert stack.log == "bus: exit code 3\n"
    assert stack.status.state is State.FAILED
    assert stack.status.failed == ["bus"]
    assert [part.pid for part in stack.status.parts] == [None, None, None]


def test_the_parts_of_a_killed_supervisor_stop(home: Home) -> None:
    stack = TinyStack(home)
    sessions = stack.wait_ready()
    stack.signal(signal.SIGKILL)
    stack.end()
    wait_until(lambda: left(sessions) == [])


def test_the_next_start_ends_what_a_killed_supervisor_left(home: Home) -> None:
    stack = TinyStack(home, "bus=breeds")
    sessions = stack.wait_ready()
    grandchild = int((home.path / "grandchild").read_text())
    stack.signal(signal.SIGKILL)
    stack.end()
    wait_until(lambda: left(sessions) == [grandchild])
    after = TinyStack(home)
    wait_until(lambda: stack.status.pid == after.process.pid)
    after.wait_ready()
    assert left(sessions) == []
    after.signal(signal.SIGTERM)
    assert after.end() == 0


def test_a_part_may_come_and_go_while_the_others_run(home: Home) -> None:
    stack = TinyStack(home)
    sessions = stack.wait_ready()

    def guests() -> list[State]:
        return [part.state for part in stack.status.parts if part.name == "guest"]

    for _ in range(2):
        (home.path / "invitation").touch()
        stack.signal(signal.SIGUSR1)
        wait_until(lambda: guests() == [State.READY])
        (home.path / "invitation").unlink()
        stack.signal(signal.SIGUSR1)
        wait_until(lambda: guests() == [])
    assert stack.wait_ready() == sessions
    assert (home.path / "journal").read_text().splitlines()[3:] == ["start guest", "stop guest"] * 2
    (home.path / "invitation").touch()
    stack.signal(signal.SIGUSR1)
    wait_until(lambda: guests() == [State.READY])
    sessions = stack.wait_ready()
    assert len(sessions) == 4
    stack.signal(signal.SIGTERM)
    assert stack.end() == 0
    assert left(sessions) == []


def test_a_second_stack_on_the_same_directory_is_refused(home: Home) -> None:
    stack = TinyStack(home)
    stack.wait_ready()
    second = TinyStack(home)
    assert second.end() == 1
    assert f"a stack is running on {home.path}" in second.log
    assert stack.process.poll() is None
    stack.signal(signal.SIGTERM)
    assert stack.end() == 0
