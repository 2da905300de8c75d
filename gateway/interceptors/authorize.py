"""Who calls, and what his roles let him do: from the verified token that Envoy hands on."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Container
from functools import lru_cache
from math import inf
from typing import Any

import orjson

from contract.access import OPEN, PERMISSIONS, AccessPolicy, Permission
from contract.access_errors import PermissionDenied, Unauthenticated
from gateway.claims import CLOCK_SKEW_S, HEADER
from gateway.interceptors.intercepted import OTHER
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc, headers_of
from gateway.interceptors.name_caller import NAME
from gateway.request_context import current, enter
from gateway.rights import Rights, rights_of

_CLAIMS = HEADER.encode()
MOST = 8192
"""Rights that are remembered: a token comes many times."""
MAX_REMEMBERED_BYTES = 4096
"""Of claims: so that what is remembered has a bound."""
_FAR_S = 365 * 24 * 3600
"""Longer than any call lasts."""


def authorize(policy: AccessPolicy, *, unbounded: Container[str] = ()) -> Interceptor:
    """Gives each call its caller and rights; refuses it where its rpc is not for this caller.

    Refused before the request is looked at: what is wrong with it is only for who may ask.

    unbounded: the paths of rpcs that may last; such a call is ended with its caller's token.
    """

    def rights(claims: bytes, permissions: frozenset[Permission]) -> Rights:
        return _rights(policy, claims, permissions)

    remembered = lru_cache(MOST)(rights)

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        is_open = rpc.path in OPEN
        permissions = frozenset(Permission) if is_open else PERMISSIONS.get(rpc.path, frozenset())
        lasts = rpc.path in unbounded

        def run(request: Any, context: Context) -> Awaitable[Any]:
            claims = headers_of(context).get(_CLAIMS)
            if not claims:
                if is_open:
                    enter(current()._replace(rights=rights_of("", (), permissions)))
                    return handler(request, context)
                raise Unauthenticated
            find = remembered if len(claims) <= MAX_REMEMBERED_BYTES else rights
            found = find(claims, permissions)
            # The handler of OTHER says that there is no such rpc.
            if found.are_none and not is_open and rpc != OTHER:
                raise PermissionDenied(permissions)
            enter(current()._replace(caller=found.caller, rights=found))
            if lasts:
                return run_until(found.expire_time, request, context)
            return handler(request, context)

        async def run_until(expire_time: float, request: Any, context: Context) -> Any:
            left_s = expire_time + CLOCK_SKEW_S - time.time()
            try:
                async with asyncio.timeout(min(max(left_s, 0), _FAR_S)) as until:
                    return await handler(request, context)
            except TimeoutError:
                if until.expired():
                    raise Unauthenticated from None
                raise

        return run

    return intercept


def _rights(policy: AccessPolicy, encoded: bytes, permissions: frozenset[Permission]) -> Rights:
    """Raises Unauthenticated: for whom nobody could name, as Envoy does."""
    padding = b"=" * (-len(encoded) % 4)
    try:
        claims = orjson.loads(base64.b64decode(encoded + padding, altchars=b"-_", validate=True))
    except ValueError:
        raise Unauthenticated from None
    if not isinstance(claims, dict):
        raise Unauthenticated
    caller = claims.get("sub")
    if not isinstance(caller, str) or not NAME.fullmatch(caller):
        raise Unauthenticated
    names = claims.get(policy.tokens.roles_claim)
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    roles = [policy.roles[name] for name in known if name in policy.roles]
    end = claims.get("exp")
    expire_time = float(end) if isinstance(end, int | float) and end is not True else inf
    return rights_of(caller, roles, permissions, expire_time=expire_time)
