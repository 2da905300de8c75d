"""Takes word from the registry that an alias was moved. What it says is not believed, only heard.

Source of the signature: https://mlflow.org/docs/latest/ml/webhooks/
"""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from modelkit.registry import connect, translated

NAME = "predict-mesh"
EVENT: Final = "model_version_alias.created"
PATH = "/registry"
MAX_BODY_BYTES = 64 * 1024
MAX_AGE_S = 300.0


def is_signed(headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float) -> bool:
    """Whether the registry, which knows the secret, sent this a short while ago."""
    try:
        sent_s = float(headers["X-MLflow-Timestamp"])
        signature = headers["X-MLflow-Signature"]
        signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}."
    except (KeyError, ValueError):
        return False
    digest = hmac.new(secret.encode(), signed.encode() + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    return abs(now_s - sent_s) <= MAX_AGE_S and hmac.compare_digest(
        signature.encode(), expected.encode()
    )


class WebhookServer:
    """Listens until it is closed; use as a context manager."""

    def __init__(self, address: str, port: int, *, secret: str, heard: Callable[[], None]) -> None:
        """heard: called for each word that is signed. Raises OSError for a port that is taken."""

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length") or ""
                size = int(length) if length.isdecimal() else MAX_BODY_BYTES + 1
                if self.path != PATH or size > MAX_BODY_BYTES:
                    self._answer(HTTPStatus.NOT_FOUND)
                elif is_signed(self._headers(), self.rfile.read(size), secret, now_s=time.time()):
                    heard()
                    self._answer(HTTPStatus.NO_CONTENT)
                else:
                    self._answer(HTTPStatus.UNAUTHORIZED)

            def _headers(self) -> dict[str, str]:
                names = ("X-MLflow-Timestamp", "X-MLflow-Signature", "X-MLflow-Delivery-Id")
                return {name: self.headers[name] for name in names if name in self.headers}

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the watcher logs what comes of it."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "WebhookServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def subscribe(tracking_uri: str, *, url: str, secret: str) -> None:
    """Have the registry tell this URL of moved aliases, and no older one of ours.

    Raises RegistryUnavailable.
    """
    client = connect(tracking_uri, timeout_s=10, retries=0)
    with translated(tracking_uri):
        for webhook in client.list_webhooks():
            if webhook.name == NAME:
                client.delete_webhook(webhook.webhook_id)
        client.create_webhook(name=NAME, url=url, events=[EVENT], secret=secret)
