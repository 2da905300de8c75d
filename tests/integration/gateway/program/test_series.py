"""However many different things clients send, the gateway tells of them in the same series."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from uuid import uuid4

import httpx
import psutil
import pytest
from grpc import StatusCode
from predict.v1.prediction_service_pb2 import PredictRequest, StreamPredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from contract.reasons import all_reasons, reason_name
from tests.integration.gateway.program.running import Running

pytestmark = pytest.mark.timeout(300)

FEW, MANY = 1_000, 100_000
CONNECTIONS = 32
MORE_MIB = 48
"""What the process may grow by: far less than what it has been sent."""
PADDING = "p" * 1000
"""In each request: kept of each, it would be 100 MiB."""


def session(n: int) -> tuple[str, str, dict[str, str], str]:
    """A good call."""
    return "POST", "/v1/models/sentiment:predict", {"x-session-id": f"s{n}"}, '{"text": "good"}'


def unknown_model(n: int) -> tuple[str, str, dict[str, str], str]:
    return "POST", f"/v1/models/nosuch-{n}:predict", {}, '{"text": "good"}'


def unknown_version(n: int) -> tuple[str, str, dict[str, str], str]:
    body = f'{{"text": "good", "version": "{n + 100}"}}'
    return "POST", "/v1/models/sentiment:predict", {}, body


def unknown_prediction(n: int) -> tuple[str, str, dict[str, str], str]:
    return "GET", f"/v1/predictions/{uuid4()}", {}, ""


def unknown_path(n: int) -> tuple[str, str, dict[str, str], str]:
    return "GET", f"/v1/nothing-{n}/here?q={n}", {}, ""


def unknown_method(n: int) -> tuple[str, str, dict[str, str], str]:
    return "POST", f"/predict.v1.Service{n}/Method{n}", {"content-type": "application/grpc"}, ""


def headers(n: int) -> tuple[str, str, dict[str, str], str]:
    said = {
        "user-agent": f"agent-{n}",
        "x-request-id": f"{uuid4()}",
        "x-caller": f"caller-{n}",
        "traceparent": f"00-{n + 1:032x}-{n + 1:016x}-01",
        "tracestate": f"a{n}=b",
        f"x-of-{n}": "value",
        "origin": f"https://{n}.example.com",
    }
    return "GET", "/v1/models?pageSize=1", said, ""


KINDS: tuple[Callable[[int], tuple[str, str, dict[str, str], str]], ...] = (
    *(session, unknown_model, unknown_version, unknown_prediction),
    *(unknown_path, unknown_method, headers),
)
ENDINGS = {
    *(("rpc_response_status_code", code.name) for code in StatusCode),
    *((label, reason_name(reason)) for label in ("reason", "outcome") for reason in all_reasons()),
}
"""How calls and texts may end: a fixed set, of which some occur later, such as under load."""
STREAMED = len(KINDS)
"""Of as many, one more goes by a stream, as a request id that nobody had before."""


def send(port: int, numbers: range) -> None:
    """One after the other, each of another kind than the one before it, and none like another."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for n in numbers:
        method, path, said, body = KINDS[n % len(KINDS)](n)
        connection.request(method, path, body or None, {"x-padding": PADDING, **said})
        connection.getresponse().read()
    connection.close()


def stream(gateway: Running, numbers: range) -> None:
    """Ids of requests, and models that there are not, by one stream."""
    asked = (
        StreamPredictRequest(
            request=PredictRequest(
                model="sentiment" if n % 2 else f"none-{n}",
                text="good",
                request_id=str(uuid4()),
                tags={"source": f"{n}"},
            )
        )
        for n in numbers
    )
    answered = PredictionServiceStub(gateway.grpc.channel).StreamPredict(asked, timeout=200)
    assert sum(1 for _ in answered) == len(numbers)


def send_all(gateway: Running, numbers: range) -> None:
    """Over many connections, and an eighth of them by a stream."""
    port = int(gateway.address.rpartition(":")[2])
    cut = numbers.start + len(numbers) * STREAMED // (STREAMED + 1)
    by_connection, streamed = range(numbers.start, cut), range(cut, numbers.stop)
    with ThreadPoolExecutor(CONNECTIONS + 1) as clients:
        sent = [
            clients.submit(send, port, by_connection[first::CONNECTIONS])
            for first in range(CONNECTIONS)
        ]
        sent.append(clients.submit(stream, gateway, streamed))
        for one in sent:
            one.result()


def told(gateway: Running) -> list[Metric]:
    said = httpx.get(gateway.metrics_url, trust_env=False).text
    return list(text_string_to_metric_families(said))


def names(metrics: Iterable[Metric]) -> set[tuple[str, str]]:
    """Of metrics, and what their labels say: series are of no more than these can make."""
    labels = {
        label for metric in metrics for sample in metric.samples for label in sample.labels.items()
    }
    return labels | {("", metric.name) for metric in metrics}


def resident_mib(gateway: Running) -> float:
    root = psutil.Process(gateway.process.pid)
    processes = (root, *root.children(recursive=True))
    return sum(process.memory_info().rss for process in processes) / 2**20


def test_a_hundred_thousand_different_clients_make_no_series(gateway: Running) -> None:
    send_all(gateway, range(FEW))
    first = told(gateway)
    before = names(first)
    assert sum(len(metric.samples) for metric in first) > 100
    send_all(gateway, range(FEW, MANY // 10))
    small = resident_mib(gateway)
    send_all(gateway, range(MANY // 10, MANY))
    assert names(told(gateway)) - before <= ENDINGS
    assert not [one for _, one in before if re.search("nosuch|none-|agent-|caller-", one)]
    assert resident_mib(gateway) - small < MORE_MIB
