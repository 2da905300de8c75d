"""Two servers that `triton.test` stands for, and what finds them by that name.

Run where /etc/hosts says so; prints where they were found, and who was asked.
"""

import asyncio

from inference.addresses import endpoints
from inference.server import ModelServer
from tests.parts.ports import free_port
from tests.parts.words import LABELS
from tests.parts.words_server import words_server

NAME = "triton.test"


async def main() -> None:
    """Ask until both have answered."""
    for endpoint in endpoints(f"{NAME}:9"):
        assert endpoint.authority == f"{NAME}:9"
        print(endpoint.address)
    port = free_port()
    with words_server(port=port) as one, words_server(host="127.0.0.2", port=port) as other:
        async with ModelServer(f"{NAME}:{port}") as server:
            while not (one.calls and other.calls):
                await server.predict(
                    "words", "1", ["good"], labels=LABELS, features=False, timeout_s=20
                )
    print("both")


if __name__ == "__main__":
    asyncio.run(main())
