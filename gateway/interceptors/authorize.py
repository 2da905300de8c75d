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
from contract.access_errors import InvalidSubject, PermissionDenied, Unauthenticated
from gateway.interceptors.intercepted import OTHER
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc, headers_of
from gateway.interceptors.name_caller import NAME
from gateway.request_context import current, enter
from gateway.rights import Rights, rights_of

CLAIMS = b"x-pmesh-claims"
"""The header in which Envoy hands on the payload of a token that it has verified, as the token has
it: base64url of JSON. Envoy drops a client's own."""
MOST = 8192
"""Rights that are remembered: a token comes many times."""
MAX_REMEMBERED_BYTES = 4096
"""Of claims: so that what is remembered has a bound."""
CLOCK_SKEW_S = 30
"""A token is good for so long after its end, as Envoy has it where a call begins."""
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
        if rpc.path in OPEN:
            return handler
        permissions = PERMISSIONS.get(rpc.path, frozenset())
        lasts = rpc.path in unbounded

        def run(request: Any, context: Context) -> Awaitable[Any]:
            claims = headers_of(context).get(CLAIMS)
            if not claims:
                raise Unauthenticated
            find = remembered if len(claims) <= MAX_REMEMBERED_BYTES else rights
            found = find(claims, permissions)
            if found.are_none and rpc != OTHER:  # whose handler says that there is no such rpc
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
    """Raises Unauthenticated, InvalidSubject."""
    padding = b"=" * (-len(encoded) % 4)
    try:
        claims = orjson.loads(base64.b64decode(encoded + padding, altchars=b"-_", validate=True))
    except ValueError:
        raise Unauthenticated from None
    if not isinstance(claims, dict):
        raise Unauthenticated
    caller = claims.get("sub")
    if not isinstance(caller, str) or not NAME.fullmatch(caller):
        raise InvalidSubject
    names = claims.get(policy.tokens.roles_claim)
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    roles = [policy.roles[name] for name in known if name in policy.roles]
    end: Any = claims.get("exp")
    is_time = isinstance(end, int | float) and not isinstance(end, bool)
    return rights_of(caller, roles, permissions, expire_time=end if is_time else inf)
