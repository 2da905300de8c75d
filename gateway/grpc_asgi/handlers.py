"""The four kinds of handler: how each takes its request, runs and answers."""

import inspect
from contextlib import aclosing
from functools import wraps
from typing import Any

import grpc

from gateway.grpc_asgi.call import Call
from gateway.grpc_asgi.method import Method


def method_from_handler(
    path: str,
    handler: "grpc.RpcMethodHandler[Any, Any]",
    *,
    max_message_bytes: int,
    timeout_s: float | None,
    request_timeout_s: float | None,
) -> Method:
    behaviors: dict[tuple[bool, bool], tuple[Any, Any]] = {
        (False, False): (_unary_unary, handler.unary_unary),
        (False, True): (_unary_stream, handler.unary_stream),
        (True, False): (_stream_unary, handler.stream_unary),
        (True, True): (_stream_stream, handler.stream_stream),
    }
    run, behavior = behaviors[handler.request_streaming, handler.response_streaming]
    if not handler.response_streaming:
        behavior = _awaitable(behavior)
    return Method(
        path=path,
        behavior=behavior,
        deserialize=handler.request_deserializer or bytes,
        serialize=handler.response_serializer or bytes,
        max_message_bytes=max_message_bytes,
        timeout_s=timeout_s,
        request_timeout_s=request_timeout_s,
        run=run,
    )


async def _unary_unary(call: Call, method: Method) -> None:
    request = await call.read_only()
    await call.reply(await method.behavior(request, call))


async def _stream_unary(call: Call, method: Method) -> None:
    await call.reply(await method.behavior(call.begin_stream(), call))


async def _unary_stream(call: Call, method: Method) -> None:
    request = await call.read_only()
    await _respond(call, method.behavior(request, call))


async def _stream_stream(call: Call, method: Method) -> None:
    await _respond(call, method.behavior(call.begin_stream(), call))


async def _respond(call: Call, responses: Any) -> None:
    """Runs a handler of either style: one that yields, or a coroutine that calls `write`."""
    if inspect.isawaitable(responses):
        await responses
    else:
        async with aclosing(responses):
            async for message in responses:
                await call.write(message)
    await call.finish()


def _awaitable(behavior: Any) -> Any:
    """A plain function, such as a generated stub without implementation, runs on the loop."""
    if inspect.iscoroutinefunction(behavior):
        return behavior

    @wraps(behavior)
    async def run(request: Any, context: Call) -> Any:
        response = behavior(request, context)
        return await response if inspect.isawaitable(response) else response

    return run
