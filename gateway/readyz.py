"""GET /readyz: 200 or 503 with the reason, and the names of what cannot answer."""

import orjson

from contract.reasons import reason_name
from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.readiness import MODELS, Readiness
from gateway.router import READYZ, not_found

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class Readyz:
    """An ASGI application of one path, for the methods that router.MOUNTS lets through."""

    def __init__(self, readiness: Readiness, *, names_models: bool) -> None:
        """names_models: whether anybody may know which there are."""
        self._readiness = readiness
        self._names_models = names_models

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != READYZ:
            await not_found(scope, receive, send)
            return
        reason = self._readiness.reason()
        names = self._readiness.not_ready()
        told = [name for name in names if self._names_models or not name.startswith(MODELS)]
        why = {"reason": reason_name(reason)} if reason else {}
        body = orjson.dumps({"ready": not reason, **why, "notReady": told})
        await send(asgi.start(_HEADERS, trailers=False, status=503 if reason else 200))
        await send(asgi.END if scope["method"] == "HEAD" else {**asgi.END, "body": body})
