"""No caller has so many calls open that there is no room for those of others."""

from collections.abc import Awaitable
from typing import Any

from contract.errors import Overloaded
from gateway.allowance import Allowance
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc
from gateway.request_context import current


def admit(max_calls: int) -> Interceptor:
    """Shares out the calls that may be open at once; whoever has his share is refused.

    max_calls: of callers who have names, in all; others are not told apart, nor counted. To be
    inside of what names the caller.
    """
    allowance = Allowance(max_calls)

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        def run(request: Any, context: Context) -> Awaitable[Any]:
            caller = current().caller
            return run_counted(caller, request, context) if caller else handler(request, context)

        async def run_counted(caller: str, request: Any, context: Context) -> Any:
            if not allowance.take(caller):
                raise Overloaded(
                    "this caller has too many calls open; end some, or try again later"
                )
            try:
                return await handler(request, context)
            finally:
                allowance.give_back(caller)

        return run

    return intercept
