"""A server of the gateway's gRPC module as an application that pyvoy loads."""

from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send


class App:
    """A server as the application that pyvoy loads."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.server(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
