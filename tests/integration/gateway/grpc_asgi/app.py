"""What pyvoy loads in the tests: the probe, and `/drain` and `/stop` to do that to its server."""

from grpc import Status as GrpcStatus
from grpc import StatusCode

from gateway.grpc_asgi import Server, Status
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from tests.integration.gateway.grpc_asgi.probe import SERVICE
from tests.integration.gateway.grpc_asgi.servers import add_servicers
from tests.parts.asgi_app import App


class DrainableApp(App):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in ("/drain", "/stop"):
            await super().__call__(scope, receive, send)
            return
        if scope["path"] == "/drain":
            self.server.drain()
        else:
            self.server.stop()
            await self.server.unwind()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = b"%d left" % self.server.in_flight
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _hide(method: str, exc: Exception) -> GrpcStatus:
    return Status(StatusCode.INTERNAL, f"{method} failed")


def _explain(method: str, payload: bytes, exc: Exception) -> GrpcStatus:
    return Status(StatusCode.INVALID_ARGUMENT, f"{len(payload)} bytes", (("t-hook", "yes"),))


def _app(server: Server) -> DrainableApp:
    add_servicers(server)
    return DrainableApp(server)


app = _app(Server())
strict_app = _app(
    Server(
        on_error=_hide,
        on_undecodable=_explain,
        max_receive_bytes=100,
        timeout_s=0.2,
        unbounded=(f"/{SERVICE}/PingPong", f"/{SERVICE}/WaitInStream"),
    )
)
