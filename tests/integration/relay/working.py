"""A worker of a model as small as can be: takes work from a queue and answers it."""

import json
from collections import Counter
from collections.abc import Callable

from tests.parts.bus_probe import Bus
from tests.parts.claims import answer
from tests.parts.polling import wait_until
from tests.parts.requests import Requests


def work_off(
    bus: Bus,
    requests: Requests,
    until: Callable[[], bool],
    *,
    model: str = "sentiment",
    copies: Callable[[], int] = lambda: 1,
) -> Counter[str]:
    """Work until a condition holds; answers with how often each request was worked on.

    copies: how often to publish the next answer.
    """
    work: Counter[str] = Counter()

    def take() -> bool:
        messages = bus.receive(f"predict-{model}", delete=True)
        ids = [json.loads(message["Body"])["predictionId"] for message in messages]
        for prediction_id, claim in requests.claim(ids, model=model).items():
            work[prediction_id] += 1
            for _ in range(copies()):
                bus.answer(answer(claim, model=model))
        return until()

    wait_until(take)
    return work
