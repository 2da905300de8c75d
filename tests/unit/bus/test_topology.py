"""The names on the bus."""

import pytest

from bus.topology import PREFIX, TOPIC_ARN, Names, dead_letters
from contract.version_name import check_model_id


def test_names_come_from_the_prefix_and_the_model() -> None:
    names = Names("team-a")
    assert names.topic == "team-a-events"
    assert names.gateway_queue == "team-a-gateway"
    assert names.model_queue("sentiment") == "team-a-sentiment"
    assert dead_letters(names.model_queue("sentiment")) == "team-a-sentiment-dead"


def test_the_longest_model_id_still_makes_a_queue_name() -> None:
    # 80 characters: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    assert len(dead_letters(Names(PREFIX).model_queue("m" * 63))) <= 80


def test_no_model_may_be_called_so_that_its_queue_is_another_one() -> None:
    names = Names(PREFIX)
    taken = [names.gateway_queue, dead_letters(names.model_queue("genre"))]
    for model, queue in zip(("gateway", "genre-dead"), taken, strict=True):
        assert names.model_queue(model) == queue
        with pytest.raises(ValueError, match="no model can be called"):
            check_model_id(model)
    for model in ("genre", "dead", "gateways", "deadline-x"):
        check_model_id(model)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:us-east-1:123456789012:predict-events",
        "arn:aws-cn:sns:cn-north-1:123456789012:predict-events",
    ],
)
def test_topics_have_arns_of_this_form(arn: str) -> None:
    assert TOPIC_ARN.fullmatch(arn)
    assert not TOPIC_ARN.fullmatch(arn.replace("sns", "sqs"))
    assert not TOPIC_ARN.fullmatch(arn + "\n")
    assert not TOPIC_ARN.fullmatch(arn.rpartition(":")[0])
