"""What is known of the request that is being worked on, wherever in its task one asks."""

import asyncio
from contextvars import ContextVar
from typing import NamedTuple

from gateway.call_trace import CallTrace
from gateway.rights import EVERYTHING, Rights


class RequestContext(NamedTuple):
    """What the interceptors find out; what they set in a call's task, its own tasks see too."""

    id: str
    """As the client sees it; bounded and printable. "-" outside of a request."""
    caller: str = ""
    """Who asks, as a trusted proxy or a token says; empty: callers are not told apart."""
    deadline: float | None = None
    """On the clock of the event loop, in seconds; None: there is none."""
    traceparent: str = ""
    """What belongs to the request has this for its trace, as W3C says; empty: none."""
    session: str = ""
    """The client's, to which the choice of a version sticks; empty: none."""
    rights: Rights = EVERYTHING
    """What the call may reach."""
    protocol: str = "grpc"
    """By which it came: grpc, grpc-web or rest."""
    call: CallTrace | None = None
    """Its part of the trace; None: the gateway sends no spans."""


OUTSIDE = RequestContext(id="-")
_current: ContextVar[RequestContext] = ContextVar("request", default=OUTSIDE)

current = _current.get
"""The context of the request that the present task works for."""

enter = _current.set
"""Make a context the present one. A call has a task of its own, which ends with it."""


def enter_with(rights: Rights) -> None:
    """Have the present context be that of a caller who is known by a token."""
    now = current()
    enter(
        RequestContext(
            now.id,
            rights.caller,
            now.deadline,
            now.traceparent,
            now.session,
            rights,
            now.protocol,
            now.call,
        )
    )


def limit(timeout_s: float) -> None:
    """Bring the deadline forward, if it is later than this many seconds from now."""
    context = current()
    deadline = asyncio.get_running_loop().time() + timeout_s
    if context.deadline is None or context.deadline > deadline:
        enter(context._replace(deadline=deadline))
