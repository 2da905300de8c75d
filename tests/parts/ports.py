"""Ports on loopback."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle

from pmesh.stack.ports import is_free

# Neither of outgoing connections nor of a local stack.
_BLOCKS = [range(first, first + 500) for first in range(10_000, 20_000, 500)]


def free_port() -> int:
    """One that nothing listens on, and that no other process of tests is given meanwhile."""
    return next(port for port in _mine() if is_free(port))


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@cache
def _mine() -> Iterator[int]:
    """A block of this process, each port in turn: what asks for several before it listens on one
    must not get one twice, nor what is restarted find that another one listens on its port.
    """
    for block in _BLOCKS:
        claim = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            # The kernel gives a name to one, and takes it back when its process ends.
            claim.bind(f"\0predict-mesh-tests/{block.start}")
            claim.detach()
            return cycle(random.sample(block, len(block)))
        claim.close()
    raise RuntimeError("other processes of tests have all ports")
