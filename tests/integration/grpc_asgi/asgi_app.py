"""Wraps a server as the application that pyvoy loads."""

from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send


class App:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._server(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
