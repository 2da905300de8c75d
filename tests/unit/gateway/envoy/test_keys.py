"""The issuer's keys are read again and again, whatever goes wrong with one time."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import RemoteDisconnected

import pytest

from gateway.envoy import keys
from gateway.envoy.keys import KeySource, check, fetch
from tests.parts.polling import wait_until

RSA = {"kty": "RSA", "n": "AQAB", "e": "AQAB"}
EC = {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}


def key_set(*found: object) -> str:
    return json.dumps({"keys": found})


@contextmanager
def dripping(start: bytes) -> Iterator[int]:
    """The port of a server that says this, and then more and more, but comes to no end."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(start)
            while not ended.wait(0.02):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: drip(server.accept()[0]))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "start"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK"),
        ("http", b"HTTP/1.1 200 OK\r\nx: "),
        ("http", b'HTTP/1.1 200 OK\r\n\r\n{"keys": ['),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n" + key_set(RSA).encode()),
        ("http", b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),
    ],
)
def test_an_answer_that_drips_is_cut_off(scheme: str, start: bytes) -> None:
    with dripping(start) as port, pytest.raises(TimeoutError, match="it took longer"):
        fetch(f"{scheme}://127.0.0.1:{port}/jwks.json", within_s=0.3)


def test_an_answer_that_breaks_off_is_told_as_it_is() -> None:
    def answer() -> None:
        with server.accept()[0] as connection:
            connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RemoteDisconnected):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()


def test_a_start_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "FETCH_S", 0.1)
    answered, found = threading.Event(), list[str]()

    def read() -> str:
        answered.wait()
        return key_set(RSA)

    KeySource("there", read, refresh_s=60, changed=found.append).start()
    assert found == []
    answered.set()
    wait_until(lambda: found == [key_set(RSA)])


class Failing:
    """Fails in some way, the first times."""

    def __init__(self, then: Callable[..., str]) -> None:
        self._then = then
        self._failures: list[Exception] = [RuntimeError("odd"), OSError("full"), KeyError("x")]

    def __call__(self, *said: str) -> str:
        if self._failures:
            raise self._failures.pop()
        return self._then(*said)


def test_no_failure_is_the_last_time(caplog: pytest.LogCaptureFixture) -> None:
    found: list[str] = []

    def take(said: str) -> str:
        found.append(said)
        return said

    with caplog.at_level(logging.WARNING, "gateway"):
        changed = Failing(take)
        KeySource("there", Failing(lambda: key_set(EC)), refresh_s=0.02, changed=changed).start()
        wait_until(lambda: found == [key_set(EC)])
    assert [record.message for record in caplog.records] == [
        "the keys of tokens cannot be read from there: 'x'",
        "the keys of tokens cannot be read from there: full",
        "the keys of tokens cannot be read from there: odd",
        "the new keys of tokens from there cannot be used: 'x'",
        "the new keys of tokens from there cannot be used: full",
        "the new keys of tokens from there cannot be used: odd",
    ]


def test_public_keys_of_each_kind_are_good() -> None:
    check(key_set(RSA, EC, OKP))


@pytest.mark.parametrize(
    ("key", "name"),
    [(key, name) for key in (RSA, EC, OKP) for name in key if name != "kty"],
)
def test_a_key_that_lacks_a_part_is_none(key: dict[str, str], name: str) -> None:
    rest = {own: value for own, value in key.items() if own != name}
    for found in (rest, {**rest, name: ""}, {**rest, name: 7}):
        with pytest.raises(ValueError, match=f"lacks its {name}"):
            check(key_set(RSA, found))


@pytest.mark.parametrize("kind", ["oct", "rsa", "", None, [], {}, 7])
def test_a_key_of_another_kind_is_none(kind: object) -> None:
    with pytest.raises(ValueError, match="a set of public keys is needed"):
        check(key_set(RSA, {**RSA, "kty": kind}))
