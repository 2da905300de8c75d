"""The issuer's keys: not there yet, gone, slow, none, and others."""

from collections.abc import Iterator

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
from tests.parts.issuer import Issuer, new_keys, serving
from tests.parts.polling import wait_until
from tests.parts.ports import free_port


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, Issuer]]:
    """A gateway that asks an issuer for its keys, again and again."""
    issuer = Issuer()
    with (
        serving(issuer) as url,
        guarded(tmp_path_factory.mktemp("keys"), jwks=url, keys_refresh_s=1) as gateway,
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
    with guarded(tmp_path_factory.mktemp("late"), jwks=url, keys_refresh_s=1) as gateway:
        for protocol in PROTOCOLS:
            assert decide(gateway, token, protocol) == "KEYS_UNAVAILABLE"
        assert predict(gateway.port, "rest", bearer(token)).status == 503
        assert decision(predict(gateway.port, "rest")) == "UNAUTHENTICATED"
        with serving(issuer, port=port):
            wait_until(lambda: decide(gateway, token) == PASSED)


@pytest.mark.parametrize(
    "body", [b'{"keys": []}', b"{}", b"", b"<html>", b'{"keys": [{"kty": 1}]}']
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


def test_they_stay_while_the_issuer_fails(asked: tuple[GatewayProcess, Issuer]) -> None:
    gateway, issuer = asked
    issuer.status = 500
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


def wait_for_two(issuer: Issuer) -> None:
    """The first of them may have been answered before."""
    before = issuer.asked
    wait_until(lambda: issuer.asked >= before + 2)
