"""SIGTERM with calls of each kind in flight: nobody is cut off, and everybody is told."""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from grpc_status import rpc_status
from predict.v1 import prediction_pb2
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    StreamPredictRequest,
    WaitPredictionRequest,
    WatchPredictionRequest,
)
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from tests.integration.gateway.envoy.gateway_process import Answer, refuses_connections
from tests.integration.gateway.whole import (
    NOT_SERVING,
    SERVING,
    WholeGateway,
    list_models,
    release,
)
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.words_process import WordsProcess

ACCEPTED = prediction_pb2.PREDICTION_STATE_ACCEPTED
SHUTTING_DOWN = ("UNAVAILABLE", "SHUTTING_DOWN", 1)

Start = Callable[..., WholeGateway]


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Iterator[Start]:
    """Starts the gateway, with changes to its settings, and a model released."""
    with WordsProcess() as words:
        list_models(database, "words", address=words.address)
        release(database, "words")
        started: list[WholeGateway] = []

        def start(**changes: Any) -> WholeGateway:
            started.append(WholeGateway(database, tmp_path, **changes).__enter__())
            return started[-1]

        yield start
        for gateway in started:
            gateway.process.kill()
            gateway.process.wait()


class InFlight:
    """A call in a thread of its own; `result` gives what it returned, or raises what it raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._outcome.put((call(), None))
        except BaseException as error:
            self._outcome.put((None, error))

    def result(self) -> Any:
        value, error = self._outcome.get(timeout=100)
        if error is not None:
            raise error
        return value


def stop(gateway: WholeGateway) -> None:
    gateway.process.send_signal(signal.SIGTERM)


def ended_well(gateway: WholeGateway) -> bool:
    return gateway.process.wait(100) == 0 and "killing" not in gateway.log


def refusal(error: Any) -> tuple[str, str, float]:
    """Code, reason and delay of a gRPC call that failed."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    return error.code().name, info.reason, retry.retry_delay.ToTimedelta().total_seconds()


def refused(answer: Answer) -> bool:
    """Whether a REST call was told the same."""
    info, retry = answer.json["details"]
    told = (answer.status, info["reason"], retry["retryDelay"])
    return told == (503, "SHUTTING_DOWN", "1s")


def raises(call: Callable[[], Any]) -> tuple[str, str, float]:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return refusal(raised.value)


def by_rest(gateway: WholeGateway, text: str) -> Answer:
    return gateway.request("POST", "/v1/models/words:predict", {"text": text})


def accepted(stub: PredictionServiceStub) -> str:
    """The id of a prediction that nobody works on."""
    request = CreatePredictionRequest(model="words", text="good")
    return str(stub.CreatePrediction(request).prediction.id)


def has_calls(gateway: WholeGateway, count: int) -> bool:
    """Whether so many requests are in flight in Envoy, the one that asks left out."""
    stats = httpx.get(
        f"http://127.0.0.1:{gateway.settings.admin_port}/stats"
        "?filter=^http.gateway.downstream_rq_active$"
    )
    return stats.text.strip().endswith(f": {count}")


def test_calls_in_work_end_with_their_answer(start: Start) -> None:
    gateway = start()
    calls = [
        InFlight(lambda: gateway.predict("sleep 2")),
        InFlight(lambda: by_rest(gateway, "sleep 2")),
    ]
    wait_until(lambda: has_calls(gateway, 2))
    stop(gateway)
    assert calls[0].result().prediction.output.label == "negative"
    assert calls[1].result().json["output"]["label"] == "negative"
    assert ended_well(gateway)


def test_calls_that_do_not_end_in_time_are_told_to_come_again(start: Start) -> None:
    gateway = start(drain_s=0.5)
    calls = [
        InFlight(lambda: gateway.predict("sleep 9")),
        InFlight(lambda: by_rest(gateway, "sleep 9")),
    ]
    wait_until(lambda: has_calls(gateway, 2))
    stop(gateway)
    assert raises(calls[0].result) == SHUTTING_DOWN
    assert refused(calls[1].result())
    assert ended_well(gateway)


def test_waits_are_answered_as_the_prediction_then_stands(start: Start) -> None:
    gateway = start()
    with gateway.stub() as stub:
        ids = [accepted(stub), accepted(stub)]
        request = WaitPredictionRequest(id=ids[0])
        request.timeout.FromSeconds(60)
        calls = [
            InFlight(lambda: stub.WaitPrediction(request)),
            InFlight(lambda: gateway.request("GET", f"/v1/predictions/{ids[1]}:wait?timeout=60s")),
        ]
        wait_until(lambda: has_calls(gateway, 2))
        stop(gateway)
        prediction = calls[0].result().prediction
        assert (prediction.id, prediction.state) == (ids[0], ACCEPTED)
        answer = calls[1].result()
        assert answer.status == 200
        assert (answer.json["id"], answer.json["state"]) == (ids[1], "PREDICTION_STATE_ACCEPTED")
    assert ended_well(gateway)


def test_a_watch_is_told_to_come_again(start: Start) -> None:
    gateway = start()
    with gateway.stub() as stub:
        prediction = accepted(stub)
        watch = stub.WatchPrediction(WatchPredictionRequest(id=prediction))
        assert next(watch).prediction.state == ACCEPTED
        stop(gateway)
        assert raises(lambda: next(watch)) == SHUTTING_DOWN
    assert ended_well(gateway)


def test_a_watch_over_rest_ends_whole(start: Start) -> None:
    """As server-sent events do: their reader connects again."""
    gateway = start()
    with gateway.stub() as stub:
        url = f"http://127.0.0.1:{gateway.port}/v1/predictions/{accepted(stub)}:watch"
    with httpx.stream("GET", url, timeout=20) as response:
        lines = response.iter_lines()
        assert "ACCEPTED" in next(lines)
        stop(gateway)
        assert not any(lines)
    assert ended_well(gateway)


def test_a_watch_over_grpc_web_is_told_to_come_again(start: Start) -> None:
    gateway = start()
    with gateway.stub() as stub:
        payload = WatchPredictionRequest(id=accepted(stub)).SerializeToString()
    url = f"http://127.0.0.1:{gateway.port}/predict.v1.PredictionService/WatchPrediction"
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    body = b"\0" + len(payload).to_bytes(4, "big") + payload
    with httpx.stream("POST", url, headers=headers, content=body, timeout=20) as response:
        chunks = response.iter_bytes()
        assert next(chunks)[0] == 0
        stop(gateway)
        trailers = b"".join(chunks)
    assert trailers[0] == 0x80
    assert b"grpc-status:14" in trailers
    assert b"grpc-status-details-bin:" in trailers
    assert ended_well(gateway)


def test_the_texts_of_a_stream_that_are_in_work_are_answered_first(start: Start) -> None:
    gateway = start()
    with gateway.stub() as stub:
        texts: queue.SimpleQueue[StreamPredictRequest] = queue.SimpleQueue()
        answers = stub.StreamPredict(iter(texts.get, None))

        def send(text: str) -> None:
            request = PredictRequest(model="words", text=text)
            texts.put(StreamPredictRequest(request=request))

        send("good")
        assert next(answers).prediction.output.label == "positive"
        send("sleep 1")
        send("good good")
        time.sleep(0.3)  # so that it has been read
        stop(gateway)
        assert next(answers).prediction.output.label == "negative"
        assert next(answers).prediction.output.label == "positive"
        assert raises(lambda: next(answers)) == SHUTTING_DOWN
    assert ended_well(gateway)


def test_health_turns_and_its_watches_end(start: Start) -> None:
    gateway = start()
    with gateway.health() as health:
        watches = [health.Watch(HealthCheckRequest(service=name)) for name in ("", "models/words")]
        assert [next(watch).status for watch in watches] == [SERVING] * 2
        stop(gateway)
        assert [next(watch).status for watch in watches] == [NOT_SERVING] * 2
        assert [raises(lambda w=watch: next(w)) for watch in watches] == [SHUTTING_DOWN] * 2
    assert ended_well(gateway)


def test_any_other_stream_is_told_to_come_again(start: Start) -> None:
    gateway = start()
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        questions: queue.SimpleQueue[ServerReflectionRequest] = queue.SimpleQueue()
        questions.put(ServerReflectionRequest(list_services=""))
        answers = ServerReflectionStub(channel).ServerReflectionInfo(iter(questions.get, None))
        assert next(answers).list_services_response.service
        stop(gateway)
        assert raises(lambda: next(answers)) == SHUTTING_DOWN
    assert ended_well(gateway)


def test_a_gateway_that_leaves_says_so_and_serves_for_as_long_as_the_delay(start: Start) -> None:
    gateway = start(drain_delay_s=60)
    stop(gateway)
    wait_until(lambda: gateway.readyz()[0] == 503)
    assert gateway.why() == "SHUTTING_DOWN"
    assert gateway.status() == gateway.status("models/words") == NOT_SERVING
    assert gateway.request("GET", "/healthz").status == 200
    assert gateway.predict("good").prediction.output.label == "positive"
    assert by_rest(gateway, "good").status == 200
    stop(gateway)  # the second signal
    assert ended_well(gateway)


def test_calls_on_open_connections_are_answered_during_the_drain(start: Start) -> None:
    gateway = start()
    base_url = f"http://127.0.0.1:{gateway.port}"
    with (
        gateway.stub() as stub,
        httpx.Client(base_url=base_url) as http1,
    ):
        prediction = accepted(stub)
        assert http1.get("/healthz").status_code == 200
        slow = InFlight(lambda: gateway.predict("sleep 3"))
        wait_until(lambda: has_calls(gateway, 1))
        stop(gateway)
        wait_until(lambda: refuses_connections(gateway.port))
        last = stub.WaitPrediction(WaitPredictionRequest(id=prediction)).prediction
        assert last.state == ACCEPTED
        answer = http1.get("/healthz")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert slow.result().prediction.output.label == "negative"
    assert ended_well(gateway)
