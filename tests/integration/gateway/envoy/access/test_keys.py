"""The issuer's keys: not there yet, gone, slow, none, and others."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    PROTOCOLS,
    bearer,
    decision,
    guarded,
    predict,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.certificate import make_certificate
from tests.parts.issuer import Issuer, new_keys, serving
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

SECRET = b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, Issuer]]:
    """A gateway that asks an issuer for its keys, again and again."""
    issuer = Issuer()
    with (
        serving(issuer) as url,
        guarded(tmp_path_factory.mktemp("keys"), jwks=url, keys_refresh_s=0.2) as gateway,
    ):
        yield gateway, issuer


def decide(gateway: GatewayProcess, token: str, protocol: str = "rest") -> str:
    return decision(predict(gateway.port, protocol, bearer(token)))


def test_a_gateway_starts_without_them_and_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    issuer, port = Issuer(), free_port()
    token = issuer.token(roles=["app"])
    url = f"http://127.0.0.1:{port}/jwks.json"
    with guarded(tmp_path_factory.mktemp("late"), jwks=url, keys_refresh_s=0.2) as gateway:
        for protocol in PROTOCOLS:
            assert decide(gateway, token, protocol) == "KEYS_UNAVAILABLE"
        reply = predict(gateway.port, "rest", bearer(token))
        assert reply.status == 503
        assert json.loads(reply.body)["details"][1]["retryDelay"] == "1s"
        assert decision(predict(gateway.port, "rest")) == "UNAUTHENTICATED"
        with serving(issuer, port=port):
            wait_until(lambda: decide(gateway, token) == PASSED)


@pytest.mark.parametrize(
    "body",
    [
        b'{"keys": []}',
        b"{}",
        b"[]",
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        b'{"keys": [{"kty": "RSA"}]}',
        SECRET,
    ],
)
def test_they_stay_while_others_cannot_be_read(
    asked: tuple[GatewayProcess, Issuer], body: bytes
) -> None:
    gateway, issuer = asked
    issuer.body = body
    try:
        wait_for_two(issuer)
        assert decide(gateway, issuer.token(roles=["app"])) == PASSED
    finally:
        issuer.body = None


@pytest.mark.parametrize("status", [302, 404, 500])
def test_they_stay_while_the_issuer_fails(
    asked: tuple[GatewayProcess, Issuer], status: int
) -> None:
    gateway, issuer = asked
    issuer.status = status
    try:
        wait_for_two(issuer)
        assert decide(gateway, issuer.token(roles=["app"])) == PASSED
    finally:
        issuer.status = 200


def test_they_stay_while_the_issuer_does_not_answer(
    asked: tuple[GatewayProcess, Issuer],
) -> None:
    gateway, issuer = asked
    issuer.silent.set()
    try:
        before = issuer.asked
        wait_until(lambda: issuer.asked > before)
        assert decide(gateway, issuer.token(roles=["app"])) == PASSED
    finally:
        issuer.silent.clear()


def test_a_new_key_counts_and_the_old_one_no_more(asked: tuple[GatewayProcess, Issuer]) -> None:
    gateway, issuer = asked
    old = issuer.token(roles=["app"])
    assert decide(gateway, old) == PASSED
    issuer.keys = new_keys()
    new = issuer.token(roles=["app"])
    wait_until(lambda: decide(gateway, new) == PASSED)
    assert decide(gateway, old) == "UNAUTHENTICATED"


def test_those_in_a_file_are_replaced_too(tmp_path: Path) -> None:
    issuer, file = Issuer(), tmp_path / "jwks.json"
    file.write_bytes(issuer.jwks())
    with guarded(tmp_path, jwks=str(file), keys_refresh_s=0.2) as gateway:
        old = issuer.token(roles=["app"])
        assert decide(gateway, old) == PASSED
        issuer.keys = new_keys()
        file.write_bytes(issuer.jwks())
        new = issuer.token(roles=["app"])
        wait_until(lambda: decide(gateway, new) == PASSED)
        assert decide(gateway, old) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("name", "is_trusted"), [("localhost", True), ("localhost", False), ("other.example", True)]
)
def test_they_are_those_of_a_server_that_is_trusted_and_of_the_name(
    tmp_path: Path, name: str, is_trusted: bool
) -> None:
    file, key = make_certificate(tmp_path, name=name)
    (tmp_path / "others").mkdir()
    others, _ = make_certificate(tmp_path / "others")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    issuer = Issuer()
    trusted = {"SSL_CERT_FILE": str(file if is_trusted else others)}
    with (
        serving(issuer, tls=context) as url,
        guarded(tmp_path, jwks=url, environment=trusted) as gateway,
    ):
        good = name == "localhost" and is_trusted
        decided = decide(gateway, issuer.token(roles=["app"]))
        assert decided == (PASSED if good else "KEYS_UNAVAILABLE")
        assert bool(issuer.asked) == good


def wait_for_two(issuer: Issuer) -> None:
    """The first of them may have been answered before."""
    before = issuer.asked
    wait_until(lambda: issuer.asked >= before + 2)
