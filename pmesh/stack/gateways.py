"""The gateways with what belongs to each, and what is in front of them if they are several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pmesh.stack.balancer import balancer_part
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.replicas import numbered
from pmesh.stack.services import features_part, gateway_part

_SPOOL = "features"
_DRAIN_DELAY = {"PMESH_GATEWAY_DRAIN_DELAY_S": "4"}
"""Within which the balancer sees that a gateway is about to end."""


def port_names(count: int) -> list[str]:
    """What needs a port beside the public one."""
    names = numbered("gateway", count)
    own = [f"{name}-{kind}" for name in names for kind in ("admin", "metrics")]
    own += [f"{name}-metrics" for name in numbered(_SPOOL, count)]
    return own if count == 1 else [*names, *own, "balancer-admin"]


def doors(count: int) -> tuple[str, ...]:
    """The parts by which clients come in."""
    return numbered("gateway", count) if count == 1 else ("balancer", *numbered("gateway", count))


def gateway_parts(
    home: Home,
    *,
    count: int,
    port: int,
    ports: Mapping[str, int],
    tritons: Sequence[str],
    access: Path | None,
    environment: Mapping[str, str],
    base: Mapping[str, str],
    shipping: Mapping[str, str],
) -> list[Part]:
    """port: the public one. tritons: the parts that they ask. access: who may call.

    environment: of the gateways; base: of what is in front of them; shipping: of what ships
    features.
    """
    names = numbered("gateway", count)
    spools = {
        name: home.path / (_SPOOL if n == 1 else f"{_SPOOL}-{n}") for n, name in enumerate(names, 1)
    }
    own_ports = {name: port if count == 1 else ports[name] for name in names}
    parts = [
        gateway_part(
            name=name,
            port=own_ports[name],
            admin_port=ports[f"{name}-admin"],
            metrics_port=ports[f"{name}-metrics"],
            spool=spools[name],
            access=access,
            access_log=home.log(name.replace("gateway", "access")),
            environment={**environment, **(_DRAIN_DELAY if count > 1 else {})},
            uses=tuple(tritons) if count == 1 else (*tritons, "balancer"),
        )
        for name in names
    ]
    if count > 1:
        admin_port = ports["balancer-admin"]
        front = balancer_part(
            home, port=port, admin_port=admin_port, gateways=own_ports, environment=base
        )
        parts.append(front)
    shippers = dict(zip(numbered(_SPOOL, count), spools.values(), strict=True))
    # What gateways have left that there are no more.
    left = set(home.path.glob(f"{_SPOOL}-*")) - set(spools.values())
    shippers |= {spool.name: spool for spool in sorted(left)}
    return [
        *parts,
        *(
            features_part(
                name=name,
                metrics_port=ports.get(f"{name}-metrics", 0),
                spool=spool,
                environment=shipping,
            )
            for name, spool in shippers.items()
        ),
    ]
