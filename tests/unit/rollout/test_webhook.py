"""Whose word is heard."""

import base64
import hashlib
import hmac
import threading
import time
from http.client import HTTPConnection

import pytest

from rollout.webhook import MAX_AGE_S, PATH, WebhookServer, is_signed
from tests.parts.ports import free_port

SECRET, BODY, NOW_S = "a secret", b'{"entity": "model_version_alias"}', 1_800_000_000.0


def headers(*, key: str = SECRET, body: bytes = BODY, sent_s: float = NOW_S) -> dict[str, str]:
    """As MLflow signs."""
    text = f"delivery-1.{sent_s:.0f}.".encode() + body
    digest = hmac.new(key.encode(), text, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": "delivery-1",
        "X-MLflow-Timestamp": f"{sent_s:.0f}",
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_what_the_registry_signed_is_heard() -> None:
    assert is_signed(headers(), BODY, SECRET, now_s=NOW_S + 10)


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (headers(key="another"), BODY),
        (headers(), BODY + b" "),
        (headers(sent_s=NOW_S - MAX_AGE_S - 20), BODY),
        (headers(sent_s=NOW_S + MAX_AGE_S + 20), BODY),
        ({}, BODY),
        ({**headers(), "X-MLflow-Timestamp": "now"}, BODY),
        ({**headers(), "X-MLflow-Delivery-Id": "delivery-2"}, BODY),
        ({**headers(), "X-MLflow-Signature": "v1,é"}, BODY),
    ],
    ids=["key", "body", "old", "early", "bare", "no time", "delivery", "no base64"],
)
def test_all_other_word_is_not(given: dict[str, str], body: bytes) -> None:
    assert not is_signed(given, body, SECRET, now_s=NOW_S)


def test_the_server_answers_and_tells() -> None:
    heard, port = threading.Event(), free_port()
    with WebhookServer("127.0.0.1", port, secret=SECRET, heard=heard.set):

        def post(path: str, body: bytes, **more: str) -> int:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("POST", path, body, more)
            return connection.getresponse().status

        assert post(PATH, BODY) == 401
        assert post("/elsewhere", BODY) == 404
        assert post(PATH, b"x" * 100_000) == 404
        assert not heard.is_set()
        assert post(PATH, BODY, **headers(sent_s=time.time())) == 204
        assert heard.is_set()
