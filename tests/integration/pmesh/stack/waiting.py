"""Waiting for a supervised part."""

import asyncio
from collections.abc import Callable

from pmesh.stack.status import PartStatus, State
from pmesh.stack.supervisor import Supervisor
from tests.parts.polling import PATIENCE_S


async def wait_for(
    supervisor: Supervisor, name: str, holds: Callable[[PartStatus], bool]
) -> PartStatus:
    """The status of a part once it holds. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = next(s for s in supervisor.statuses if s.name == name)
            if holds(status):
                return status
            await asyncio.sleep(0.02)


def is_ready_again(status: PartStatus) -> bool:
    """Whether it died and works."""
    return status.state is State.READY and status.restarts > 0
