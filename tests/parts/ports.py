"""Ports on loopback."""

import random
import socket

from pmesh.stack.ports import is_free

# Neither of outgoing connections nor of a local stack, and each given once: what asks for several
# before it listens on one must not get one twice.
_candidates = iter(random.sample(range(10_000, 20_000), 10_000))


def free_port() -> int:
    """One that nothing listens on."""
    return next(port for port in _candidates if is_free(port))


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
