"""The relay's environment."""

import pytest

from contract.settings import read
from relay.settings import Settings

ARN = "arn:aws:sns:us-east-1:123456789012:predict-events"


def test_only_the_topic_must_be_given() -> None:
    assert read(Settings, {"PMESH_TOPIC_ARN": ARN}) == Settings(topic_arn=ARN)
    with pytest.raises(ValueError, match="PMESH_TOPIC_ARN is not set"):
        read(Settings, {})


def test_every_limit_can_be_set() -> None:
    settings = read(
        Settings,
        {
            "PMESH_TOPIC_ARN": ARN,
            "PMESH_BUS_PREFIX": "team-a",
            "PMESH_FEATURES_BUCKET": "features",
            "PMESH_MAX_ATTEMPTS": "2",
            "PMESH_RELAY_MAX_IN_FLIGHT": "7",
            "PMESH_RELAY_POLL_S": "0.1",
            "PMESH_RELAY_RECEIVE_WAIT_S": "1",
            "PMESH_RELAY_SWEEP_S": "0.2",
            "PMESH_RELAY_DEAD_LETTERS_S": "0.25",
            "PMESH_RELAY_REARM_AFTER_S": "0.3",
            "PMESH_RELAY_LOST_AFTER_S": "0.4",
        },
    )
    assert settings == Settings(
        topic_arn=ARN,
        bus_prefix="team-a",
        features_bucket="features",
        max_attempts=2,
        max_in_flight=7,
        poll_s=0.1,
        receive_wait_s=1,
        sweep_s=0.2,
        dead_letters_s=0.25,
        rearm_after_s=0.3,
        lost_after_s=0.4,
    )


@pytest.mark.parametrize("arn", ["predict-events", "arn:aws:sqs:us-east-1:123456789012:q"])
def test_what_is_no_topic_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="PMESH_TOPIC_ARN must be the ARN of an SNS topic"):
        read(Settings, {"PMESH_TOPIC_ARN": arn})


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_number_of_seconds_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="PMESH_RELAY_SWEEP_S must be a number"):
        read(Settings, {"PMESH_TOPIC_ARN": ARN, "PMESH_RELAY_SWEEP_S": value})


@pytest.mark.parametrize(
    "variable", ["PMESH_MAX_ATTEMPTS", "PMESH_RELAY_MAX_IN_FLIGHT", "PMESH_RELAY_RECEIVE_WAIT_S"]
)
@pytest.mark.parametrize("value", ["0", "-1", "0.5", "1e2", "½", "many"])
def test_a_number_of_things_is_whole(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a whole number, 1 to"):
        read(Settings, {"PMESH_TOPIC_ARN": ARN, variable: value})
