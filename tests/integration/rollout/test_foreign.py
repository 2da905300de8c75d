"""Versions that servers of others answer for come into service without registry and Triton."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from contract.settings import read
from modelkit.dataset import write_examples
from modelkit.golden import EDGE_TEXTS
from modelkit.registry import CHAMPION
from modelkit.values import ForeignVersion
from rollout import wiring
from rollout.refusal import Reason, Refused
from rollout.settings import ForeignSettings
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import ALL, EXAMPLES, NAME, TEXTS, Workshop
from tests.parts.oip_server import Answer, OipServer
from tests.parts.ports import free_port

VERSION = "912"
"""One that the registry of these tests does not come to."""
LABELS = list(Model.labels)
Outputs = dict[str, npt.NDArray[Any]]


def tiny(skill: float = 0.9) -> Answer:
    """Answers as our own model would, in whatever language that is."""
    model = Model(skill=skill)

    def answer(texts: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        return {"scores": model.predict(texts).scores}

    return answer


@pytest.fixture
def server() -> Iterator[OipServer]:
    with OipServer(tiny(), model=NAME, version=VERSION) as server:
        yield server


def name_it(workshop: Workshop, address: str, **fields: Any) -> None:
    """As a line of values.yaml does."""
    version = ForeignVersion(**{"address": address, "labels": LABELS, **fields})
    workshop.values = replace(workshop.values, foreign={VERSION: version})


def examples_file(folder: Path) -> Path:
    file = folder / "held_out.tsv"
    write_examples(file, EXAMPLES)
    return file


def golden_file(folder: Path, change: Callable[[Any], None] = lambda _: None) -> Path:
    texts = TEXTS[:5]
    golden = {"texts": texts, "scores": Model().predict(texts).scores.tolist()}
    change(golden)
    file = folder / "golden.json"
    file.write_text(json.dumps(golden))
    return file


def test_it_serves_and_what_was_not_checked_is_noted(workshop: Workshop, server: OipServer) -> None:
    name_it(workshop, server.address)
    workshop.release(VERSION, uri=f"http://127.0.0.1:{free_port()}")
    assert workshop.traffic() == {VERSION: ALL}
    row = workshop.query("SELECT state::text, labels, address, sha256 FROM versions")
    assert row == [("SERVING", LABELS, server.address, "")]
    last = workshop.last_release()
    assert last["state"] == "DONE"
    assert last["detail"] == (
        f"it answers as it should; {server.address} answers for it; not checked: what it is made"
        " of, its signature, whether the registry has this number too, golden answers, held-out"
        " examples"
    )
    assert workshop.serving.laid(NAME) == set()


def test_where_there_is_no_triton_versions_of_ours_are_refused(workshop: Workshop) -> None:
    release = workshop.accept("1")
    wiring.releaser(workshop.store, read(ForeignSettings, {})).carry_on(NAME)
    wiring.housekeeping(workshop.store, read(ForeignSettings, {}), None).look()
    assert workshop.row(release)["refusal"] == "TRITON_UNAVAILABLE"


def test_its_files_are_checked(workshop: Workshop, server: OipServer, tmp_path: Path) -> None:
    files = {"golden": golden_file(tmp_path), "examples": examples_file(tmp_path)}
    name_it(workshop, server.address, **files)
    workshop.release(VERSION)
    detail = str(workshop.last_release()["detail"])
    assert "there is no version to compare it with: f1_macro 0.9" in detail
    assert detail.endswith("not checked: what it is made of, its signature")


def test_it_is_compared_with_the_champion_on_triton_and_the_other_way_round(
    workshop: Workshop, server: OipServer, tmp_path: Path
) -> None:
    ours = workshop.register(Model(skill=0.95))
    workshop.release(ours)
    name_it(workshop, server.address, examples=examples_file(tmp_path))
    server.answer = tiny(skill=0.5)
    with pytest.raises(Refused) as refused:
        workshop.release(VERSION)
    assert refused.value.reason == Reason.QUALITY_WORSE
    assert workshop.traffic() == {ours: ALL}
    server.answer = tiny(skill=0.95)
    workshop.release(VERSION, steps=[1_000])
    assert workshop.traffic() == {ours: 9_000, VERSION: 1_000}
    workshop.release(VERSION)

    worse = workshop.register(Model(skill=0.5))
    with pytest.raises(Refused) as refused:
        workshop.release(worse)
    assert refused.value.reason == Reason.QUALITY_WORSE
    assert f"than version {VERSION}" in refused.value.detail
    workshop.shift("ROLLBACK")
    assert workshop.traffic() == {ours: ALL}


def test_tidying_up_and_the_registry_leave_it_alone(workshop: Workshop, server: OipServer) -> None:
    name_it(workshop, server.address)
    workshop.release(VERSION)
    workshop.settle()
    workshop.look()
    assert workshop.states()[VERSION] == "SERVING"
    assert workshop.traffic() == {VERSION: ALL}


def test_a_server_that_is_away_is_refused_and_its_version_is_not(workshop: Workshop) -> None:
    name_it(workshop, f"127.0.0.1:{free_port()}")
    with pytest.raises(Refused) as refused:
        workshop.release(VERSION)
    assert refused.value.reason == Reason.SERVER_UNAVAILABLE
    assert workshop.states() == {VERSION: "RETIRED"}


def test_a_server_that_ignores_versions_may_stand_for_one(workshop: Workshop) -> None:
    with OipServer(tiny(), model=NAME, says_version=False) as server:
        name_it(workshop, server.address)
        workshop.release(VERSION)
    detail = workshop.last_release()["detail"]
    assert f"{server.address} answers for it and ignores versions" in detail


def test_a_server_that_ignores_versions_may_not_stand_for_two(workshop: Workshop) -> None:
    other = "913"
    with OipServer(tiny(), model=NAME, says_version=False) as server:
        name_it(workshop, server.address)
        workshop.release(VERSION)
        first = workshop.values.foreign[VERSION]
        for named in ({VERSION: first, other: first}, {other: first}):  # the second: it serves
            workshop.values = replace(workshop.values, foreign=named)
            with pytest.raises(Refused) as refused:
                workshop.release(other)
            assert refused.value.reason == Reason.VERSIONS_IGNORED
            assert f"{VERSION} too" in refused.value.detail
    assert workshop.traffic() == {VERSION: ALL}


def test_a_server_that_heeds_versions_may_stand_for_two(
    workshop: Workshop, server: OipServer
) -> None:
    name_it(workshop, server.address)
    known = workshop.values.foreign[VERSION]
    workshop.values = replace(workshop.values, foreign={VERSION: known, "913": known})
    workshop.release(VERSION)
    assert workshop.traffic() == {VERSION: ALL}


def test_a_number_that_the_registry_has_too_is_refused_however_it_is_asked_for(
    workshop: Workshop,
) -> None:
    number = workshop.register()
    with OipServer(tiny(), model=NAME, version=number) as server:
        known = ForeignVersion(address=server.address, labels=LABELS)
        workshop.values = replace(workshop.values, foreign={number: known})
        with pytest.raises(Refused) as refused:
            workshop.release(number)
        assert refused.value.reason == Reason.AMBIGUOUS
        workshop.registry.set_alias(NAME, CHAMPION, number)
        workshop.look()
    assert workshop.traffic() == {}
    assert workshop.query("SELECT actor, refusal FROM releases ORDER BY id") == [
        ("tester", "AMBIGUOUS"),
        ("registry", "AMBIGUOUS"),
    ]


def test_an_alias_on_the_number_of_a_version_of_others_that_serves_is_refused(
    workshop: Workshop,
) -> None:
    ours = workshop.register()
    number = str(int(ours) + 1)
    with OipServer(tiny(), model=NAME, version=number) as server:
        known = ForeignVersion(address=server.address, labels=LABELS)
        workshop.values = replace(workshop.values, foreign={number: known})
        workshop.release(number)
        assert workshop.register() == number
        workshop.registry.set_alias(NAME, CHAMPION, number)
        workshop.look()
    assert workshop.last_release()["refusal"] == "AMBIGUOUS"
    assert workshop.traffic() == {number: ALL}


def with_neighbours(outputs: Outputs) -> Outputs:
    scores = outputs["scores"].copy()
    if len(scores) > 1:
        scores[0] = np.roll(scores[0], 1)
    return {"scores": scores}


BROKEN: dict[str, tuple[ReleaseRefusal, Callable[[Outputs], Outputs]]] = {
    "another name": (Reason.OUTPUT_NAME, lambda o: {"probabilities": o["scores"]}),
    "another type": (Reason.OUTPUT_TYPE, lambda o: {"scores": o["scores"] > 0.5}),
    "a label too few": (Reason.OUTPUT_SHAPE, lambda o: {"scores": o["scores"][:, :2]}),
    "a row too few": (Reason.OUTPUT_SHAPE, lambda o: {"scores": o["scores"][1:]}),
    "no shares": (Reason.FAILS, lambda o: {"scores": o["scores"] * 2}),
    "no numbers": (Reason.FAILS, lambda o: {"scores": o["scores"] * np.float32("nan")}),
    "neighbours": (Reason.DEPENDS_ON_NEIGHBOURS, with_neighbours),
}


@pytest.mark.parametrize(("reason", "change"), BROKEN.values(), ids=BROKEN.keys())
def test_a_server_that_answers_nonsense_is_refused(
    workshop: Workshop,
    server: OipServer,
    reason: ReleaseRefusal,
    change: Callable[[Outputs], Outputs],
) -> None:
    good = tiny()
    server.answer = lambda texts: change(dict(good(texts)))
    name_it(workshop, server.address)
    with pytest.raises(Refused) as refused:
        workshop.release(VERSION)
    assert refused.value.reason == reason, refused.value.detail
    assert workshop.states() == {VERSION: "REFUSED"}
    assert workshop.traffic() == {}


def test_what_a_server_says_when_it_fails_is_not_passed_on(
    workshop: Workshop, server: OipServer
) -> None:
    def fail(texts: Sequence[str]) -> Outputs:
        raise ValueError(f"cannot read {texts[0]}")

    server.answer = fail
    name_it(workshop, server.address)
    with pytest.raises(Refused) as refused:
        workshop.release(VERSION)
    assert refused.value.reason == Reason.FAILS
    assert "UNKNOWN" in refused.value.detail
    assert EDGE_TEXTS[2] not in refused.value.detail
    assert "cannot read" not in refused.value.detail


def test_a_server_of_another_version_is_refused(workshop: Workshop) -> None:
    with OipServer(tiny(), model=NAME, version="7") as server:
        name_it(workshop, server.address)
        with pytest.raises(Refused) as refused:
            workshop.release(VERSION)
    assert refused.value.reason == Reason.FAILS  # NOT_FOUND


@pytest.mark.parametrize("labels", [LABELS[::-1], LABELS[:2], [*LABELS, "letter"]])
def test_its_labels_are_those_that_clients_know(
    workshop: Workshop, server: OipServer, labels: list[str]
) -> None:
    name_it(workshop, server.address, labels=labels)
    with pytest.raises(Refused, match="label"):
        workshop.release(VERSION)


def other_answers(golden: Any) -> None:
    golden["scores"][3] = golden["scores"][3][::-1]
    golden["scores"][4] = [0.3, 0.3, 0.4]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_answers, Reason.GOLDEN_MISMATCH),
        (lambda golden: golden.pop("scores"), Reason.CHECKS_UNREADABLE),
    ],
)
def test_other_golden_answers_are_refused(
    workshop: Workshop,
    server: OipServer,
    tmp_path: Path,
    change: Callable[[Any], None],
    reason: ReleaseRefusal,
) -> None:
    name_it(workshop, server.address, golden=golden_file(tmp_path, change))
    with pytest.raises(Refused) as refused:
        workshop.release(VERSION)
    assert refused.value.reason == reason
