"""Where a webhook may lead: to what the whole internet can reach, and to hosts allowed by name."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a gateway


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
    if not is_tls and parts.hostname not in allowed_hosts:
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
    if target.host not in allowed_hosts and not all(map(is_public, addresses)):
        raise PrivateAddress(
            "its address is private; PMESH_WEBHOOK_ALLOWED_HOSTS may name the host"
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether the whole internet can reach it: not loopback, private, link-local or reserved."""
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or _behind_nat64(found)
        if inner is not None:
            return is_public(str(inner))
        if found.is_site_local or found.teredo is not None:
            return False
    return found.is_global and not found.is_multicast


def _behind_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
