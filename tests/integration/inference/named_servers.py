"""Two servers that `triton.test` stands for, and what finds them by that name.

Run where /etc/hosts says so, and may be changed; prints where they were found, and who was asked.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from inference.addresses import endpoints
from inference.server import ModelServer
from tests.parts.oip_server import OipServer
from tests.parts.ports import free_port
from tests.parts.words import LABELS
from tests.parts.words_server import words_server

NAME = "triton.test"


async def main() -> None:
    """Ask both; then one that comes later."""
    for endpoint in endpoints(f"{NAME}:9"):
        assert endpoint.authority == f"{NAME}:9"
        print(endpoint.address)
    port = free_port()
    with ExitStack() as running:
        one, other, third = (
            running.enter_context(words_server(host=f"127.0.0.{n}", port=port)) for n in (1, 2, 3)
        )
        async with ModelServer(f"{NAME}:{port}") as server:
            await ask_until(server, one, other)
            print("both")
            add_to_name("127.0.0.3")
            await ask_until(server, third)
            print("third")


def add_to_name(address: str) -> None:
    """One more that it stands for."""
    with Path("/etc/hosts").open("a") as hosts:
        hosts.write(f"{address} {NAME}\n")


async def ask_until(server: ModelServer, *asked: OipServer) -> None:
    """Ask until these have been."""
    while not all(one.calls for one in asked):
        await server.predict("words", "1", ["good"], labels=LABELS, features=False, timeout_s=20)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
