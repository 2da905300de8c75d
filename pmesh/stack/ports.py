"""Ports on loopback: chosen free once, kept in the data directory, chosen anew when taken."""

import json
import random
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# Below what Linux gives to outgoing connections (32768 and up), so that no connection of a
# part can take the port of another one while that is being restarted.
_RANGE = range(20000, 32000)


def assign_ports(file: Path, names: Iterable[str]) -> dict[str, int]:
    """A free port for each name: the one that `file` remembers unless somebody has it now."""
    kept: dict[str, int] = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):  # a full disk may have cut it short
        kept = json.loads(file.read_text())
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name)
        if port is None or not is_free(port):
            port = _free_port(taken={*kept.values(), *ports.values()})
        ports[name] = port
    file.write_text(json.dumps(ports, indent=2) + "\n")
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    candidates = random.sample(_RANGE, 200)
    return next(port for port in candidates if port not in taken and is_free(port))
