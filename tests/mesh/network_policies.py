"""Decides as a cluster's network does, from the NetworkPolicy objects: may this connection be made?

What it says: https://kubernetes.io/docs/concepts/services-networking/network-policies/. What the
charts do not use is not decided here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One end of a connection; another end, outside the cluster, is None."""

    namespace: str
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What is asked for."""

    source: Pod | None
    to: Pod | None
    port: int
    protocol: str = "TCP"


def is_let_out(policies: Sequence[Object], connection: Connection) -> bool:
    """By those of its source."""
    return _passes(policies, connection, "Egress", connection.source, connection.to)


def is_let_in(policies: Sequence[Object], connection: Connection) -> bool:
    """By those of where it goes to."""
    return _passes(policies, connection, "Ingress", connection.to, connection.source)


def _passes(
    policies: Iterable[Object],
    connection: Connection,
    direction: str,
    pod: Pod | None,
    peer: Pod | None,
) -> bool:
    """Where no policy of this direction selects the pod, all passes; else what any of them lets."""
    if pod is None:
        return True
    selecting = [
        one["spec"]
        for one in policies
        if one["metadata"]["namespace"] == pod.namespace
        and direction in one["spec"]["policyTypes"]
        and _selects(one["spec"]["podSelector"], pod.labels)
    ]
    key, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    lets = partial(_lets, side=side, own=pod.namespace, peer=peer, connection=connection)
    return not selecting or any(lets(rule) for spec in selecting for rule in spec.get(key, ()))


def _lets(rule: Object, *, side: str, own: str, peer: Pod | None, connection: Connection) -> bool:
    """own: the namespace of the policy."""
    _only(rule, {side, "ports"})
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(_is(one, own, peer) for one in peers)) and (
        not ports or any(_at(one, connection) for one in ports)
    )


def _is(one: Object, own: str, pod: Pod | None) -> bool:
    _only(one, {"namespaceSelector", "podSelector"})
    if pod is None:
        return False
    in_namespace = (
        _selects(one["namespaceSelector"], pod.namespace_labels)
        if "namespaceSelector" in one
        else pod.namespace == own
    )
    return in_namespace and _selects(one.get("podSelector", {}), pod.labels)


def _at(one: Object, connection: Connection) -> bool:
    _only(one, {"port", "protocol"})
    if not isinstance(one["port"], int):
        raise NotImplementedError(f"a port by its name: {one['port']}")
    return (one["port"], one.get("protocol", "TCP")) == (connection.port, connection.protocol)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """An empty one selects all."""
    _only(selector, {"matchLabels", "matchExpressions"})
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for expression in selector.get("matchExpressions", ()):
        if expression["operator"] != "Exists":
            raise NotImplementedError(expression["operator"])
        if expression["key"] not in labels:
            return False
    return True


def _only(said: Object, known: Iterable[str]) -> None:
    if unknown := said.keys() - set(known):
        raise NotImplementedError(f"not decided here: {sorted(unknown)}")
