"""One attempt, at a real server of HTTP and of HTTPS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.certificate import make_certificate
from tests.parts.ports import free_port
from tests.parts.webhook_receiver import Receiver, receiving
from webhooks.addresses import Target, read_url
from webhooks.post import Answered, post

LOCAL = ["localhost"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def tell(url: str, **options: object) -> Answered:
    return post(read_url(url, LOCAL), b"{}", {"a": "b"}, allowed_hosts=LOCAL, **options)  # type: ignore[arg-type]


def test_it_is_told_under_its_name(receiver: Receiver) -> None:
    assert tell(receiver.url) == Answered(204, "")
    ((headers, body),) = receiver.received
    assert (headers["host"], headers["a"], body) == (f"localhost:{receiver.port}", "b", b"{}")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [302], {"Location": receiver.url}
    assert tell(receiver.url) == Answered(302, "a redirect, which is not followed")
    assert len(receiver.received) == 1


def test_a_failure_is_told_by_its_status(receiver: Receiver) -> None:
    receiver.statuses = [503]
    assert tell(receiver.url) == Answered(503, "status 503")


def test_nothing_is_sent_to_a_private_address(receiver: Receiver) -> None:
    target = read_url(receiver.url, LOCAL)
    answered = post(target, b"{}", {}, allowed_hosts=["example.com"])
    assert answered.status is None
    assert answered.error.startswith("refused: its address is private")
    assert receiver.received == []


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look-up, as by a name that is given another address meanwhile, is never made."""
    asked = []

    def look_up(host: str, *arguments: object, **options: object) -> object:
        asked.append(host)
        return real(host, *arguments, **options)  # type: ignore[arg-type]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert tell(receiver.url) == Answered(204, "")
    assert asked.count("localhost") == 1


def test_a_receiver_that_does_not_answer_is_given_up(receiver: Receiver) -> None:
    receiver.silent.set()
    assert tell(receiver.url, timeout_s=0.5) == Answered(None, "too slow")


def test_a_receiver_that_answers_byte_by_byte_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                try:
                    while not ended.wait(0.05):
                        connection.sendall(b"H")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        answered = tell(f"http://localhost:{server.getsockname()[1]}/", timeout_s=0.5)
        ended.set()
        thread.join()
    assert answered == Answered(None, "too slow")


def test_nobody_there_is_an_error() -> None:
    assert tell(f"http://localhost:{free_port()}/") == Answered(None, "connection refused")
    assert post(Target(False, "nobody.invalid", 80, "/"), b"", {}).error == (
        "its host has no address"
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_certificate_must_be_trusted_and_of_the_name(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with receiving(context) as receiver:
        assert "certificate" in tell(receiver.url).error
        target = read_url(receiver.url.replace("localhost", "127.0.0.1"))
        other_name = post(target, b"", {}, allowed_hosts=["127.0.0.1"], tls=trusting)
        assert other_name.error.startswith("TLS: IP address mismatch")
        assert receiver.received == []
        assert tell(receiver.url, tls=trusting) == Answered(204, "")
