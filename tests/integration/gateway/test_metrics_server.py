"""The port that Prometheus reads: who may, and that nobody keeps it from others."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import grpc
import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.calls import Calls
from gateway.metrics.histogram import SECONDS as BOUNDS_S
from telemetry.metrics_server import metrics_server, serving_metrics
from tests.parts.ports import free_port

RPC = "predict.v1.PredictionService/Predict"


@pytest.fixture
def port() -> int:
    return free_port()


def read(port: int, *, address: str = "127.0.0.1", host: str = "") -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=20) as client:
        headers = {"host": host} if host else {}
        return client.get(f"http://{address}:{port}/metrics", headers=headers)


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/metrics/", "/healthz"])
def test_there_is_nothing_beside_the_metrics(port: int, path: str) -> None:
    with metrics_server("127.0.0.1", port, Calls()), httpx.Client(trust_env=False) as client:
        answer = client.get(f"http://127.0.0.1:{port}{path}")
    assert (answer.status_code, answer.text) == (404, "the metrics are at /metrics\n")


def test_a_histogram_counts_what_is_at_most_its_bound(port: int) -> None:
    calls = Calls()
    series = calls.of(RPC)
    for seconds in (0.001, 0.005, 0.006, 10.0, 11.0):
        series.active += 1
        series.end(grpc.StatusCode.OK, seconds)
    series.active += 1
    with metrics_server("127.0.0.1", port, calls):
        lines = read(port).text.splitlines()
    name = "rpc_server_call_duration_seconds"
    buckets = [
        float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}_bucket{{")
    ]
    assert buckets == [2.0] + [3.0] * (len(BOUNDS_S) - 2) + [4.0, 5.0]
    labels = f'rpc_method="{RPC}",rpc_response_status_code="OK",rpc_system_name="grpc"'
    assert f"{name}_count{{{labels}}} 5.0" in lines
    assert f'rpc_server_active_calls{{rpc_method="{RPC}",rpc_system_name="grpc"}} 1.0' in lines


@pytest.mark.parametrize("host", ["localhost", "localhost:9464", "127.0.0.1", "[::1]:9464"])
def test_names_of_this_machine_are_taken(port: int, host: str) -> None:
    with metrics_server("127.0.0.1", port, Calls()):
        assert read(port, host=host).status_code == httpx.codes.OK


@pytest.mark.parametrize("host", ["evil.example.com", "localhost.evil.example.com", "[", "x:y"])
def test_a_name_that_a_web_page_may_have_is_not(port: int, host: str) -> None:
    with metrics_server("127.0.0.1", port, Calls()):
        assert read(port, host=host).status_code == httpx.codes.FORBIDDEN


def test_where_others_may_come_they_come_by_any_name(port: int) -> None:
    with metrics_server("0.0.0.0", port, Calls()):  # noqa: S104
        assert read(port, host="gateway.mesh.svc").status_code == httpx.codes.OK


def test_version_6_is_served(port: int) -> None:
    with metrics_server("::1", port, Calls()):
        assert read(port, address="[::1]").status_code == httpx.codes.OK


@pytest.mark.parametrize("started", [b"", b"GET /metrics HTTP/1.1\r\n"])
def test_whoever_asks_slowly_is_cut_off(
    port: int, started: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.metrics_server.READ_S", 0.3)
    with (
        metrics_server("127.0.0.1", port, Calls()),
        socket.create_connection(("127.0.0.1", port), timeout=20) as slow,
    ):
        slow.sendall(started)
        assert read(port).status_code == httpx.codes.OK
        while slow.recv(1024):
            pass  # until it is closed


class Slow(Collector):
    """Takes its time to say how things stand."""

    def collect(self) -> Iterator[Metric]:
        time.sleep(0.5)
        yield GaugeMetricFamily("slow", "It came.", value=1)


def test_an_answer_may_take_longer_than_a_request(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry.metrics_server.READ_S", 0.1)
    registry = CollectorRegistry()
    registry.register(Slow())
    with serving_metrics("127.0.0.1", port, registry):
        assert "slow 1.0" in read(port).text


class Long(Collector):
    """More than the buffers of a connection hold."""

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("long", "x" * 16_000_000, value=1)
        yield family


def test_whoever_reads_slowly_holds_nobody_up(port: int) -> None:
    registry = CollectorRegistry()
    registry.register(Long())
    with (
        serving_metrics("127.0.0.1", port, registry, answer_s=1.0),
        socket.create_connection(("127.0.0.1", port), timeout=20) as slow,
    ):
        slow.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        slow.recv(1)
        with httpx.Client(trust_env=False, timeout=20) as client:
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 404


def test_whoever_goes_meanwhile_is_no_news(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Its deadline passes over a connection that is no more."""
    registry = CollectorRegistry()
    registry.register(Slow())
    ends: list[threading.ExceptHookArgs] = []
    hook, threading.excepthook = threading.excepthook, ends.append
    try:
        with serving_metrics("127.0.0.1", port, registry, answer_s=0.2):
            with socket.create_connection(("127.0.0.1", port)) as gone:
                gone.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with httpx.Client(trust_env=False, timeout=20) as client:
                assert client.get(f"http://127.0.0.1:{port}/").status_code == 404
    finally:
        threading.excepthook = hook
    assert (ends, capfd.readouterr().err) == ([], "")


@pytest.mark.parametrize(
    ("address", "reason"), [("127.0.0.1", "Address already in use"), ("nowhere", "no IP address")]
)
def test_an_address_that_cannot_be_had_is_named(port: int, address: str, reason: str) -> None:
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(OSError, match=f"metrics at {address}:{port}: .*{reason}"),
        metrics_server(address, port, Calls()),
    ):
        pass
