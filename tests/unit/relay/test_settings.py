"""The relay's environment."""

import pytest

from gateway.relay.settings import Settings

ARN = "arn:aws:sns:us-east-1:123456789012:predict-events"


def test_only_the_topic_must_be_given() -> None:
    assert Settings.from_env({"PMESH_TOPIC_ARN": ARN}) == Settings(topic_arn=ARN)


def test_every_limit_can_be_set() -> None:
    settings = Settings.from_env(
        {
            "PMESH_TOPIC_ARN": ARN,
            "PMESH_BUS_PREFIX": "team-a",
            "PMESH_FEATURES_BUCKET": "features",
            "PMESH_MAX_ATTEMPTS": "2",
            "PMESH_RELAY_MAX_IN_FLIGHT": "7",
            "PMESH_RELAY_POLL_S": "0.1",
            "PMESH_RELAY_RECEIVE_WAIT_S": "1",
            "PMESH_RELAY_SWEEP_S": "0.2",
            "PMESH_RELAY_REARM_AFTER_S": "0.3",
            "PMESH_RELAY_LOST_AFTER_S": "0.4",
        }
    )
    assert settings == Settings(ARN, "team-a", "features", 2, 7, 0.1, 1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize("arn", ["", "predict-events", "arn:aws:sqs:us-east-1:123456789012:q"])
def test_what_is_no_topic_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="PMESH_TOPIC_ARN must be the ARN of an SNS topic"):
        Settings.from_env({"PMESH_TOPIC_ARN": arn})


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", ""])
def test_what_is_no_number_above_0_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="PMESH_RELAY_SWEEP_S must be a number above 0"):
        Settings.from_env({"PMESH_TOPIC_ARN": ARN, "PMESH_RELAY_SWEEP_S": value})
