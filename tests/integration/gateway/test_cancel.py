"""Taking back what a worker holds just now, in a transaction that does not end."""

import asyncio
import time
from contextlib import nullcontext

import pytest
from grpc import StatusCode

from contract.errors import PredictionFinished, StoreUnavailable
from gateway.prediction import State
from gateway.recorded import RecordedPredictions
from gateway.store.predictions import PredictionStore
from tests.parts.catalog import register
from tests.parts.postgres import Database
from tests.parts.requests import Requests


class Unused:
    """The changes of a service that only cancels."""

    ended = False

    def watch(self, prediction_id: str) -> nullcontext[asyncio.Event]:
        raise NotImplementedError


@pytest.fixture
def requests(database: Database) -> Requests:
    register(database, {"sentiment": ["1"]})
    return Requests(database)


@pytest.fixture
def service(store: PredictionStore) -> RecordedPredictions:
    return RecordedPredictions(store=store, changes=Unused())


async def test_a_held_prediction_is_refused_soon_and_others_are_read_and_cancelled(
    service: RecordedPredictions, requests: Requests
) -> None:
    held, other = requests.accept(8), requests.accept()[0]
    with requests.hold(held):
        begin = time.monotonic()
        refused = [asyncio.create_task(service.cancel(id)) for id in held]
        await asyncio.sleep(0.1)
        assert (await service.cancel(other)).state is State.CANCELLED
        assert (await service.get(held[0])).state is State.ACCEPTED
        assert not any(task.done() for task in refused)
        for task in refused:
            with pytest.raises(StoreUnavailable) as raised:
                await task
            assert raised.value.code is StatusCode.UNAVAILABLE
        assert time.monotonic() - begin < 5
    assert requests.states() == {"RUNNING": 8, "CANCELLED": 1}


async def test_a_prediction_is_cancelled_when_it_is_free_again(
    service: RecordedPredictions, requests: Requests
) -> None:
    (id_,) = requests.accept()
    with requests.hold([id_]):
        cancelling = asyncio.create_task(service.cancel(id_))
        await asyncio.sleep(0.3)
        assert not cancelling.done()
    assert (await cancelling).state is State.CANCELLED


async def test_what_is_finished_is_refused_at_once_though_somebody_holds_it(
    service: RecordedPredictions, requests: Requests
) -> None:
    (id_,) = requests.accept()
    requests.execute("UPDATE requests SET state = 'FAILED', complete_time = now()")
    with requests.hold([id_]), pytest.raises(PredictionFinished):
        await asyncio.wait_for(service.cancel(id_), 1)
