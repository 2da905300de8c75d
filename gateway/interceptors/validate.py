"""No handler sees a request that is no message, or that breaks a rule of its fields."""

from collections.abc import AsyncIterator, Awaitable
from time import perf_counter
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from gateway import call_trace
from gateway.grpc_asgi.status import UndecodableRequest
from gateway.interceptors.interceptor import Context, Handler, Rpc
from gateway.validation import check, learn


def validate(rpc: Rpc, handler: Handler) -> Handler:
    """Checks each request as protos/predict/v1 states the rules."""
    try:
        method = descriptor_pool.Default().FindMethodByName(rpc.name.replace("/", "."))
    except KeyError:  # one that nobody registered, or without a descriptor of its own
        return decoded(rpc, handler)
    learn(GetMessageClass(method.input_type))

    async def checked(requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            check(request)
            yield request

    def run_unary(request: Any, context: Context) -> Awaitable[Any]:
        if isinstance(request, UndecodableRequest):
            raise request
        call = call_trace.present.get()
        if call is None or not call.sampled:  # it takes no time that a slow call could be slow for
            check(request)
        else:
            began = perf_counter()
            check(request)
            call.mark("validate", began, perf_counter())
        return handler(request, context)

    def run_stream(requests: Any, context: Context) -> Awaitable[Any]:
        return handler(checked(requests), context)

    return run_stream if method.client_streaming else run_unary


def decoded(rpc: Rpc, handler: Handler) -> Handler:
    """Refuses a request that is no message, and knows of no other rules."""

    def run(request: Any, context: Context) -> Awaitable[Any]:
        if isinstance(request, UndecodableRequest):
            raise request
        return handler(request, context)

    return run
