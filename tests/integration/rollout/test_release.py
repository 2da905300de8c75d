"""Versions come into service, share the traffic, and go."""

import os
from collections.abc import Callable

import psycopg
import pytest

from modelkit import isolation, sandbox
from modelkit.abstract_model import Example
from rollout.refusal import Reason, Refused
from rollout.release import MOST_ATTEMPTS
from rollout.serving import Serving
from rollout.store import ReleaseStore
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import ALL, EXAMPLES, NAME, Ended, Workshop, in_code
from tests.parts.ports import free_port
from tests.parts.requests import accept


@pytest.fixture
def versions(workshop: Workshop) -> list[str]:
    """Three that are as good as each other; the first one serves."""
    versions = [workshop.register(Model(version=n)) for n in range(3)]
    workshop.release(versions[0])
    return versions


def test_a_canary_gets_its_share(workshop: Workshop, versions: list[str]) -> None:
    first, second, _ = versions
    workshop.release(second, steps=[10])
    assert workshop.traffic() == {first: 9_990, second: 10}
    last = workshop.last_release()
    assert (last["state"], last["actor"], last["reason"]) == ("DONE", "tester", "a test")
    assert "is not distinguishable from version" in last["detail"]


def test_steps_follow_each_other(workshop: Workshop, versions: list[str]) -> None:
    first, second, _ = versions
    seen = []
    workshop.release(
        second,
        steps=[10, 5_000, ALL],
        tell=lambda said: seen.append(workshop.traffic()) if "next step" in said else None,
    )
    assert seen == [{first: 9_990, second: 10}, {first: 5_000, second: 5_000}]
    assert workshop.traffic() == {second: ALL}
    assert workshop.last_release()["state"] == "DONE"


def test_a_rollback_is_one_transaction_and_the_version_drains(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    workshop.shift("ROLLBACK")
    assert workshop.traffic() == {first: ALL}
    assert workshop.states()[second] == "DRAINING"
    assert second in workshop.loaded()  # it may be in the midst of a call
    workshop.settle()
    assert workshop.loaded() == {first}
    assert workshop.states()[second] == "RETIRED"
    workshop.release(second)  # it may come again
    assert workshop.traffic() == {second: ALL}


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
    workshop.shift("ROLLBACK")
    workshop.connection.execute("UPDATE versions SET update_time = now() - interval '1 hour'")
    workshop.housekeeping().tidy(NAME)
    assert workshop.loaded() == {first, second}
    workshop.connection.execute("UPDATE requests SET state = 'SUCCEEDED'")
    workshop.settle()
    assert workshop.loaded() == {first}


@pytest.mark.skipif(
    not isolation.can_confine() and "CI" not in os.environ, reason="the system has no namespaces"
)
def test_a_sandbox_that_fails_interrupts_a_release_and_refuses_no_version(
    workshop: Workshop, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second, _ = versions
    fails = ("sh", "-c", f"exit {sandbox.FAILED}")  # as where no process is left
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "_SANDBOX", fails)
        with pytest.raises(Ended, match="SandboxFailed"):
            workshop.release(second)
    assert workshop.last_release()["state"] == "INTERRUPTED"
    workshop.release(second)
    assert workshop.traffic() == {second: ALL}


@pytest.mark.parametrize("way", ["rollback", "set_traffic"])
def test_a_stepped_release_stops_when_somebody_else_moves_the_traffic(
    workshop: Workshop, versions: list[str], way: str
) -> None:
    first, second, _ = versions

    def meanwhile(said: str) -> None:
        if "next step" not in said:
            return
        if way == "rollback":
            workshop.shift("ROLLBACK")
        else:
            workshop.set_traffic(NAME, **{f"v{first}": ALL})

    with pytest.raises(Ended, match="somebody moved the traffic"):
        workshop.release(second, steps=[1_000, ALL], tell=meanwhile)
    assert workshop.traffic() == {first: ALL}


@pytest.mark.parametrize("what", ["pause", "cancel"])
def test_a_release_that_is_stopped_during_the_checks_moves_nothing(
    workshop: Workshop, versions: list[str], what: str
) -> None:
    first, second, _ = versions

    def meanwhile(said: str) -> None:
        if said.startswith("warming up"):
            ((release,),) = workshop.query("SELECT id FROM releases ORDER BY id DESC LIMIT 1")
            stop = {"pause": "pause_release", "cancel": "cancel_release"}[what]
            workshop.query(f"SELECT releases_v1.{stop}(%s, '')", release)

    with pytest.raises(Ended, match=r"PAUSED|cancelled"):
        workshop.release(second, tell=meanwhile)
    assert workshop.traffic() == {first: ALL}
    assert workshop.states()[second] == "LOADING"
    workshop.settle()
    assert workshop.loaded() == {first}


def test_a_rollback_during_the_checks_stands(workshop: Workshop, versions: list[str]) -> None:
    first, second, third = versions
    workshop.release(second)

    def meanwhile(said: str) -> None:
        if said.startswith("warming up"):
            workshop.shift("ROLLBACK")

    with pytest.raises(Ended, match="somebody moved the traffic"):
        workshop.release(third, tell=meanwhile)
    assert workshop.traffic() == {first: ALL}
    workshop.settle()
    assert workshop.loaded() == {first}


def test_a_version_that_drains_goes_on_draining_when_its_release_is_refused(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    workshop.shift("ROLLBACK")
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
    assert workshop.traffic() == {second: ALL}


def test_a_number_that_stands_for_other_files_is_refused(
    workshop: Workshop, versions: list[str]
) -> None:
    first, second, _ = versions
    workshop.release(second)
    workshop.shift("ROLLBACK")
    link = workshop.serving.artifact(NAME, second)
    link.unlink()
    link.symlink_to(workshop.serving.artifact(NAME, first).readlink())
    with pytest.raises(Refused) as refused:
        workshop.release(second)
    assert refused.value.reason == Reason.VERSION_EXISTS
    assert workshop.states() == {first: "SERVING", second: "DRAINING"}


def test_a_release_that_has_ended_holds_nothing(workshop: Workshop, versions: list[str]) -> None:
    workshop.release(versions[1], steps=[10, ALL])
    assert workshop.query("SELECT model FROM release_locks") == []
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assert workshop.query(locks) == [(0,)]


def test_one_process_at_a_time_brings_versions_in(workshop: Workshop, versions: list[str]) -> None:
    release = workshop.accept(versions[1])
    with (
        psycopg.connect(workshop.connection.info.dsn, autocommit=True) as connection,
        ReleaseStore(connection).lock(NAME) as held,
    ):
        assert held
        workshop.releaser(workshop.registry).carry_on(NAME)
        assert workshop.row(release)["state"] == "ACCEPTED"
    workshop.releaser(workshop.registry).carry_on(NAME)
    assert workshop.row(release)["state"] == "DONE"


def test_releases_are_carried_out_in_the_order_of_their_acceptance(
    workshop: Workshop, versions: list[str]
) -> None:
    _, second, third = versions
    releases = [workshop.accept(version) for version in (second, third)]
    workshop.releaser(workshop.registry).carry_on(NAME)
    assert [workshop.row(release)["state"] for release in releases] == ["DONE", "DONE"]
    assert workshop.traffic() == {third: ALL}


def test_a_release_may_allow_a_loss(workshop: Workshop, versions: list[str]) -> None:
    worse = workshop.register(Model(skill=0.2))
    refused, allowed = workshop.accept(worse), workshop.accept(worse, margin=1)
    workshop.releaser(workshop.registry).carry_on(NAME)
    assert workshop.row(refused)["refusal"] == "QUALITY_WORSE"
    assert workshop.row(allowed)["state"] == "DONE"


def test_what_goes_wrong_without_a_reason_is_noted(
    workshop: Workshop, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("rollout.serving.write_version", full)
    with pytest.raises(Ended, match="OSError: no space left on device"):
        workshop.release(versions[1])
    workshop.settle()
    assert workshop.states() == {versions[0]: "SERVING", versions[1]: "RETIRED"}


@pytest.mark.parametrize("error", [ValueError, lambda said: Refused(Reason.LOAD_FAILED, said)])
@pytest.mark.parametrize("said", ["a\0b", "a\udc80b", "b" * 10_000, 7])
def test_whatever_an_error_says_ends_its_own_release_and_no_other(
    workshop: Workshop,
    versions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[object], Exception],
    said: object,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error(said)

    releases = [workshop.accept(version) for version in versions[1:]]
    monkeypatch.setattr("rollout.serving.write_version", fail)
    workshop.releaser(workshop.registry).carry_on(NAME)
    rows = [workshop.row(release) for release in releases]
    assert {row["state"] for row in rows} <= {"REFUSED", "INTERRUPTED"}
    assert all(str(said)[0] in row["detail"] for row in rows)
    assert max(len(row["detail"]) for row in rows) <= 1000


def test_a_triton_that_is_away_refuses_a_version_for_now(
    workshop: Workshop, versions: list[str]
) -> None:
    nobody, repository = f"127.0.0.1:{free_port()}", workshop.serving.repository
    there, workshop.serving = (
        workshop.serving,
        Serving(
            repository=repository,
            address=nobody,
            key="any",
            device_of=lambda _: "cpu",
            patience_s=1,
        ),
    )
    release = workshop.accept(versions[1])
    workshop.releaser(workshop.registry).carry_on(NAME)
    workshop.serving = there
    assert workshop.row(release)["refusal"] == "TRITON_UNAVAILABLE"


def test_a_release_whose_process_dies_each_time_is_given_up(
    workshop: Workshop, versions: list[str]
) -> None:
    release, next_one = (workshop.accept(version) for version in versions[1:])
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert workshop.store.take_up(release) == attempt
    workshop.releaser(workshop.registry).carry_on(NAME)
    row = workshop.row(release)
    assert (row["state"], row["steps_done"]) == ("INTERRUPTED", 0)
    assert "ended in each of" in row["detail"]
    assert workshop.row(next_one)["state"] == "DONE"
