"""Which application answers a request on the gateway's port: gRPC, or one at a path of its own."""

from collections.abc import Awaitable, Callable, Mapping

from contract.errors import PathNotFound
from contract.reasons import http_status
from contract.status import to_json
from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.asgi import Receive, Scope, Send

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

READYZ = "/readyz"
MOUNTS: Mapping[str, tuple[str, ...]] = {
    READYZ: ("GET", "HEAD"),
}
"""The paths beside gRPC and REST, each with all below it, and the HTTP methods that it takes: Envoy
has a route for each, past the filters of REST, and refuses other methods. gateway.app says which
application is there."""


class Router:
    """An ASGI application made of others."""

    def __init__(self, grpc: Application, mounts: Mapping[str, Application]) -> None:
        """mounts: by their paths, of those in MOUNTS."""
        self._grpc = grpc
        self._mounts = mounts
        self._prefixes = tuple(mounts)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand one HTTP request on."""
        for name, value in scope["headers"]:
            if name == b"content-type":
                if value.startswith(b"application/grpc"):
                    return self._grpc(scope, receive, send)
                break
        return self._mounted(scope["path"])(scope, receive, send)

    def _mounted(self, path: str) -> Application:
        if path.startswith(self._prefixes):
            for prefix, application in self._mounts.items():
                if path == prefix or path.startswith(f"{prefix}/"):
                    return application
        return not_found


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of a path where there is none."""
    error = PathNotFound(scope["path"])
    headers = [(b"content-type", b"application/json")]
    await send(asgi.start(headers, trailers=False, status=http_status(error.reason)))
    await send({"type": "http.response.body", "body": to_json(error).encode()})
