"""What values.yaml says of how a model is served in the cluster."""

from typing import Any

import pytest

from modelkit.serving import Bounds, ClusterServing, read_serving


def test_nothing_needs_to_be_said() -> None:
    assert read_serving(None, foreign=()) == ClusterServing()
    assert read_serving({}, foreign=()) == ClusterServing()


def test_what_is_said_counts() -> None:
    said = {
        "device": "gpu",
        "tritons": {"least": 2},
        "workers": {"most": 20},
        "canary": 10,
        "versions": {12: {}, "13": {"device": "cpu"}},
    }
    assert read_serving(said, foreign=["7"]) == ClusterServing(
        device="gpu",
        tritons=Bounds(2, 4),
        workers=Bounds(0, 20),
        canary=10,
        versions={"12": "gpu", "13": "cpu"},
    )


def test_the_most_is_never_less_than_the_least() -> None:
    assert read_serving({"tritons": {"least": 9}}, foreign=()).tritons == Bounds(9, 9)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "serving is a section with keys"),
        ({"gpu": True}, "serving has no gpu; it may have device, "),
        ({"device": "tpu"}, "serving.device is cpu or gpu, not 'tpu'"),
        ({"device": ["cpu"]}, "serving.device is cpu or gpu"),
        ({"tritons": 3}, "serving.tritons is a section"),
        ({"tritons": {"least": 0}}, "serving.tritons.least is a whole number of 1 to 1000, not 0"),
        ({"tritons": {"least": 3, "most": 2}}, "serving.tritons.most is a whole number of 3"),
        ({"workers": {"most": 0}}, "serving.workers.most is a whole number of 1"),
        ({"workers": {"max": 1}}, "serving.workers has no max"),
        ({"canary": 100}, "serving.canary is a whole number of 0 to 99, not 100"),
        ({"canary": 0.5}, "serving.canary is a whole number"),
        ({"versions": ["12"]}, "serving.versions is a section"),
        ({"versions": {"v1": {}}}, "serving.versions.v1: a version is a number"),
        ({"versions": {"12": {"devise": "gpu"}}}, "serving.versions.12 has no devise"),
        ({"versions": {"7": {}}}, "serving.versions.7: a server of others answers for it"),
    ],
)
def test_what_cannot_be_is_named(said: Any, why: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 -- its text is compared
        read_serving(said, foreign=["7"])
    assert why in str(refused.value)
