"""The launcher: how the gateway starts, drains and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.envoy.admin import EnvoyAdmin
from tests.integration.gateway.envoy.access.guarded import PREDICT, send
from tests.integration.gateway.envoy.gateway_process import (
    Answer,
    GatewayProcess,
    echo_settings,
    refuses_connections,
)
from tests.parts.polling import wait_until


def test_a_drain_lets_calls_end_and_refuses_new_ones(tmp_path: Path) -> None:
    settings = echo_settings()
    admin = EnvoyAdmin(port=settings.admin_port)
    answers: list[Answer] = []
    with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
        path = "/v1/predictions/x:wait?timeout=2s"
        call = threading.Thread(target=lambda: answers.append(gateway.request("GET", path)))
        call.start()
        wait_until(lambda: not admin.is_drained())
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(settings.port))
        assert gateway.process.poll() is None
        assert not answers
        call.join()
        assert gateway.process.wait(100) == 0
    assert [answer.status for answer in answers] == [200]


@contextmanager
def draining(log: Path) -> Iterator[GatewayProcess]:
    """A gateway that waits for a call to end, for longer than any test."""
    settings = echo_settings(drain_s=600)
    admin = EnvoyAdmin(port=settings.admin_port)
    with GatewayProcess(log=log, settings=settings) as gateway:
        connection = socket.create_connection(("127.0.0.1", settings.port))
        connection.sendall(b"GET /v1/predictions/x:wait?timeout=600s HTTP/1.1\r\nhost: x\r\n\r\n")
        wait_until(lambda: not admin.is_drained())
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(settings.port))
        yield gateway
        connection.close()


def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    with draining(tmp_path / "log") as gateway:
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(100) == 0


def test_an_envoy_that_dies_in_the_drain_is_no_good_end(tmp_path: Path) -> None:
    with draining(tmp_path / "log") as gateway:
        (envoy,) = psutil.Process(gateway.process.pid).children()
        envoy.kill()
        assert gateway.process.wait(100) == 1


def test_envoy_is_set_up_for_throughput(tmp_path: Path) -> None:
    with GatewayProcess(log=tmp_path / "log", settings=echo_settings()) as gateway:
        (envoy,) = psutil.Process(gateway.process.pid).children()
        assert os.sched_getscheduler(envoy.pid) == os.SCHED_BATCH
        assert "-event_engine_client" in envoy.environ()["GRPC_EXPERIMENTS"]


def test_a_busy_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = echo_settings(port=port)
        with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
            assert gateway.process.wait(100) == 1
        assert gateway.log.strip().splitlines() == [
            f"CRITICAL:gateway:cannot start: 127.0.0.1:{port}: Address already in use"
        ]


def test_a_bad_setting_is_told_in_one_line() -> None:
    result = subprocess.run(
        [sys.executable, "-P", "-m", "gateway.main"],
        env=os.environ | {"PMESH_GATEWAY_PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    said = "gateway: PMESH_GATEWAY_PORT must be a whole number, 1 to 65535, not 'http'"
    assert json.loads(line)["message"] == said


def test_an_application_that_does_not_load_ends_the_gateway(tmp_path: Path) -> None:
    settings = echo_settings(app="tests.integration.gateway.envoy.no_such_module:app")
    with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
        assert gateway.process.wait(100) == 1
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith("{")]
    assert {(line["program"], line["level"]) for line in lines} >= {("envoy", "critical")}
    missing = "No module named 'tests.integration.gateway.envoy.no_such_module'"
    assert any(missing in line["message"] for line in lines)


def test_envoy_dies_with_the_launcher(tmp_path: Path) -> None:
    settings = echo_settings()
    with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
        gateway.process.kill()
        gateway.process.wait()
        wait_until(lambda: refuses_connections(settings.port))


def test_connections_over_the_limit_are_closed(tmp_path: Path) -> None:
    settings = echo_settings(max_connections=2)
    with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
        held = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as third:
            assert third.recv(1) == b""
        for connection in held:
            connection.close()
        wait_until(lambda: gateway._serves_or_ended())


TOLD = '{"tokens": {"issuer": "a", "audience": "b", "jwks": "%s"}, "roles": {}}'


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (None, "No such file"),
        ("{}", "is no access policy"),
        (TOLD % "nowhere", "nowhere"),
        (TOLD % __file__, "no JSON Web Key Set"),
    ],
    ids=["no file", "no policy", "no keys", "keys that are none"],
)
def test_a_gateway_does_not_start_without_the_policy_that_it_is_told(
    tmp_path: Path, access: str | None, said: str
) -> None:
    file = tmp_path / "access.json"
    if access is not None:
        file.write_text(access)
    with GatewayProcess(log=tmp_path / "log", settings=echo_settings(access=file)) as process:
        assert process.process.poll() == 1
    assert said in process.log


def test_only_one_may_say_who_calls(tmp_path: Path) -> None:
    both = {"PMESH_GATEWAY_ACCESS": "access.json", "PMESH_GATEWAY_CALLER_HEADER": "x-user"}
    command = [sys.executable, "-m", "gateway.main"]
    done = subprocess.run(command, env=os.environ | both, capture_output=True, text=True)
    assert done.returncode == 1
    assert "only one may say who calls" in done.stderr


@pytest.mark.parametrize("timeout", ["0m", "1n", "999u"])
def test_a_deadline_that_is_over_is_told_in_silence(tmp_path: Path, timeout: str) -> None:
    with GatewayProcess(log=tmp_path / "log", settings=echo_settings()) as gateway:
        kind = [("content-type", "application/grpc"), ("te", "trailers")]
        headers = [*kind, ("grpc-timeout", timeout)]
        reply = send(gateway.port, "POST", PREDICT, headers, bytes(5))
        assert reply.headers["grpc-status"] == "4"
        assert "Traceback" not in gateway.log
