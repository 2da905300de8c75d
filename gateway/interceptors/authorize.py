"""Who calls, and what his roles let him do: from the verified token that Envoy hands on."""

import asyncio
import time
from collections.abc import Awaitable, Container, Mapping
from functools import lru_cache
from math import inf
from typing import Any

from contract.access import OPEN, PERMISSIONS, AccessPolicy, Permission
from contract.access_errors import PermissionDenied, Unauthenticated
from gateway.interceptors.claims import claims_of
from gateway.interceptors.intercepted import OTHER
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc, headers_of
from gateway.interceptors.name_caller import NAME
from gateway.request_context import enter_with
from gateway.rights import Rights, rights_of
from gateway.verified_token import CLOCK_SKEW_S, ISSUER_HEADER

_ISSUER, _AUTHORIZATION = ISSUER_HEADER.encode(), b"authorization"
_ALL = frozenset(Permission)
MOST = 8192
"""Rights that are remembered: a token comes many times."""
MAX_REMEMBERED_BYTES = 4096
"""Of a token: so that what is remembered has a bound."""
_FAR_S = 365 * 24 * 3600
"""Longer than any call lasts."""


def authorize(policy: AccessPolicy, *, unbounded: Container[str] = ()) -> Interceptor:
    """Gives each call its caller and rights; refuses it where its rpc is not for this caller.

    Refused before the request is looked at: what is wrong with it is only for who may ask.

    unbounded: the paths of rpcs that may last; such a call is ended with its caller's token.
    """

    issuer = policy.tokens.issuer.encode()

    def rights(authorization: bytes, permissions: frozenset[Permission]) -> Rights:
        return _rights(policy, claims_of(authorization), permissions)

    remembered = lru_cache(MOST)(rights)

    def known(context: Context, permissions: frozenset[Permission]) -> Rights:
        headers = headers_of(context)
        if headers.get(_ISSUER) != issuer:
            raise Unauthenticated
        token = headers.get(_AUTHORIZATION, b"")
        find = remembered if len(token) <= MAX_REMEMBERED_BYTES else rights
        return find(token, permissions)

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        permissions = PERMISSIONS.get(rpc.path, frozenset())
        lasts = rpc.path in unbounded

        def run(request: Any, context: Context) -> Awaitable[Any]:
            found = known(context, permissions)
            # The handler of OTHER says that there is no such rpc.
            if found.are_none and rpc != OTHER:
                raise PermissionDenied(permissions)
            enter_with(found)
            if lasts:
                return run_until(found.expire_time, request, context)
            return handler(request, context)

        def run_open(request: Any, context: Context) -> Awaitable[Any]:
            """A token that is not good is as none."""
            try:
                enter_with(known(context, _ALL))
            except Unauthenticated:
                enter_with(rights_of("", (), _ALL))
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

        return run_open if rpc.path in OPEN else run

    return intercept


def _rights(
    policy: AccessPolicy, claims: Mapping[str, Any], permissions: frozenset[Permission]
) -> Rights:
    """Raises Unauthenticated: for whom nobody could name."""
    caller = claims.get("sub")
    if not isinstance(caller, str) or not NAME.fullmatch(caller):
        raise Unauthenticated
    names = claims.get(policy.tokens.roles_claim)
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    roles = [policy.roles[name] for name in known if name in policy.roles]
    end = claims.get("exp")
    expire_time = float(end) if isinstance(end, int | float) and end is not True else inf
    return rights_of(caller, roles, permissions, expire_time=expire_time)
