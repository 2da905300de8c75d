"""Connections to all the servers that an address names, over which calls are spread.

gRPC's own round robin goes on asking who answers UNAVAILABLE, as a Triton does while it ends, and
looks a name up again only once a connection is lost, so that servers which are new get no calls.
"""

import asyncio
from typing import Any

import grpc
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.addresses import Endpoint, endpoints
from inference.calls import channel_options, routing
from telemetry.spans import current

LOOK_S = 5.0
"""Between two looks at what an address names."""
AWAY_S = 1.0
"""For which a server that did not answer for a version is not asked for it."""
_GRACE_S = 600.0
"""For the calls under way at a server that is named no more: above any call's time."""
_LEAST_S = 0.001  # gRPC would take 0 for no deadline
_PUSHBACK = "grpc-retry-pushback-ms"


class Channels:
    """Opens when it is first used; to be made in the event loop that it works in."""

    def __init__(self, address: str) -> None:
        """address: as inference.addresses."""
        self._address = address
        self._clock = asyncio.get_running_loop().time
        self._servers: list[_Connection] = []
        self._turn = 0
        self._due = 0.0
        """When the address is to be looked at again."""
        self._look: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many servers the address names, as far as is known; one at the least."""
        return len(self._servers) or 1

    async def call(
        self, rpc: str, request: Any, *, model: str, version: str, timeout_s: float
    ) -> Any:
        """Ask one server, the next in turn; where it does not answer, the others, once each.

        rpc: its name. timeout_s: for all of it, > 0. Raises grpc.aio.AioRpcError of the last that
        was asked, and grpc.aio.UsageError once this is closed.
        """
        deadline = self._clock() + timeout_s
        await self._look_again(timeout_s)
        key, asked = (model, version), set[_Connection]()
        server = self._next(key)
        while True:
            asked.add(server)
            left_s = max(_LEAST_S, deadline - self._clock())
            try:
                answer = await server.ask(rpc, request, version, left_s)
            except grpc.aio.AioRpcError as error:
                if not _is_for_another(error):
                    raise
                server.away[key] = self._clock() + AWAY_S
                others = [one for one in self._answering(key) if one not in asked]
                if not others or self._clock() >= deadline:
                    raise
                server = others[self._turn % len(others)]
            else:
                server.away.pop(key, None)
                return answer

    async def close(self) -> None:
        """End the connections; calls under way fail."""
        self._due = float("inf")
        for task in (self._look, *self._leaving):
            if task is not None:
                task.cancel()
        for server in self._servers:
            await server.channel.close()

    def _next(self, key: tuple[str, str]) -> "_Connection":
        """While none answers, calls fail at once: one is asked, and no other."""
        among = (
            self._answering(key)
            or [server for server in self._servers if server.is_connected()]
            or self._servers
        )
        if not among:
            raise _unavailable(f"{self._address} names no server")
        self._turn += 1
        return among[self._turn % len(among)]

    def _answering(self, key: tuple[str, str]) -> list["_Connection"]:
        now = self._clock()
        return [
            server
            for server in self._servers
            if server.is_connected() and server.away.get(key, 0.0) <= now
        ]

    async def _look_again(self, timeout_s: float) -> None:
        """Beside the calls, which wait for the first look only."""
        if self._look is None and self._clock() >= self._due:
            self._look = asyncio.create_task(self._find())
        if self._look is not None and not self._servers:
            await asyncio.wait([self._look], timeout=timeout_s)

    async def _find(self) -> None:
        try:
            found = await asyncio.to_thread(endpoints, self._address)
        except OSError:  # those that were named may well be there still
            found = [server.endpoint for server in self._servers]
        finally:
            self._look = None
        if found:
            self._due = self._clock() + LOOK_S
        known = {server.endpoint: server for server in self._servers}
        self._servers = [known.pop(one) if one in known else _Connection(one) for one in found]
        for gone in known.values():
            leaving = asyncio.create_task(gone.channel.close(_GRACE_S))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


class _Connection:
    """To one server."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.channel = grpc.aio.insecure_channel(
            endpoint.address, options=channel_options(endpoint)
        )
        self._stub = GRPCInferenceServiceStub(self.channel)
        self.away: dict[tuple[str, str], float] = {}
        """Until when it is not asked for a version of a model, on the loop's clock."""
        self.is_connected()

    def is_connected(self) -> bool:
        """Whether it is; if not, it tries to be."""
        state = self.channel.get_state(try_to_connect=True)
        return state is grpc.ChannelConnectivity.READY

    async def ask(self, rpc: str, request: Any, version: str, timeout_s: float) -> Any:
        call = getattr(self._stub, rpc)
        metadata, context = routing(version), current()
        if context is not None and context.sampled:  # Triton records whatever names a trace
            metadata = (*metadata, ("traceparent", context.traceparent))
        return await call(request, timeout=timeout_s, metadata=metadata)


def _is_for_another(error: grpc.aio.AioRpcError) -> bool:
    """Not in a mesh, which asks others itself and says so.

    Source: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
    """
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return False
    return not any(key == _PUSHBACK for key, _ in error.trailing_metadata() or ())


def _unavailable(details: str) -> grpc.aio.AioRpcError:
    none = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, none, none, details=details)
