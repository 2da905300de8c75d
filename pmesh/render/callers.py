"""Who is let in at a service: its positive rules, on top of the refusal of everything."""

from collections.abc import Iterable, Sequence
from typing import Any

from pmesh.render.objects import Object, security
from pmesh.render.services import Name, Rule


def allow(service: Name, rules: Sequence[Any]) -> Object:
    """The policy of a service. rules: as AuthorizationPolicy has them."""
    return security(
        "AuthorizationPolicy",
        service.namespace,
        service.name,
        selector={"matchLabels": {"app": service.name}},
        action="ALLOW",
        rules=rules,
    )


def by_identity(rules: Iterable[Rule]) -> list[Any]:
    """Let in who the table says, by the certificate of the caller."""
    return [
        {
            "from": [{"source": {"principals": principals(rule.callers)}}],
            "to": [{"operation": _operation(rule)}],
        }
        for rule in rules
    ]


def principals(callers: Sequence[Name]) -> list[str]:
    """The identities in the certificates of these."""
    return [caller.principal for caller in callers]


def _operation(rule: Rule) -> dict[str, Any]:
    at_port = {"ports": [str(rule.port)]}
    return {**at_port, "paths": list(rule.rpcs)} if rule.rpcs else at_port
