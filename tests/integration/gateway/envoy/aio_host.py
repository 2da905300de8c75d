"""The gateway's servicers on a plain server of grpc.aio. As a program it writes its port first."""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import cast

import grpc

from contract.settings import read
from gateway.app import open_parts, register
from gateway.interceptors.intercepted import Registrar
from gateway.settings import Settings


async def serve(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        server = grpc.aio.server()
        parts = await open_parts(stack, settings)
        register(parts, settings, cast(Registrar, server))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(read(Settings, os.environ)))
