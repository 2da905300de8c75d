"""Who calls, as a proxy in front says, which must set the header itself and drop a client's."""

import re
from collections.abc import Awaitable
from typing import Any

from contract.errors import InvalidCaller
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc
from gateway.request_context import current, enter

NAME = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")
"""1 to 256 printable ASCII characters, without spaces around them."""


def name_caller(header: str) -> Interceptor:
    """Takes the caller's name from a header; without it, the caller has none.

    header: its name in lower case. A call that has it twice, or not as 1 to 256 printable ASCII
    characters, is refused: nobody is taken for somebody else.
    """

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        def run(request: Any, context: Context) -> Awaitable[Any]:
            names = [value for key, value in context.invocation_metadata() or () if key == header]
            if names:
                if len(names) > 1 or not NAME.fullmatch(str(names[0])):
                    raise InvalidCaller(header)
                enter(current()._replace(caller=str(names[0])))
            return handler(request, context)

        return run

    return intercept
