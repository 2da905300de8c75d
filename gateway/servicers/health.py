"""grpc.health.v1.Health: what of the gateway can answer, asked once or watched.

Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from collections.abc import AsyncIterator

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from contract.errors import ShuttingDown
from gateway.readiness import MODELS, Readiness
from gateway.request_context import current

Context = ServicerContext[HealthCheckRequest, HealthCheckResponse]


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers for "", each service by its full name, and each model by "models/ID".

    A model is unknown to whom no right names it.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Answer as it stands; NOT_FOUND is of the protocol."""
        answer = self._answer(request.service)
        if answer.status == HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answer

    async def Watch(
        self, request: HealthCheckRequest, context: Context
    ) -> AsyncIterator[HealthCheckResponse]:
        """Answer as it stands and at each change, until the gateway is about to end."""
        told: HealthCheckResponse | None = None
        while True:
            change = self._readiness.change()
            if (answer := self._answer(request.service)) != told:
                told = answer
                yield answer
            elif self._readiness.is_leaving:
                raise ShuttingDown
            else:
                await change.wait()

    def _answer(self, service: str) -> HealthCheckResponse:
        is_hidden = service.startswith(MODELS) and not current().rights.allow(
            service.removeprefix(MODELS)
        )
        match None if is_hidden else self._readiness.is_ready(service):
            case None:
                return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
            case True:
                return HealthCheckResponse(status=HealthCheckResponse.SERVING)
            case _:
                return HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
