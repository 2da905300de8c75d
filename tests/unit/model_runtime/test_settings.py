"""The worker's settings."""

import pytest

from contract.settings import read
from model_runtime.settings import Settings

REQUIRED = {
    "PMESH_MODEL": "sentiment",
    "PMESH_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:predict-events",
}


def test_a_model_and_a_topic_are_enough() -> None:
    settings = read(Settings, REQUIRED)
    assert settings == Settings(model="sentiment", topic_arn=REQUIRED["PMESH_TOPIC_ARN"])


@pytest.mark.parametrize("variable", REQUIRED)
def test_a_missing_variable_is_named(variable: str) -> None:
    environ = {name: value for name, value in REQUIRED.items() if name != variable}
    with pytest.raises(ValueError, match=f"{variable} is not set"):
        read(Settings, environ)


def test_what_is_no_topic_is_refused() -> None:
    with pytest.raises(ValueError, match="PMESH_TOPIC_ARN must be the ARN of an SNS topic"):
        read(Settings, {**REQUIRED, "PMESH_TOPIC_ARN": "predict-events"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PMESH_LEASE_S", "0"),
        ("PMESH_LEASE_S", "0.5"),
        ("PMESH_LEASE_S", "soon"),
        ("PMESH_LEASE_S", "3601"),
        ("PMESH_RECEIVE_WAIT_S", "0"),
        ("PMESH_RECEIVE_WAIT_S", "21"),
        ("PMESH_WORKER_FINISH_S", "-1"),
        ("PMESH_WORKER_FINISH_S", "0.5"),
        ("PMESH_MAX_ATTEMPTS", "0"),
        ("PMESH_MAX_ATTEMPTS", "1001"),
        ("PMESH_MAX_ATTEMPTS", "2.0"),
    ],
)
def test_a_wrong_number_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a whole number"):
        read(Settings, {**REQUIRED, variable: value})
