"""A servicer with one method per behaviour under test, and its client.

Requests and responses are StringValue. `Observed` tells what handlers saw after their calls ended.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tests.parts.polling import PATIENCE_S

SERVICE = "probe.v1.Probe"
_KINDS = {
    "unary_unary": [
        "Echo", "EchoMetadata", "EchoCompressed", "Observed", "Wait", "Linger", "TimeRemaining",
        "Abort", "AbortRich", "AbortSuppressed", "Raise", "RaiseWithCode", "SetCode", "OkDetails",
        "NotSerializable", "Unwritten",
    ],
    "unary_stream": [
        "Count", "CountByWrite", "CountThenAbort", "CountThenRaise", "WaitInStream", "Flood",
    ],
    "stream_unary": ["Join", "JoinLate", "First", "WaitForRequests"],
    "stream_stream": ["PingPong", "PingPongByRead", "WaitInDuplex", "Hello", "EchoAfterAll"],
}  # fmt: skip


def text(value: str) -> StringValue:
    return StringValue(value=value)


class Probe:
    def __init__(self) -> None:
        self._observed: list[str] = []

    async def Echo(self, request: StringValue, context: Any) -> StringValue:
        return request

    async def EchoMetadata(self, request: StringValue, context: Any) -> StringValue:
        """Sends back as initial and trailing metadata what came with these prefixes."""
        metadata = tuple(context.invocation_metadata())
        await context.send_initial_metadata([(k, v) for k, v in metadata if k.startswith("i-")])
        context.set_trailing_metadata([(k, v) for k, v in metadata if k.startswith("t-")])
        return text(repr([(k, v) for k, v in metadata if k.startswith("x-probe")]))

    async def EchoCompressed(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression.Gzip)
        return request

    async def Observed(self, request: StringValue, context: Any) -> StringValue:
        return text(",".join(self._observed))

    async def Wait(self, request: StringValue, context: Any) -> StringValue:
        context.add_done_callback(lambda _: self._observed.append(f"{request.value} done"))
        await self._wait(request.value)
        return request

    async def Linger(self, request: StringValue, context: Any) -> StringValue:
        """Goes on although it is cancelled."""
        with suppress(asyncio.CancelledError):
            await self._wait(request.value)
        return request

    async def TimeRemaining(self, request: StringValue, context: Any) -> StringValue:
        return text(repr(context.time_remaining()))

    async def Abort(self, request: StringValue, context: Any) -> StringValue:
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION, request.value, (("t-why", "because"),)
        )

    async def AbortRich(self, request: StringValue, context: Any) -> StringValue:
        status = Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="rich")
        status.details.add().Pack(ErrorInfo(reason=request.value, domain="probe"))
        await context.abort_with_status(rpc_status.to_status(status))

    async def AbortSuppressed(self, request: StringValue, context: Any) -> StringValue:
        try:
            await context.abort(grpc.StatusCode.ABORTED, "aborted")
        except BaseException:  # what careless handlers do
            return request

    async def Raise(self, request: StringValue, context: Any) -> StringValue:
        context.set_trailing_metadata((("t-kept", "yes"),))
        raise ValueError(request.value)

    async def RaiseWithCode(self, request: StringValue, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("replaced by the exception")
        raise ValueError(request.value)

    async def SetCode(self, request: StringValue, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details(request.value)
        context.set_trailing_metadata((("t-bytes-bin", b"\0\xff"),))
        return request

    async def OkDetails(self, request: StringValue, context: Any) -> StringValue:
        context.set_details("fine")
        return request

    async def NotSerializable(self, request: StringValue, context: Any) -> str:
        return "text"

    def Unwritten(self, request: StringValue, context: Any) -> StringValue:
        """As grpcio generates it for a method without implementation."""
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    async def Count(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        for i in range(int(request.value)):
            yield text(str(i))

    async def CountByWrite(self, request: StringValue, context: Any) -> None:
        await context.send_initial_metadata((("i-style", "write"),))
        for i in range(int(request.value)):
            await context.write(text(str(i)))
        context.set_trailing_metadata((("t-style", "write"),))

    async def CountThenAbort(
        self, request: StringValue, context: Any
    ) -> AsyncIterator[StringValue]:
        async for message in self.Count(request, context):
            yield message
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")

    async def CountThenRaise(
        self, request: StringValue, context: Any
    ) -> AsyncIterator[StringValue]:
        async for message in self.Count(request, context):
            yield message
        raise ValueError("no more")

    async def WaitInStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        await self._wait(request.value)

    async def Flood(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        for _ in range(64):
            yield text("x" * (1 << 20))
            self._observed.append(f"{request.value} sent")

    async def Join(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return text(",".join([request.value async for request in requests]))

    async def JoinLate(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        await asyncio.sleep(0.3)  # longer than the server waits before it looks for a disconnect
        return await self.Join(requests, context)

    async def First(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        """Answers without reading the rest."""
        async for request in requests:
            return request
        return text("none")

    async def WaitForRequests(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> StringValue:
        request = await anext(aiter(requests))
        self._observed.append(f"{request.value} started")
        try:
            async for _ in requests:
                pass
        finally:  # grpc.aio may end the requests rather than cancel the handler
            self._observed.append(f"{request.value} cancelled")
        return request

    async def PingPong(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield text(f"pong {request.value}")

    async def PingPongByRead(self, requests: Any, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(text(f"pong {request.value}"))

    async def WaitInDuplex(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield request
            await self._wait(request.value)

    async def Hello(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        """Speaks first."""
        yield text("hello")
        async for request in requests:
            yield request

    async def EchoAfterAll(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        for request in [request async for request in requests]:
            yield request

    async def _wait(self, name: str) -> None:
        await self._observe_cancel(name, asyncio.sleep(60))

    async def _observe_cancel(self, name: str, awaitable: Any) -> None:
        self._observed.append(f"{name} started")
        try:
            await awaitable
        except asyncio.CancelledError:
            self._observed.append(f"{name} cancelled")
            raise


def add_probe_to_server(probe: Probe, server: Any) -> None:
    """As the functions that grpcio generates."""
    handlers = {
        name: getattr(grpc, f"{kind}_rpc_method_handler")(
            getattr(probe, name), StringValue.FromString, StringValue.SerializeToString
        )
        for kind, names in _KINDS.items()
        for name in names
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)


class ProbeStub:
    """Attributes are the methods: `stub.Echo(StringValue(...))`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for kind, names in _KINDS.items():
            for name in names:
                method = getattr(channel, kind)(
                    f"/{SERVICE}/{name}", StringValue.SerializeToString, StringValue.FromString
                )
                setattr(self, name, method)

    async def observed(self) -> list[str]:
        return (await self.Observed(StringValue())).value.split(",")

    async def wait_until_observed(self, event: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while event not in await self.observed():
            assert time.monotonic() < deadline, f"not observed within {PATIENCE_S} s: {event}"
            await asyncio.sleep(0.01)

    async def settled_count(self, event: str) -> int:
        """How often this was observed, once that has not changed for half a second."""
        counts = [-1]
        while counts[-10:] != [counts[-1]] * 10:
            await asyncio.sleep(0.05)
            counts.append((await self.observed()).count(event))
        return counts[-1]
