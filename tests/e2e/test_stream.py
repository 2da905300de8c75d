"""StreamPredict: many texts over one call."""

import queue
from collections.abc import Iterator

import grpc
import pytest
from predict.v1.prediction_service_pb2 import (
    PredictRequest,
    StreamPredictRequest,
    StreamPredictResponse,
)

from tests.e2e.mesh import Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text, new_texts


def ask(text: str, model: str = "sentiment") -> StreamPredictRequest:
    return StreamPredictRequest(request=PredictRequest(model=model, text=text))


def test_answers_come_in_the_order_of_the_requests(mesh: Mesh, oracle: Oracle) -> None:
    texts = new_texts(500)
    answers = list(mesh.predictions.StreamPredict(map(ask, texts), timeout=60))
    assert [answer.prediction.text for answer in answers] == texts
    for answer, right in zip(answers, oracle.scores("sentiment", texts), strict=True):
        assert agree(answer.prediction.output.scores, right)


def test_a_bad_text_fails_alone_and_the_stream_goes_on(mesh: Mesh) -> None:
    requests = [
        ask(new_text()),
        ask(" "),
        ask(new_text(), "nosuch"),
        StreamPredictRequest(),
        ask(new_text(), "genre"),
    ]
    answers = list(mesh.predictions.StreamPredict(iter(requests), timeout=30))
    codes = [answer.error.code for answer in answers]
    assert codes == [
        grpc.StatusCode.OK.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        grpc.StatusCode.NOT_FOUND.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        grpc.StatusCode.OK.value[0],
    ]
    assert answers[-1].prediction.model == "genre"


class Conversation:
    """A stream whose requests are written one by one."""

    def __init__(self, mesh: Mesh) -> None:
        self._requests: queue.Queue[StreamPredictRequest | None] = queue.Queue()
        self.call = mesh.predictions.StreamPredict(iter(self._requests.get, None), timeout=30)

    def ask(self, text: str) -> None:
        self._requests.put(ask(text))

    def half_close(self) -> None:
        self._requests.put(None)

    def __iter__(self) -> Iterator[StreamPredictResponse]:
        return iter(self.call)


def test_each_text_is_answered_before_the_next_one_is_sent(mesh: Mesh) -> None:
    conversation = Conversation(mesh)
    for text in new_texts(5):
        conversation.ask(text)
        assert next(conversation.call).prediction.text == text
    conversation.half_close()
    assert list(conversation) == []
    assert conversation.call.code() is grpc.StatusCode.OK


def test_a_half_closed_stream_ends_well_after_the_last_answer(mesh: Mesh) -> None:
    texts = new_texts(20)
    with mesh.stopped("triton"):
        conversation = Conversation(mesh)
        for text in texts:
            conversation.ask(text)
        conversation.half_close()
    assert [answer.prediction.text for answer in conversation] == texts
    assert conversation.call.code() is grpc.StatusCode.OK


def test_a_stream_without_requests_ends_well(mesh: Mesh) -> None:
    call = mesh.predictions.StreamPredict(iter(()), timeout=30)
    assert list(call) == []
    assert call.code() is grpc.StatusCode.OK


def test_a_cancelled_stream_ends_and_stores_nothing_more(mesh: Mesh) -> None:
    texts = new_texts(10)
    with mesh.stopped("triton"):
        conversation = Conversation(mesh)
        for text in texts:
            conversation.ask(text)
        conversation.call.cancel()
        with pytest.raises(grpc.RpcError):
            next(conversation.call)
        assert conversation.call.code() is grpc.StatusCode.CANCELLED
        after = mesh.predictions.StreamPredict(iter([ask(new_text())]), timeout=30)
    assert next(after).prediction.text
    assert mesh.query("SELECT FROM requests WHERE text = ANY (%s)", (texts,)) == []
