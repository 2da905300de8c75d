"""The runtime's settings."""

import pytest

from model_runtime.settings import Settings

REQUIRED = {
    "PMESH_MODEL": "sentiment",
    "PMESH_RUNTIME_ADDRESS": "127.0.0.1:7001",
    "PMESH_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:predict-events",
}


def test_the_queue_is_named_after_the_model() -> None:
    assert Settings.from_env(REQUIRED).queue == "predict-sentiment"
    assert Settings.from_env({**REQUIRED, "PMESH_BUS_PREFIX": "mine"}).queue == "mine-sentiment"


@pytest.mark.parametrize("variable", REQUIRED)
def test_a_missing_variable_is_named(variable: str) -> None:
    environ = {name: value for name, value in REQUIRED.items() if name != variable}
    with pytest.raises(ValueError, match=variable):
        Settings.from_env(environ)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PMESH_LEASE_S", "0"),
        ("PMESH_LEASE_S", "soon"),
        ("PMESH_RECEIVE_WAIT_S", "21"),
        ("PMESH_DRAIN_S", "-1"),
        ("PMESH_MAX_ATTEMPTS", ""),
    ],
)
def test_a_wrong_number_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        Settings.from_env({**REQUIRED, variable: value})
