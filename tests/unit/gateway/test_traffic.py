"""Which version of a model answers."""

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contract.errors import ModelNotFound, ModelNotReleased, VersionNotFound
from gateway.store.catalog import Model, Version
from gateway.traffic import choose_version, find_model


def version(number: str, state: str) -> Version:
    return Version(number, state, "", datetime.now(UTC), ["a", "b"], "here:1")


STATES = {"1": "SERVING", "3": "LOADING", "4": "DRAINING", "5": "RETIRED", "6": "REFUSED"}
MODEL = Model(
    id="split",
    description="",
    labels=["a", "b"],
    address="here:1",
    traffic={"9": 3_000, "10": 7_000},
    versions={number: version(number, state) for number, state in STATES.items()},
)


def test_a_pinned_version_is_chosen_whatever_the_traffic() -> None:
    assert choose_version(MODEL, pinned="1", sticky_key="k") == "1"


@pytest.mark.parametrize("number", ["3", "4", "5", "6", "8"])
def test_a_pinned_version_must_serve(number: str) -> None:
    """It may be loaded: by a release that still tries it out, or until it has drained."""
    with pytest.raises(VersionNotFound):
        choose_version(MODEL, pinned=number, sticky_key="k")


def test_the_policy_splits_by_key_and_sticks_to_it() -> None:
    def choose(n: int) -> str:
        return choose_version(MODEL, pinned="", sticky_key=f"key-{n}")

    chosen = [choose(n) for n in range(10_000)]
    assert chosen == [choose(n) for n in range(10_000)]
    # 5 standard deviations of a binomial of 10,000 at 0.3.
    assert abs(Counter(chosen)["9"] - 3000) < 230


def as_before(traffic: dict[str, int], key: str) -> str:
    """The choice of gateways that knew whole percents only."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") % 100
    for version in sorted(traffic, key=int):
        point -= traffic[version]
        if point < 0:
            return version
    raise AssertionError


def test_a_key_keeps_the_version_that_it_had_where_shares_are_whole_percents() -> None:
    for traffic in ({"9": 30, "10": 70}, {"1": 1, "2": 98, "3": 1}):
        model = replace(MODEL, traffic={version: 100 * p for version, p in traffic.items()})
        for key in (f"key-{n}" for n in range(2_000)):
            chosen = choose_version(model, pinned="", sticky_key=key)
            assert chosen == as_before(traffic, key)


def test_a_thousandth_of_the_keys_goes_to_a_canary_of_a_thousandth() -> None:
    model = replace(MODEL, traffic={"1": 9_990, "2": 10})
    keys = (f"key-{n}" for n in range(100_000))
    chosen = Counter(choose_version(model, pinned="", sticky_key=key) for key in keys)
    # 5 standard deviations of a binomial of 100,000 at 0.001.
    assert abs(chosen["2"] - 100) < 50


def test_a_model_must_exist_and_be_released() -> None:
    with pytest.raises(ModelNotFound):
        find_model({"split": MODEL}, "other")
    new = Model(id="new", description="", labels=[], address="here:1")
    with pytest.raises(ModelNotReleased):
        choose_version(new, pinned="", sticky_key="k")
