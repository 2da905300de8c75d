"""GET /readyz: 200 or 503, and the names of what cannot answer."""

import orjson

from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.readiness import Readiness

PATH = "/readyz"


class Readyz:
    """An ASGI application of one path."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in ("GET", "HEAD"):
            await _send(send, 405, [(b"allow", b"GET, HEAD")], b"")
            return
        ready = bool(self._readiness.is_ready(""))
        body = orjson.dumps({"ready": ready, "notReady": self._readiness.not_ready()})
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await _send(
            send, 200 if ready else 503, headers, b"" if scope["method"] == "HEAD" else body
        )


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
