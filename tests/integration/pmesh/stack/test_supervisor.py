"""The supervisor with small real processes."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pmesh.stack.home import Home
from pmesh.stack.part import Job, Part
from pmesh.stack.processes import session_members
from pmesh.stack.status import State
from pmesh.stack.supervisor import PartsFailedError, Supervisor
from tests.integration.pmesh.stack.tiny import tiny_part
from tests.integration.pmesh.stack.waiting import is_ready_again, wait_for

Supervise = Callable[..., Supervisor]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@pytest.fixture
async def supervise(home: Home) -> AsyncIterator[Supervise]:
    supervisors: list[Supervisor] = []

    def make(*parts: Part) -> Supervisor:
        supervisor = Supervisor(
            parts, log=home.log, environment=home.environment, changed=lambda _: None
        )
        supervisors.append(supervisor)
        return supervisor

    yield make
    for supervisor in supervisors:
        await supervisor.kill()


async def test_parts_start_after_what_they_need_and_stop_before_it(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(
        tiny_part(home, "door", needs=("bus",)),
        tiny_part(home, "bus", needs=("store",)),
        tiny_part(home, "store"),
    )
    await supervisor.start()
    await supervisor.stop()
    events = (home.path / "journal").read_text().splitlines()
    assert events == [
        *("start store", "start bus", "start door"),
        *("stop door", "stop bus", "stop store"),
    ]


async def test_a_part_stops_before_what_it_uses_without_having_waited_for_it(
    home: Home, supervise: Supervise
) -> None:
    door_is_ready = (home.path / "door.ready").exists
    supervisor = supervise(
        tiny_part(home, "model", is_ready=door_is_ready), tiny_part(home, "door", uses=("model",))
    )
    await supervisor.start()
    await supervisor.stop()
    assert (home.path / "journal").read_text().splitlines()[2:] == ["stop door", "stop model"]


async def test_a_killed_part_is_restarted_and_its_status_says_so(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(tiny_part(home, "store"), tiny_part(home, "bus"))
    await supervisor.start()
    store, bus = supervisor.statuses
    assert store.pid is not None
    os.kill(store.pid, signal.SIGKILL)
    again = await wait_for(supervisor, "store", is_ready_again)
    assert again.pid != store.pid
    assert (again.restarts, again.last_exit) == (1, "killed by SIGKILL")
    assert supervisor.statuses[1] == bus


async def test_what_a_dead_part_left_running_ends_before_its_restart(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(tiny_part(home, "store", "breeds"))
    await supervisor.start()
    pid = supervisor.statuses[0].pid
    assert pid is not None
    assert len(session_members(pid)) == 2
    os.kill(pid, signal.SIGKILL)
    await wait_for(supervisor, "store", is_ready_again)
    assert session_members(pid) == []


async def test_a_part_that_keeps_dying_is_reported_and_the_others_go_on(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(tiny_part(home, "store"), tiny_part(home, "bus", "dies"))
    with pytest.raises(PartsFailedError, match="bus: exit code 3"):
        await supervisor.start()
    store, bus = supervisor.statuses
    assert (bus.state, bus.restarts) == (State.FAILED, 5)
    assert (store.state, store.restarts) == (State.READY, 0)


async def test_a_failed_part_recovers_when_its_cause_is_gone(
    home: Home, supervise: Supervise
) -> None:
    home.set_environment("bus", {"BEHAVIOUR": "dies"})
    supervisor = supervise(tiny_part(home, "bus"))
    with pytest.raises(PartsFailedError):
        await supervisor.start()
    home.set_environment("bus", {})
    await wait_for(supervisor, "bus", is_ready_again)


async def test_a_watched_part_that_does_not_answer_is_restarted(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(tiny_part(home, "store", watched=True))
    await supervisor.start()
    (home.path / "store.ready").unlink()
    again = await wait_for(supervisor, "store", is_ready_again)
    assert again.last_exit == "it did not answer any more"


async def test_a_part_that_is_not_ready_in_time_is_started_again(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(tiny_part(home, "store", is_ready=lambda: False, start_timeout_s=0.2))
    with pytest.raises(PartsFailedError, match="not ready after"):
        await supervisor.start()


async def test_a_part_whose_recipe_fails_is_reported_with_the_reason(
    home: Home, supervise: Supervise
) -> None:
    def provision() -> None:
        raise RuntimeError("no such table")

    supervisor = supervise(tiny_part(home, "store", after=provision))
    with pytest.raises(PartsFailedError, match="no such table"):
        await supervisor.start()


async def test_a_part_without_a_program_is_reported(home: Home, supervise: Supervise) -> None:
    supervisor = supervise(tiny_part(home, "store", command=("/no/such/program",)))
    with pytest.raises(PartsFailedError, match="store"):
        await supervisor.start()


async def test_the_stack_starts_without_waiting_for_a_background_part(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(
        tiny_part(home, "store"),
        tiny_part(home, "registry", is_ready=lambda: False, background=True),
    )
    await supervisor.start()
    assert [s.state for s in supervisor.statuses] == [State.READY, State.STARTING]


async def test_a_job_is_done_once_it_has_ended_and_is_not_started_again(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(
        Job(name="train", command=("true",)), tiny_part(home, "store", needs=("train",))
    )
    await supervisor.start()
    train, store = supervisor.statuses
    assert (train.state, train.restarts) == (State.DONE, 0)
    assert store.state is State.READY


async def test_a_job_that_fails_is_reported(home: Home, supervise: Supervise) -> None:
    supervisor = supervise(Job(name="train", command=("false",)))
    with pytest.raises(PartsFailedError, match="train: exit code 1"):
        await supervisor.start()


async def test_a_part_that_does_not_stop_is_killed_with_its_children(
    home: Home, supervise: Supervise
) -> None:
    supervisor = supervise(
        tiny_part(home, "door", "stubborn", stop_timeout_s=0.2), tiny_part(home, "store", "breeds")
    )
    await supervisor.start()
    sessions = [status.pid for status in supervisor.statuses]
    await supervisor.stop()
    assert [status.state for status in supervisor.statuses] == [State.STOPPED, State.STOPPED]
    assert [session_members(pid) for pid in sessions if pid is not None] == [[], []]
