"""The signature, held against the reference library and the published example."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.signature import InvalidSecret, read_secret, signed_headers

OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 64).decode()
BODY = b'{"type": "alert.fired"}'


def headers(*secrets: str) -> dict[str, str]:
    keys = [read_secret(secret) for secret in secrets]
    return signed_headers(keys, message_id="msg_1", timestamp=int(time.time()), body=BODY)


def test_the_published_example() -> None:
    """That of the libraries of Standard Webhooks."""
    found = signed_headers(
        [read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_may_know_the_old_secret_or_the_new_one() -> None:
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY, headers(OLD, NEW)) == {"type": "alert.fired"}
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, headers(OLD))


def test_what_was_changed_on_the_way_is_not_ours() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(BODY + b" ", headers(OLD))


@pytest.mark.parametrize(
    "text", ["", OLD[6:], "whsec_", "whsec_%%", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidSecret) as refused:
        read_secret(text)
    assert str(refused.value) == "a secret is whsec_ and 24 to 64 bytes in base64"
