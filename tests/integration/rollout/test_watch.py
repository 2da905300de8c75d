"""The release process: it carries out what is accepted, wherever the one before it died."""

import os
from pathlib import Path

import pytest

from rollout.store import ReleaseStore
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import ALL, NAME, TEXTS, Workshop, in_code
from tests.parts.polling import wait_until

SLOW = "import time\nimport zlib\n\ntime.sleep(5)\n"
"""What a version does when its code is loaded."""


@pytest.fixture
def versions(workshop: Workshop) -> tuple[str, str]:
    """Two that are as good as each other; the first one serves."""
    first, second = (workshop.register(Model(version=n)) for n in range(2))
    workshop.release(first)
    return first, second


def test_a_release_is_carried_out_when_it_is_accepted(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    _, second = versions
    with workshop.watch(PMESH_ROLLOUT_POLL_S="1000") as process:
        wait_until(lambda: _listens(workshop))
        workshop.wait_for(workshop.accept(second, steps=[10, ALL]), "DONE")
        assert workshop.traffic() == {second: ALL}
    assert process.returncode == 0


def test_two_processes_share_the_work(workshop: Workshop, versions: tuple[str, str]) -> None:
    first, second = versions
    with workshop.watch(), workshop.watch():
        releases = []
        for version in (second, first, second, first):
            releases.append(workshop.accept(version, steps=[10, 100, 1_000, ALL]))
            workshop.wait_for(releases[-1], "DONE")
        assert [workshop.row(release)["steps_done"] for release in releases] == [4] * 4
    assert workshop.traffic() == {first: ALL}


def test_a_slow_gate_keeps_no_step_of_another_model_waiting(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    slow = workshop.register(Model(version=2), in_code("import zlib\n", SLOW))
    workshop.list_model("other", "1", "2")
    workshop.set_traffic("other", v1=ALL)
    step = workshop.accept("2", model="other", steps=[10, ALL])
    assert workshop.store.take_step(step)  # as after its gate
    workshop.query("SELECT releases_v1.pause_release(%s, '')", step)
    gate = workshop.accept(slow)
    with workshop.watch():
        workshop.wait_for(gate, "RUNNING")
        workshop.query("SELECT releases_v1.resume_release(%s, '')", step)
        workshop.wait_for(step, "DONE")
        assert workshop.row(gate)["state"] == "RUNNING"
        workshop.wait_for(gate, "DONE")


def test_a_model_that_others_hold_keeps_no_other_waiting(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    """Neither its steps nor its tidying up."""
    _, second = versions
    steps = []
    for model in ("held", "other"):
        workshop.list_model(model, "1", "2")
        workshop.set_traffic(model, v1=ALL)
        steps.append(workshop.accept("2", model=model, steps=[10, ALL]))
        assert workshop.store.take_step(steps[-1])  # as after its gate
    held, other = steps
    with workshop.connect() as connection:
        with ReleaseStore(connection).traffic_held("held"), workshop.watch() as process:
            workshop.wait_for(other, "DONE")
            workshop.wait_for(workshop.accept(second), "DONE")
            assert workshop.row(held)["steps_done"] == 1
        assert process.returncode == 0
    with workshop.watch():
        workshop.wait_for(held, "DONE")


PLACES = [
    "rollout.store:ReleaseStore.take_up:after",
    "rollout.gate:Gate.check:before",
    "triton_repo.writer:_write_content:after",
    "rollout.serving:write_version:after",
    "rollout.serving:Serving.bring_in:after",
    "rollout.serving:Serving.warm_up:before",
    "rollout.store:ReleaseStore.take_step:before",
    "rollout.store:ReleaseStore.take_step:after",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_release_goes_on_where_the_process_was_killed(
    workshop: Workshop, versions: tuple[str, str], place: str, tmp_path: Path
) -> None:
    first, second = versions
    steps = [10, 5_000, ALL]
    # Once for each time that the place is come to: at the gate once, at each step again.
    times = len(steps) if "take_step" in place else 1
    marker = tmp_path / "marker"
    release = workshop.accept(second, steps=steps)
    for death in range(1, times + 1):
        fault = workshop.fault(place, marker) | {"FAULT_TIMES": str(death)}
        with workshop.watch(**fault) as killed:
            assert killed.wait(200) == -9
        assert len(marker.read_text().splitlines()) == death
    with workshop.watch():
        workshop.wait_for(release, "DONE")
        wait_until(lambda: workshop.states()[first] == "SERVING")
    row = workshop.row(release)
    assert (row["steps_done"], row["shares"]) == (3, {second: ALL})
    assert workshop.traffic() == {second: ALL}
    workshop.settle()
    assert workshop.loaded() == {first, second}
    contents = workshop.serving.repository / NAME / ".content"
    laid = {(workshop.serving.repository / NAME / version).resolve() for version in versions}
    assert set(contents.iterdir()) == laid
    answered = workshop.ask(second, TEXTS[:2])["features"][:, 0]
    assert answered.tolist() == [1, 1]


def test_each_step_is_taken_once_however_often_the_process_is_killed(
    workshop: Workshop, versions: tuple[str, str], tmp_path: Path
) -> None:
    """It dies right after the commit of each step, and before the next one is looked for."""
    _, second = versions
    steps = [10, 100, 1_000, ALL]
    release = workshop.accept(second, steps=steps)
    workshop.releaser(workshop.registry).carry_on(NAME)
    fault = workshop.fault("rollout.store:ReleaseStore.take_step:after", tmp_path / "marker")
    for done in range(1, len(steps)):
        assert workshop.row(release)["steps_done"] == done
        assert workshop.traffic()[second] == steps[done - 1]
        with workshop.watch(**fault, FAULT_TIMES=str(done)) as killed:
            assert killed.wait(200) == -9
    assert workshop.row(release)["state"] == "DONE"
    assert workshop.traffic() == {second: ALL}


PLACES_OF_HOUSEKEEPING = [
    "rollout.store:ReleaseStore.drain_unused:after",
    "triton_repo.writer:remove_version:after",
    "inference.repository:RepositoryApi.load:before",
    "rollout.serving:sweep:before",
]


@pytest.mark.parametrize("place", PLACES_OF_HOUSEKEEPING)
def test_a_tidying_up_that_is_killed_goes_on(
    workshop: Workshop, versions: tuple[str, str], place: str, tmp_path: Path
) -> None:
    first, second = versions
    workshop.release(second)
    third = workshop.register(Model(version=2))
    workshop.release(third)  # now the first one is neither used nor the way back
    marker = tmp_path / "marker"
    with workshop.watch(**workshop.fault(place, marker)) as killed:
        assert killed.wait(200) == -9
    assert len(marker.read_text().splitlines()) == 1
    workshop.settle()
    assert workshop.traffic() == {third: ALL}
    assert workshop.states() == {first: "RETIRED", second: "SERVING", third: "SERVING"}
    assert workshop.loaded() == {second, third}


def _listens(workshop: Workshop) -> bool:
    listening = "SELECT FROM pg_stat_activity WHERE query = 'LISTEN release_due'"
    return bool(workshop.query(listening))


def test_it_tells_that_it_goes_on(workshop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    with workshop.watch(PMESH_HEARTBEAT=str(file), PMESH_ROLLOUT_POLL_S="0.2"):
        wait_until(file.exists)
        os.utime(file, (0, 0))
        wait_until(lambda: file.stat().st_mtime > 0)
