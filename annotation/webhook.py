"""Takes word from Label Studio that something was said. What, nobody believes; it is looked at.

Source: https://labelstud.io/guide/webhooks
"""

import hmac
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from annotation.metrics import HEARD, NOT_FOUND, REFUSED, count_webhook

PATH = "/annotations"
SECRET_HEADER = "X-Predict-Mesh-Secret"  # noqa: S105
MAX_BODY_BYTES = 64 * 1024


class AnnotationWebhook:
    """Listens until it is closed; use as a context manager."""

    def __init__(self, address: str, port: int, *, secret: str, heard: Callable[[], None]) -> None:
        """secret: not empty; who does not know it is not heard. Raises OSError if nothing can
        listen there."""

        class Listener(BaseHTTPRequestHandler):
            timeout = 5

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length") or ""
                size = int(length) if length.isdecimal() else MAX_BODY_BYTES + 1
                given = self.headers.get(SECRET_HEADER) or ""
                if self.path != PATH or size > MAX_BODY_BYTES:
                    count_webhook(NOT_FOUND)
                    self._answer(HTTPStatus.NOT_FOUND)
                elif hmac.compare_digest(given.encode(), secret.encode()):
                    count_webhook(HEARD)
                    self.rfile.read(size)
                    heard()
                    self._answer(HTTPStatus.NO_CONTENT)
                else:
                    count_webhook(REFUSED)
                    self._answer(HTTPStatus.UNAUTHORIZED)

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: what comes of it is logged."""

        self._server = ThreadingHTTPServer((address, port), Listener)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "AnnotationWebhook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
