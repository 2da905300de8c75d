"""Who calls, and what his roles let him do: from the verified token that Envoy hands on."""

import base64
from collections.abc import Awaitable
from functools import lru_cache
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


def authorize(policy: AccessPolicy) -> Interceptor:
    """Gives each call its caller and rights; refuses it where its rpc is not for this caller.

    Refused before the request is looked at: what is wrong with it is only for who may ask.
    """

    def rights(claims: bytes, permissions: frozenset[Permission]) -> Rights:
        return _rights(policy, claims, permissions)

    remembered = lru_cache(MOST)(rights)

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        is_open = rpc.path in OPEN
        permissions = frozenset(Permission) if is_open else PERMISSIONS.get(rpc.path, frozenset())

        def run(request: Any, context: Context) -> Awaitable[Any]:
            claims = headers_of(context).get(CLAIMS)
            if not claims:
                if is_open:
                    enter(current()._replace(rights=rights_of("", (), permissions)))
                    return handler(request, context)
                raise Unauthenticated
            find = remembered if len(claims) <= MAX_REMEMBERED_BYTES else rights
            found = find(claims, permissions)
            if (
                found.are_none and not is_open and rpc != OTHER
            ):  # whose handler says that there is no such rpc
                raise PermissionDenied(permissions)
            enter(current()._replace(caller=found.caller, rights=found))
            return handler(request, context)

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
    return rights_of(caller, roles, permissions)
