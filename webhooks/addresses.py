"""Where a webhook may lead: to what the whole internet can reach, and to hosts allowed by name."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/3", "4000::/2", "8000::/1"),  # all but 2000::/3, the unicast that IANA gives out
    *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
"""What nobody's, or only somebody's, network leads to, after IANA's registries of special-purpose
addresses (iana-ipv4-special-registry, iana-ipv6-special-registry), of IPv4 and IPv6 multicast, and
of IPv6 address space. Whole blocks: the few addresses in them that are reachable serve protocols
of the network. In ::/3 lie the forms in which IPv6 has IPv4 addresses, in 2002::/16 6to4's."""

_NOT_PUBLIC = tuple(ipaddress.ip_network(network) for network in NOT_PUBLIC)
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses as a network without IPv4 has them (RFC 6052): its names resolve to these."""


class InvalidUrl(ValueError):
    """No webhook can have this URL. The message does not repeat it: it may hold a secret."""


class PrivateAddress(Exception):
    """Nothing is sent there. The message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart."""

    is_tls: bool
    host: str
    """In lower case; an IP address without brackets."""
    port: int
    path: str
    """With its query."""


def read_url(url: str, allowed_hosts: Collection[str] = ()) -> Target:
    """Take a URL apart. Raises InvalidUrl; without TLS for hosts that are not allowed by name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl(f"a webhook's URL cannot be read: {error}") from error
    if any(not 32 < ord(character) < 127 for character in url):
        raise InvalidUrl("a webhook's URL has ASCII characters only, and no blanks")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidUrl("a webhook's URL is https://host/path")
    if parts.username is not None or parts.fragment:
        raise InvalidUrl("a webhook's URL has no user, password or fragment")
    is_tls = parts.scheme == "https"
    if not is_tls and not _is_allowed(parts.hostname, allowed_hosts):
        raise InvalidUrl("a webhook's URL begins with https://, but for hosts allowed by name")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls, parts.hostname, port or (443 if is_tls else 80), path)


def resolve(target: Target, allowed_hosts: Collection[str]) -> str:
    """The one address to connect to, looked up now: a second look-up may give another one.

    Raises PrivateAddress where any address of the host is not the public internet's and the host
    is not allowed by name, and OSError where it has none.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    if not (_is_allowed(target.host, allowed_hosts) or all(map(is_public, addresses))):
        raise PrivateAddress(
            "its address is private; PMESH_WEBHOOK_ALLOWED_HOSTS may name the host"
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether the whole internet can reach it, and not only this machine or its networks."""
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found in _TRANSLATED:
        found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    elif isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return not any(found in network for network in _NOT_PUBLIC)


def _is_allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    return _name(host) in map(_name, allowed_hosts)


def _name(host: str) -> str:
    """Names of hosts are the same in capitals, and with the dot of the root."""
    return host.lower().removesuffix(".")
