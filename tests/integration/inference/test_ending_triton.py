"""Two Tritons on one repository, one of which ends in order: nobody is refused."""

import asyncio
from collections.abc import Iterator

import pytest

from inference.server import ModelServer
from tests.parts.parrot.model import Model
from tests.parts.triton import Triton

CALLERS = 6


@pytest.fixture
def both() -> Iterator[tuple[Triton, Triton]]:
    with Triton() as one:
        one.add("parrot", "1", Model(version=1))
        one.load("parrot")
        with Triton(one.repository) as other:
            yield one, other


async def test_one_that_ends_refuses_nobody(both: tuple[Triton, Triton]) -> None:
    one, other = both
    address = f"{one.address},{other.address.removeprefix('unix:')}"
    ended = asyncio.Event()

    async def ask(server: ModelServer) -> int:
        """Until the other one has ended, and a few times more; how often."""
        count = 0
        while not ended.is_set():
            await ask_once(server)
            count += 1
        for _ in range(10):
            await ask_once(server)
        return count

    async with ModelServer(address) as server:
        await ask_once(server)
        callers = [asyncio.create_task(ask(server)) for _ in range(CALLERS)]
        await asyncio.to_thread(other.end)
        ended.set()
        assert min(await asyncio.gather(*callers)) > 0


async def ask_once(server: ModelServer) -> None:
    await server.predict(
        "parrot", "1", ["hello"], labels=Model.labels, features=False, timeout_s=20
    )
