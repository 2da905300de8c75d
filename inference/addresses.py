"""What the address of a server names: one server, or several that answer for the same versions.

    unix:/run/triton:1                          one, by its socket
    triton.model-mood.svc.cluster.local:8001    each that the name has now, as a headless service
    ipv4:10.0.0.7:8001,10.0.0.8:8001            each of these; the same with ipv6: and unix:

They are written as gRPC writes them; inference.channels spreads calls over all that one names.
Source: https://github.com/grpc/grpc/blob/master/doc/naming.md
"""

import ipaddress
import socket
from typing import NamedTuple

_LISTS = ("unix", "ipv4", "ipv6")
_MODEL = "{model}"


class Endpoint(NamedTuple):
    """One server."""

    address: str
    authority: str | None = None
    """The name that it was found by, which a mesh routes by; None for gRPC's own choice."""


def of_model(address: str, model: str) -> str:
    """Where {model} stands in an address, each model has servers of its own."""
    return address.replace(_MODEL, model)


def endpoints(address: str) -> list[Endpoint]:
    """The servers that an address names now, one or more. Raises OSError for a name of nobody."""
    scheme, _, rest = address.partition(":")
    if scheme in _LISTS:
        return [Endpoint(f"{scheme}:{one}") for one in rest.split(",")]
    host, port = _split(address)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A server may have an address of each family: one of them is enough.
    family = min(one[0] for one in found)
    hosts = sorted({str(one[4][0]) for one in found if one[0] == family})
    return [Endpoint(_join(one, port), authority=address) for one in hosts]


def may_be_several(address: str) -> bool:
    """Whether an address can name more than one server."""
    scheme, _, rest = address.partition(":")
    if scheme in _LISTS:
        return "," in rest
    try:
        ipaddress.ip_address(_split(address)[0])
    except ValueError:
        return True
    return False


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port


def _join(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
