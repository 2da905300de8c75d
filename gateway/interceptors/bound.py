"""No call may take for ever."""

import asyncio
from collections.abc import Container
from typing import Any

from gateway import request_context
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc


def bound(max_call_s: float, *, unbounded: Container[str]) -> Interceptor:
    """Ends a call after max_call_s; its client's deadline counts where it is sooner.

    unbounded: the paths of those that have other bounds. Our own server has set the deadline
    already, from the first byte of the request on, and needs no timer for it. To be inside of
    identify.
    """

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        if rpc.path in unbounded:
            return handler

        async def run(request: Any, context: Context) -> Any:
            latest = asyncio.get_running_loop().time() + max_call_s
            deadline = request_context.current().deadline
            if deadline is not None and deadline <= latest:
                return await handler(request, context)
            request_context.limit(max_call_s)
            async with asyncio.timeout(max_call_s):
                return await handler(request, context)

        return run

    return intercept
