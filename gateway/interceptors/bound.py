"""No call may take for ever."""

import asyncio
from collections.abc import Awaitable, Container
from typing import Any

from gateway import grpc_asgi, request_context
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc


def bound(max_call_s: float, *, unbounded: Container[str]) -> Interceptor:
    """Ends a call after max_call_s; its client's deadline counts where it is sooner.

    unbounded: the paths of those that have other bounds. Our own server has been told the same, and
    counts from the first byte of the request on. To be inside of identify.
    """

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        if rpc.path in unbounded:
            return handler

        def run(request: Any, context: Context) -> Awaitable[Any]:
            if isinstance(context, grpc_asgi.Call):
                return handler(request, context)
            return run_bounded(request, context)

        async def run_bounded(request: Any, context: Context) -> Any:
            request_context.limit(max_call_s)
            async with asyncio.timeout(max_call_s):
                return await handler(request, context)

        return run

    return intercept
