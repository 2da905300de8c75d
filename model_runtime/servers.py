"""The servers that answer for the model's versions, by their addresses."""

from typing import Self

from inference.server import ModelServer


class Servers:
    """Opens a server when it is first asked for; the end of `async with` closes them all."""

    def __init__(self) -> None:
        self._open: dict[str, ModelServer] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._open.values():
            await server.close()

    def at(self, address: str) -> ModelServer:
        """The server at an address, as inference.addresses."""
        if address not in self._open:
            self._open[address] = ModelServer(address)
        return self._open[address]
