"""Versions come and go under load: no request fails, and each answer names who made it."""

import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import grpc
import pytest
from google.rpc import code_pb2
from mlflow import MlflowClient
from predict.v1 import model_service_pb2 as models
from predict.v1.model_pb2 import Release, ReleaseAction, ReleaseState
from predict.v1.prediction_service_pb2 import BatchPredictRequest, PredictRequest
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from tests.e2e.mesh import Mesh
from tests.e2e.shelf import BROKEN, NAME, Shelf
from tests.e2e.texts import new_text, new_texts
from tests.parts.doors import Answer, Door
from tests.parts.polling import wait_until
from tests.parts.refusals import check

CLIENTS = 3
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def shelf(mesh: Mesh) -> Iterator[Shelf]:
    """At the end all is as it was: version 1 has the traffic, and nothing else is loaded."""
    shelf = Shelf(mesh)
    yield shelf
    shelf.pmesh("release", f"{NAME}@1")
    mesh.query(
        "UPDATE versions SET state = 'DRAINING' WHERE model = 'genre' AND version <> '1'"
        " AND state = 'SERVING' RETURNING 1"
    )
    shelf.close()


@pytest.fixture(scope="module")
def versions(shelf: Shelf) -> tuple[str, str, str]:
    """The one that serves, and two more that say other things."""
    return ("1", shelf.train(seed=1), shelf.train(seed=2))


@dataclass
class Load:
    """What clients saw who never stopped asking."""

    answers: list[tuple[str, str, dict[str, float]]] = field(default_factory=list)
    """Text, version, scores."""
    failures: list[str] = field(default_factory=list)


@contextmanager
def constant_load(mesh: Mesh) -> Iterator[Load]:
    """Ask for predictions all the time."""
    load, stop = Load(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            text = new_text()
            try:
                prediction = mesh.predictions.Predict(
                    PredictRequest(model=NAME, text=text), timeout=10
                ).prediction
                output = dict(prediction.output.scores)
                load.answers.append((text, prediction.version, output))
            except grpc.RpcError as error:
                load.failures.append(str(error))
            time.sleep(0.005)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        stop.set()
        for client in clients:
            client.join()


def traffic(mesh: Mesh) -> dict[str, int]:
    """The split as clients see it."""
    model = mesh.grpc.call("GetModel", models.GetModelRequest(model=NAME)).message.model
    return {share.version: share.percent for share in model.traffic}


def set_traffic(door: Door, reason: str = "a test", **shares: int) -> Answer:
    """Set the split: v1=50, v2=50."""
    request = models.SetTrafficRequest(model=NAME, reason=reason)
    for version, percent in shares.items():
        request.traffic.add(version=version.removeprefix("v"), percent=percent)
    return door.call("SetTraffic", request)


@pytest.mark.timeout(600)
def test_versions_move_under_load_and_broken_ones_never_serve(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    one, two, three = versions
    broken = {reason: shelf.register_broken(reason, two) for reason in BROKEN}
    moves = 0

    def move(*arguments: str, gives: dict[str, int]) -> None:
        nonlocal moves
        shelf.pmesh(*arguments)
        assert traffic(mesh) == gives
        moves += 1

    def split(**shares: int) -> None:
        nonlocal moves
        answer = set_traffic(mesh.rest, **shares)
        assert {s.version: s.percent for s in answer.message.model.traffic} == {
            version.removeprefix("v"): percent for version, percent in shares.items()
        }
        moves += 1

    def refuse(reason: str) -> None:
        version, before = broken[reason], traffic(mesh)
        done = shelf.pmesh("release", f"{NAME}@{version}", check=False)
        assert done.returncode == 1
        assert f"is refused: {reason}" in done.stderr
        assert traffic(mesh) == before
        pinned = PredictRequest(model=NAME, text=new_text(), version=version)
        check(mesh.grpc.call("Predict", pinned), code_pb2.NOT_FOUND, "VERSION_NOT_FOUND")

    with constant_load(mesh) as load:
        move("release", f"{NAME}@{two}", "--canary", "20", gives={one: 80, two: 20})
        move("promote", NAME, gives={two: 100})
        refuse("DOES_NOT_LOAD")
        for _ in range(3):
            split(**{f"v{one}": 50, f"v{two}": 50})
            split(**{f"v{one}": 1, f"v{two}": 99})
            split(**{f"v{two}": 100})
        shelf.pmesh(
            "release", f"{NAME}@{three}", "--steps", "0.1,60,100", "--pause", "0.5", "--wait"
        )
        assert traffic(mesh) == {three: 100}
        moves += 3
        move("rollback", NAME, gives={two: 100})
        refuse("WARM_UP_FAILED")
        move("release", f"{NAME}@{three}", gives={three: 100})
        split(**{f"v{two}": 30, f"v{three}": 70})
        move("release", f"{NAME}@{one}", "--canary", "50", gives={one: 50, three: 50})
        refuse("OUTPUT_SHAPE")
        move("promote", NAME, gives={one: 100})
        split(**{f"v{one}": 50, f"v{three}": 50})
        split(**{f"v{one}": 100})
    assert moves >= 20
    assert load.failures == []
    assert len(load.answers) > 1000
    by_version = defaultdict(list)
    for text, version, scores in load.answers:
        by_version[version].append((text, scores))
    assert by_version.keys() == {one, two, three}
    labels = list(next(iter(by_version[one]))[1])
    assert sorted(labels) == ["movie_review", "product_review", "tweet"]
    order = ["movie_review", "product_review", "tweet"]
    for version, answers in by_version.items():
        right = shelf.predictions(version, [text for text, _ in answers]).scores
        for (_, scores), row in zip(answers, right.tolist(), strict=True):
            assert [scores[label] for label in order] == pytest.approx(row, abs=TOLERANCE)


def test_the_split_is_what_it_says_and_a_session_sticks(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    one, two, _ = versions
    shelf.pmesh("release", f"{NAME}@{two}", "--canary", "30")
    counts: Counter[str] = Counter()
    for _ in range(40):
        entries = [{"text": text} for text in new_texts(250)]
        request = BatchPredictRequest(model=NAME, entries=entries)
        results = mesh.grpc.call("BatchPredict", request).message.results
        counts.update(result.prediction.version for result in results)
    assert sum(counts.values()) == 10_000
    # 4 standard deviations of a binomial of 10,000 at 0.3.
    assert abs(counts[two] - 3000) < 184

    def asked_by(session: str) -> str:
        request = PredictRequest(model=NAME, text=new_text())
        metadata = (("x-session-id", session),)
        return str(mesh.predictions.Predict(request, metadata=metadata).prediction.version)

    chosen = {f"session-{n}": {asked_by(f"session-{n}") for _ in range(5)} for n in range(40)}
    assert all(len(versions) == 1 for versions in chosen.values())
    assert {version for versions in chosen.values() for version in versions} == {one, two}
    for session in chosen:
        post = {"json": {"text": new_text()}, "headers": {"x-session-id": session}}
        by_rest = mesh.rest.client.post(f"/v1/models/{NAME}:predict", **post)
        assert {by_rest.json()["version"]} == chosen[session]
    for request_id in (str(uuid4()) for _ in range(20)):  # it sticks as a session does
        request = PredictRequest(model=NAME, text=new_text(), request_id=request_id)
        assert mesh.predictions.Predict(request).prediction.version == asked_by(request_id)
    for version in (one, two):
        pinned = PredictRequest(model=NAME, text=new_text(), version=version)
        assert mesh.predictions.Predict(pinned).prediction.version == version
    before = {session for session, versions in chosen.items() if versions == {two}}
    set_traffic(mesh.rest, **{f"v{one}": 50, f"v{two}": 50})
    assert all(asked_by(session) == two for session in before)
    shelf.pmesh("rollback", NAME)


def test_the_registry_s_alias_moves_the_traffic_and_follows_it(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    one, two, _ = versions

    def alias() -> str:
        found = shelf.registry.alias(NAME, "champion")
        return found.number if found else ""

    wait_until(lambda: alias() == one)
    client = MlflowClient(shelf.environment["MLFLOW_TRACKING_URI"])
    assert [webhook.name for webhook in client.list_webhooks()] == ["predict-mesh"]
    shelf.registry.set_alias(NAME, "champion", two)
    wait_until(lambda: traffic(mesh) == {two: 100})
    releases = mesh.grpc.call("ListReleases", models.ListReleasesRequest(model=NAME))
    assert releases.message.releases[0].actor == "registry"
    shelf.pmesh("rollback", NAME)
    wait_until(lambda: alias() == one)
    assert traffic(mesh) == {one: 100}


def test_a_registry_that_does_not_answer_stops_releases_only(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    one, two, _ = versions
    with mesh.stopped("mlflow"), constant_load(mesh) as load:
        done = shelf.pmesh("release", f"{NAME}@{two}", check=False)
        assert set_traffic(mesh.grpc, **{f"v{one}": 100}).status.code == code_pb2.OK
    assert "is refused: REGISTRY_UNAVAILABLE" in done.stderr
    assert load.failures == []
    assert load.answers


def test_the_history_says_who_when_and_why(mesh: Mesh, door: Door) -> None:
    assert set_traffic(door, reason="because", v1=100).status.code == code_pb2.OK
    request = models.ListReleasesRequest(model=NAME, page_size=1)
    first = door.call("ListReleases", request).message
    (release,) = first.releases
    assert (release.actor, release.reason) == ("api", "because")
    assert release.action == ReleaseAction.RELEASE_ACTION_SET_TRAFFIC
    assert release.state == ReleaseState.RELEASE_STATE_DONE
    assert [(share.version, share.percent) for share in release.traffic] == [("1", 100)]
    assert release.complete_time.seconds >= release.create_time.seconds > 0
    request.page_token = first.next_page_token
    (older,) = door.call("ListReleases", request).message.releases
    assert older.id < release.id


def test_a_canary_of_a_thousandth_is_set_and_shown(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str], door: Door
) -> None:
    one, two, _ = versions
    shelf.pmesh("release", f"{NAME}@{two}", "--canary", "0.1")
    model = door.call("GetModel", models.GetModelRequest(model=NAME)).message.model
    assert [(s.version, s.percent) for s in model.shares] == [(one, 99.9), (two, 0.1)]
    assert [(s.version, s.percent) for s in model.traffic] == [(one, 100), (two, 0)]
    assert f"{one}: 99.9 %, {two}: 0.1 %" in shelf.pmesh("history", NAME).stdout
    request = models.SetTrafficRequest(model=NAME, etag=model.etag)
    request.shares.add(version=one, percent=99.99)
    request.shares.add(version=two, percent=0.01)
    moved = door.call("SetTraffic", request).message.model
    assert [s.percent for s in moved.shares] == [99.99, 0.01]
    assert moved.etag != model.etag
    check(door.call("SetTraffic", request), code_pb2.ABORTED, "ETAG_MISMATCH")
    assert f"{NAME} is back at {one}: 100 %" in shelf.pmesh("rollback", NAME).stdout


def test_a_release_is_paused_resumed_and_cancelled(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str], door: Door
) -> None:
    one, two, _ = versions
    request = models.CreateReleaseRequest(
        model=NAME, version=two, steps=[0.5, 20, 100], request_id=str(uuid4()), actor="anna"
    )
    request.pause.FromSeconds(3600)
    accepted = door.call("CreateRelease", request).message.release
    assert accepted.state == ReleaseState.RELEASE_STATE_ACCEPTED
    assert (accepted.actor, list(accepted.steps)) == ("anna", [0.5, 20, 100])

    def found() -> Release:
        get = models.GetReleaseRequest(id=accepted.id)
        release: Release = door.call("GetRelease", get).message.release
        return release

    wait_until(lambda: found().steps_done == 1)
    assert door.call("CreateRelease", request).message.release == found()  # the same request_id
    assert found().next_step_time.seconds > time.time() + 3000
    running = found()
    pause = models.PauseReleaseRequest(id=accepted.id, etag=running.etag)
    paused = door.call("PauseRelease", pause).message.release
    assert paused.state == ReleaseState.RELEASE_STATE_PAUSED
    assert not paused.HasField("next_step_time")
    resume = models.ResumeReleaseRequest(id=accepted.id, etag=running.etag)
    check(door.call("ResumeRelease", resume), code_pb2.ABORTED, "ETAG_MISMATCH")
    resume.etag = paused.etag
    assert door.call("ResumeRelease", resume).status.code == code_pb2.OK
    wait_until(lambda: found().steps_done == 2)
    assert [(s.version, s.percent) for s in found().shares] == [(one, 80), (two, 20)]
    cancel = models.CancelReleaseRequest(id=accepted.id)
    ended = door.call("CancelRelease", cancel).message.release
    assert ended.state == ReleaseState.RELEASE_STATE_INTERRUPTED
    check(door.call("CancelRelease", cancel), code_pb2.FAILED_PRECONDITION, "RELEASE_FINISHED")
    assert traffic(mesh) == {one: 80, two: 20}
    back = models.CreateReleaseRequest(model=NAME, action=ReleaseAction.RELEASE_ACTION_ROLLBACK)
    done = door.call("CreateRelease", back).message.release
    assert done.state == ReleaseState.RELEASE_STATE_DONE
    assert [(s.version, s.percent) for s in done.shares] == [(one, 100)]
    back.action = ReleaseAction.RELEASE_ACTION_PROMOTE
    answer = door.call("CreateRelease", back)
    check(answer, code_pb2.FAILED_PRECONDITION, "NO_OTHER_VERSION")


def test_people_hold_a_release_let_it_go_on_and_end_it(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    one, two, _ = versions
    steps = ("--steps", "1,2,100", "--pause", "3600", "--reason", "carefully")
    done = shelf.pmesh("release", f"{NAME}@{two}", *steps)  # does not wait for the hour
    assert done.stdout == f"{NAME} is at {one}: 99 %, {two}: 1 %\n"
    assert "running, step 1 of 3" in done.stderr
    shelf.pmesh("pause", NAME)
    assert "paused, step 1 of 3" in shelf.pmesh("history", NAME).stdout
    shelf.pmesh("resume", NAME)
    wait_until(lambda: traffic(mesh) == {one: 98, two: 2})
    shelf.pmesh("cancel", NAME)
    assert traffic(mesh) == {one: 98, two: 2}
    assert "no release of genre is under way" in shelf.pmesh("pause", NAME, check=False).stderr
    shelf.pmesh("rollback", NAME)


def test_a_release_outlives_the_command_that_asked_for_it(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    two = versions[1]
    with shelf.start("release", f"{NAME}@{two}") as command:
        assert command.stderr is not None
        assert "accepted" in command.stderr.readline()
        command.send_signal(signal.SIGINT)
        said = command.communicate(timeout=30)[1]
    assert "the release goes on" in said
    assert command.returncode == 128 + signal.SIGINT
    wait_until(lambda: traffic(mesh) == {two: 100})
    shelf.pmesh("rollback", NAME)


def test_a_release_goes_on_when_its_process_is_killed(
    mesh: Mesh, shelf: Shelf, versions: tuple[str, str, str]
) -> None:
    two = versions[1]
    request = models.CreateReleaseRequest(model=NAME, version=two, steps=[1, 2, 3, 100])
    request.pause.FromSeconds(1)
    release = mesh.grpc.call("CreateRelease", request).message.release
    for steps in range(1, 5):
        wait_until(lambda: mesh.stack.part("rollout").pid is not None)
        mesh.stack.kill("rollout")

        def has_taken(steps: int = steps) -> bool:
            get = models.GetReleaseRequest(id=release.id)
            return bool(mesh.grpc.call("GetRelease", get).message.release.steps_done >= steps)

        wait_until(has_taken)
    wait_until(lambda: traffic(mesh) == {two: 100})
    shelf.pmesh("rollback", NAME)


def test_a_refusal_is_named_by_the_contract(
    mesh: Mesh, shelf: Shelf, door: Door, versions: tuple[str, str, str]
) -> None:
    done = shelf.pmesh("release", f"{NAME}@999", check=False)
    assert done.returncode == 1
    assert "is refused: VERSION_UNKNOWN" in done.stderr
    request = models.ListReleasesRequest(model=NAME, page_size=1)
    (release,) = door.call("ListReleases", request).message.releases
    assert release.refusal_reason == ReleaseRefusal.RELEASE_REFUSAL_VERSION_UNKNOWN
    assert release.refusal == "VERSION_UNKNOWN"


def test_a_split_that_makes_no_sense_is_refused(mesh: Mesh, door: Door) -> None:
    before = traffic(mesh)
    for shares, reason, *fields in (
        ({}, "INVALID_SPLIT", "shares"),
        ({"v1": 99}, "INVALID_SPLIT", "traffic"),
        ({"v1": 100, "v2": 100}, "INVALID_SPLIT", "traffic"),
        ({"v1": 0}, "OUT_OF_RANGE", "traffic[0].percent"),
        ({"v1": 101}, "OUT_OF_RANGE", "traffic[0].percent"),
        ({"vx": 100}, "INVALID_ID", "traffic[0].version"),
        ({"v": 100}, "REQUIRED_FIELD_MISSING", "traffic[0].version"),
    ):
        check(set_traffic(door, **shares), code_pb2.INVALID_ARGUMENT, reason, *fields)
    answer = set_traffic(door, v999=100)
    check(answer, code_pb2.FAILED_PRECONDITION, "VERSION_NOT_SERVING")
    answer = set_traffic(door, reason="line\nbreak", v1=100)
    check(answer, code_pb2.INVALID_ARGUMENT, "OUT_OF_RANGE", "reason")
    twice = models.SetTrafficRequest(model=NAME)
    for _ in range(2):
        twice.traffic.add(version="1", percent=50)
    check(door.call("SetTraffic", twice), code_pb2.INVALID_ARGUMENT, "INVALID_SPLIT", "traffic")
    both = models.SetTrafficRequest(model=NAME)
    both.traffic.add(version="1", percent=100)
    both.shares.add(version="1", percent=100)
    check(door.call("SetTraffic", both), code_pb2.INVALID_ARGUMENT, "DUPLICATE_FIELD", "traffic")
    fine = models.SetTrafficRequest(model=NAME)
    fine.shares.add(version="1", percent=60.555)
    fine.shares.add(version="2", percent=39.445)
    answer = door.call("SetTraffic", fine)
    check(answer, code_pb2.INVALID_ARGUMENT, "OUT_OF_RANGE", "shares[0].percent")
    other = models.SetTrafficRequest(model="nosuch")
    check(door.call("SetTraffic", other), code_pb2.NOT_FOUND, "MODEL_NOT_FOUND")
    assert traffic(mesh) == before
