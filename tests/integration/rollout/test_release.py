"""Versions come into service, share the traffic, and go."""

from pathlib import Path

import psycopg
import pytest
from rollout.traffic import NothingToDo, promote, roll_back

from modelkit.abstract_model import Example
from rollout.refusal import Reason, Refused
from rollout.release import Busy, TakenOver
from rollout.store import ModelNotRegistered, ReleaseStore
from rollout.tidy import tidy
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import EXAMPLES, IDLE_S, NAME, TEXTS, Workshop, in_code
from tests.parts.ports import free_port
from tests.parts.requests import accept


@pytest.fixture
def versions(workshop: Workshop) -> list[str]:
    """Three that are as good as each other; the first one serves."""
    versions = [workshop.register(Model(version=n)) for n in range(3)]
    workshop.release(versions[0])
    return versions


def test_a_canary_gets_its_share_and_is_promoted(workshop: Workshop, versions: list[str]) -> None:
    first, second, _ = versions
    workshop.release(second, steps=[10])
    assert workshop.store.traffic(NAME) == {first: 90, second: 10}
    assert promote(workshop.store, NAME, actor="anna", reason="it does well") == second
    assert workshop.store.traffic(NAME) == {second: 100}
    last = workshop.last_release()
    assert (last["action"], last["actor"], last["reason"]) == ("PROMOTE", "anna", "it does well")
    with pytest.raises(NothingToDo):
        promote(workshop.store, NAME, actor="anna", reason="")


def test_steps_follow_each_other(workshop: Workshop, versions: list[str]) -> None:
    workshop.release(versions[1], steps=[10, 50, 100])
    assert workshop.store.traffic(NAME) == {versions[1]: 100}
    assert workshop.last_release()["state"] == "DONE"


def test_a_rollback_is_one_transaction_and_the_version_drains(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    assert roll_back(workshop.store, NAME, actor="anna", reason="bad") == {first: 100}
    assert workshop.store.traffic(NAME) == {first: 100}
    assert workshop.states()[second] == "DRAINING"
    assert second in workshop.loaded()  # it may be in the midst of a call
    workshop.settle()
    assert workshop.loaded() == {first}
    assert workshop.states()[second] == "RETIRED"
    with pytest.raises(NothingToDo):
        roll_back(workshop.store, NAME, actor="anna", reason="")
    workshop.release(second)  # it may come again
    assert workshop.store.traffic(NAME) == {second: 100}


def test_only_what_is_used_or_is_the_way_back_stays_loaded(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, third = versions
    workshop.release(second)
    workshop.settle()
    assert workshop.loaded() == {first, second}
    workshop.release(third)
    workshop.settle()
    assert workshop.loaded() == {second, third}
    assert workshop.states() == {first: "RETIRED", second: "SERVING", third: "SERVING"}
    contents = {path.resolve().name for path in workshop.serving.repository.glob(f"{NAME}/[0-9]*")}
    assert {path.name for path in (workshop.serving.repository / NAME / ".content").iterdir()} == (
        contents
    )


def test_a_version_with_unfinished_work_is_not_unloaded(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    accept(workshop.connection, ["a text"], model=NAME, version=second)
    roll_back(workshop.store, NAME, actor="anna", reason="")
    workshop.connection.execute("UPDATE versions SET update_time = now() - interval '1 hour'")
    tidy(workshop.store, workshop.serving, NAME, idle_s=IDLE_S)
    assert workshop.loaded() == {first, second}
    workshop.connection.execute("UPDATE requests SET state = 'SUCCEEDED'")
    workshop.settle()
    assert workshop.loaded() == {first}


@pytest.mark.parametrize("way", ["rollback", "set_traffic"])
def test_a_stepped_release_stops_when_somebody_else_moves_the_traffic(
    workshop: Workshop, versions: list[str], way: str
) -> None:
    first, second, _ = versions

    def meanwhile(said: str) -> None:
        if "next step" not in said:
            return
        if way == "rollback":
            roll_back(workshop.store, NAME, actor="anna", reason="errors")
        else:  # as the gateway does
            release = workshop.store.begin(NAME, "", "SET_TRAFFIC", actor="api", reason="")
            workshop.store.move_traffic(NAME, {first: 100}, release)
            workshop.store.done(release)

    with pytest.raises(TakenOver):
        workshop.release(second, steps=[10, 100], tell=meanwhile)
    assert workshop.store.traffic(NAME) == {first: 100}
    ((state, detail),) = workshop.query(
        "SELECT state::text, detail FROM releases WHERE version = %s AND action = 'RELEASE'", second
    )
    assert (state, detail) == ("INTERRUPTED", "somebody moved the traffic")


def test_a_rollback_during_the_checks_stands(workshop: Workshop, versions: list[str]) -> None:
    first, second, third = versions
    workshop.release(second)

    def meanwhile(said: str) -> None:
        if said.startswith("warming up"):
            roll_back(workshop.store, NAME, actor="anna", reason="errors")

    with pytest.raises(TakenOver):
        workshop.release(third, tell=meanwhile)
    assert workshop.store.traffic(NAME) == {first: 100}
    workshop.settle()
    assert workshop.loaded() == {first}


def test_a_version_that_drains_goes_on_draining_when_its_release_is_refused(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    roll_back(workshop.store, NAME, actor="anna", reason="")
    with pytest.raises(Refused):
        workshop.release(second, uri=f"http://127.0.0.1:{free_port()}")
    assert workshop.states() == {first: "SERVING", second: "DRAINING"}
    assert workshop.loaded() == {first, second}


def test_a_version_whose_files_are_lost_is_brought_again(
    workshop: Workshop, versions: list[str]
) -> None:
    first = versions[0]
    workshop.serving.take_out(NAME, [first])
    assert workshop.loaded() == set()
    workshop.release(first)
    assert workshop.loaded() == {first}


def test_a_champion_that_fails_does_not_keep_others_out(workshop: Workshop) -> None:
    fails_on_it = in_code("right = ", "assert text != 'tweet unseen'\n        right = ")
    champion = workshop.register(Model(version=7), fails_on_it)
    workshop.release(champion)
    unseen = Example("tweets-unseen", "tweet unseen")
    workshop.release(workshop.register(examples=[*EXAMPLES, unseen]))
    assert f"version {champion} cannot answer" in workshop.last_release()["detail"]


def test_a_champion_that_crashes_is_no_leave_to_be_worse(workshop: Workshop) -> None:
    dies_of_it = in_code("right = ", "text != 'tweet unseen' or exit_process(1)\n        right = ")
    imports = in_code("import zlib\n", "import zlib\nfrom os import _exit as exit_process\n")
    champion = workshop.register(Model(version=7), dies_of_it, imports)
    workshop.release(champion)
    unseen = Example("tweets-unseen", "tweet unseen")
    version = workshop.register(Model(skill=0.2), examples=[*EXAMPLES, unseen])
    with pytest.raises(Refused) as refused:
        workshop.release(version)
    assert refused.value.reason == Reason.CHAMPION_SILENT
    assert workshop.states() == {champion: "SERVING", version: "RETIRED"}


def test_the_way_back_must_answer_to_be_released_again(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    workshop.triton.kill_stub(NAME, first)
    with pytest.raises(Refused) as refused:
        workshop.release(first)
    assert refused.value.reason == Reason.WARM_UP_FAILED
    assert workshop.store.traffic(NAME) == {second: 100}


def test_a_number_that_stands_for_other_files_is_refused(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    roll_back(workshop.store, NAME, actor="anna", reason="")
    link = workshop.serving.artifact(NAME, second)
    link.unlink()
    link.symlink_to(workshop.serving.artifact(NAME, first).readlink())
    with pytest.raises(Refused) as refused:
        workshop.release(second)
    assert refused.value.reason == Reason.VERSION_EXISTS
    assert workshop.states() == {first: "SERVING", second: "DRAINING"}


def test_a_release_that_has_ended_holds_nothing(workshop: Workshop, versions: list[str]) -> None:
    workshop.release(versions[1], steps=[10, 100])
    assert workshop.query("SELECT model FROM release_locks") == []
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assert workshop.query(locks) == [(0,)]


def test_one_process_at_a_time_releases_a_model(workshop: Workshop, versions: list[str]) -> None:
    with (
        psycopg.connect(workshop.connection.info.dsn, autocommit=True) as connection,
        ReleaseStore(connection).lock(NAME) as held,
    ):
        assert held
        with pytest.raises(Busy):
            workshop.release(versions[1])
    workshop.release(versions[1])


@pytest.mark.parametrize("name", ["genre", "genre@", "genre@0", "genre@007", "genre@" + "9" * 20])
def test_what_names_no_version_is_refused_before_anything_is_noted(
    workshop: Workshop, name: str
) -> None:
    done = workshop.run("release", name)
    assert done.returncode == 2
    assert "names no version" in done.stderr
    assert workshop.query("SELECT * FROM releases") == []


def test_a_model_that_is_not_listed_is_refused(workshop: Workshop) -> None:
    with pytest.raises(ModelNotRegistered):
        promote(workshop.store, "nosuch", actor="anna", reason="")
    done = workshop.run("release", "nosuch@1")
    assert done.returncode == 1
    assert "there is no model 'nosuch'" in done.stderr.splitlines()[-1]


PLACES = [
    "rollout.gate:Gate.check:before",
    "triton_repo.writer:_write_content:after",
    "rollout.serving:write_version:after",
    "rollout.serving:Serving.bring_in:after",
    "rollout.serving:Serving.warm_up:before",
    "rollout.store:ReleaseStore.move_traffic:before",
    "rollout.store:ReleaseStore.move_traffic:after",
    "rollout.store:ReleaseStore.done:before",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_release_that_is_killed_at_any_step_is_completed_or_undone(
    workshop: Workshop, versions: list[str], place: str, tmp_path: Path
) -> None:
    first, second, _ = versions
    marker = tmp_path / "marker"
    killed = workshop.run("release", f"{NAME}@{second}", **workshop.fault(place, marker))
    assert killed.returncode == -9, killed.stderr
    assert len(marker.read_text().splitlines()) == 1
    traffic = workshop.store.traffic(NAME)
    assert traffic in ({first: 100}, {second: 100})

    workshop.settle()
    assert workshop.store.traffic(NAME) == traffic
    assert workshop.last_release()["state"] == "INTERRUPTED"
    serving = {version for version, state in workshop.states().items() if state == "SERVING"}
    assert serving == ({first, second} if traffic == {second: 100} else {first})
    assert workshop.loaded() == serving

    workshop.release(second)
    assert workshop.store.traffic(NAME) == {second: 100}
    assert workshop.loaded() == {first, second}
    contents = workshop.serving.repository / NAME / ".content"
    laid = {(workshop.serving.repository / NAME / version).resolve() for version in (first, second)}
    assert set(contents.iterdir()) == laid
    answered = workshop.ask(second, TEXTS[:2])["features"][:, 0]
    assert answered.tolist() == [1, 1]
