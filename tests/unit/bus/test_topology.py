"""The names on the bus."""

from gateway.bus.topology import Names, dead_letters


def test_names_come_from_the_prefix_and_the_model() -> None:
    names = Names("team-a")
    assert names.topic == "team-a-events"
    assert names.gateway_queue == "team-a-gateway"
    assert names.model_queue("sentiment") == "team-a-sentiment"
    assert dead_letters(names.model_queue("sentiment")) == "team-a-sentiment-dead"


def test_the_longest_model_id_still_makes_a_queue_name() -> None:
    # 80 characters: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    assert len(dead_letters(Names("predict").model_queue("m" * 63))) <= 80
