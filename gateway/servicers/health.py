"""grpc.health.v1.Health: what of the gateway can answer, asked once or watched.

Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from collections.abc import AsyncIterator

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc

from contract.errors import ShuttingDown
from gateway.readiness import Readiness

Context = ServicerContext[pb.HealthCheckRequest, pb.HealthCheckResponse]


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers for "", each service by its full name, and each model by "models/ID"."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def Check(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> pb.HealthCheckResponse:
        """Answer as it stands; NOT_FOUND is of the protocol."""
        status = self._status(request.service)
        if status == pb.HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return pb.HealthCheckResponse(status=status)

    async def Watch(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> AsyncIterator[pb.HealthCheckResponse]:
        """Answer as it stands and at each change, until the gateway is about to end."""
        told: int | None = None
        while True:
            change = self._readiness.change()
            if (status := self._status(request.service)) != told:
                told = status
                yield pb.HealthCheckResponse(status=status)
            elif self._readiness.is_leaving:
                raise ShuttingDown
            else:
                await change.wait()

    def _status(self, service: str) -> pb.HealthCheckResponse.ServingStatus:
        ready = self._readiness.is_ready(service)
        if ready is None:
            return pb.HealthCheckResponse.SERVICE_UNKNOWN
        return pb.HealthCheckResponse.SERVING if ready else pb.HealthCheckResponse.NOT_SERVING
