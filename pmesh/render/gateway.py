"""Who is let in at the gateway: by the token, as its own Envoy does once more."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from contract.access import OPEN, PERMISSIONS, AccessPolicy, Permission
from gateway.envoy.access_paths import OPEN_PATHS, RestPath
from pmesh.render.callers import allow, by_identity, principals
from pmesh.render.objects import Object, security
from pmesh.render.services import Name, Rule

GATEWAY = Name("predict-mesh", "gateway")
PORT = 8080
"""Of gRPC, gRPC-Web and REST."""
_AT_PORT = {"ports": [str(PORT)]}


def tokens(access: AccessPolicy) -> Object:
    """Whose tokens there are. A request without one passes here; no rule lets it in."""
    return security(
        "RequestAuthentication",
        GATEWAY.namespace,
        GATEWAY.name,
        selector={"matchLabels": {"app": GATEWAY.name}},
        jwtRules=[
            {
                "issuer": access.tokens.issuer,
                "audiences": [access.tokens.audience],
                "jwksUri": access.tokens.jwks,
                # One place only, as at the gateway.
                "fromHeaders": [{"name": "authorization", "prefix": "Bearer "}],
                "forwardOriginalToken": True,
            }
        ],
    )


def callers(
    access: AccessPolicy, rules: Sequence[Rule], rest: Mapping[str, Sequence[RestPath]]
) -> Object:
    """By role and rpc at its port, by identity at the others. rest: the paths of each rpc."""
    at_port = [caller for rule in rules if rule.port == PORT for caller in rule.callers]
    return allow(
        GATEWAY,
        [
            *by_identity(rule for rule in rules if rule.port != PORT),
            *_without_token(principals(at_port)),
            *_by_role(access, principals(at_port), rest),
        ],
    )


def _without_token(identities: Sequence[str]) -> list[Any]:
    source = [{"source": {"principals": identities}}]
    preflight = {
        "from": source,
        "to": [{"operation": {**_AT_PORT, "methods": ["OPTIONS"]}}],
        "when": [{"key": "request.headers[access-control-request-method]", "values": ["*"]}],
    }
    paths = [*OPEN_PATHS, *sorted(OPEN)]
    return [{"from": source, "to": [{"operation": {**_AT_PORT, "paths": paths}}]}, preflight]


def _by_role(
    access: AccessPolicy, identities: Sequence[str], rest: Mapping[str, Sequence[RestPath]]
) -> list[Any]:
    rpcs: dict[tuple[str, ...], list[str]] = {}
    for rpc, permissions in PERMISSIONS.items():
        rpcs.setdefault(_roles(access, permissions), []).append(rpc)
    who = {"principals": identities, "requestPrincipals": [f"{access.tokens.issuer}/*"]}
    claim = f"request.auth.claims[{access.tokens.roles_claim}]"
    return [
        {
            "from": [{"source": who}],
            "to": [{"operation": operation} for operation in _operations(own, rest)],
            "when": [{"key": claim, "values": list(roles)}],
        }
        for roles, own in rpcs.items()
        if roles
    ]


def _roles(access: AccessPolicy, permissions: Collection[Permission]) -> tuple[str, ...]:
    """Those that give one of these for any model; for which, the gateway judges."""
    return tuple(
        role
        for role, grants in access.roles.items()
        if any(grants.get(permission) for permission in permissions)
    )


def _operations(
    rpcs: Iterable[str], rest: Mapping[str, Sequence[RestPath]]
) -> list[dict[str, Any]]:
    """What a client may send: gRPC and gRPC-Web at the rpcs' own paths, REST at theirs."""
    paths: dict[tuple[str, tuple[str, ...]], list[str]] = {("POST", ()): []}
    for rpc in rpcs:
        paths["POST", ()].append(rpc)
        for path in rest.get(rpc, ()):
            paths.setdefault((path.method, path.but), []).append(path.path)
    return [
        {**_AT_PORT, "methods": [method], "paths": own, **({"notPaths": [*but]} if but else {})}
        for (method, but), own in paths.items()
    ]
