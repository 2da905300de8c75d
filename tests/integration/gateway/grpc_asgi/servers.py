"""The same servicers for the gateway's server, which is an application in Envoy, and grpc.aio.

As a program it serves with grpc.aio, and writes its port as its first line.
"""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from gateway.servicers.standard import add_reflection
from tests.integration.gateway.grpc_asgi.probe import SERVICE, Probe, add_probe_to_server


def add_servicers(server: Any) -> None:
    add_probe_to_server(Probe(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    add_reflection(server, [SERVICE])


async def serve_with_grpc_aio() -> None:
    server = grpc.aio.server()
    add_servicers(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve_with_grpc_aio())
