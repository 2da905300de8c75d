"""What a client sees of a call that fails: a status with a reason, and nothing of our insides."""

from typing import Any

import grpc

from gateway.grpc_asgi.status import RpcFailure, Status, UndecodableRequest
from gateway.interceptors.interceptor import Context, Handler, Rpc, code_of
from gateway.servicers import failures


def explain(rpc: Rpc, handler: Handler) -> Handler:
    """Turns what a handler raises into the status of the call; a code that it has set stays."""

    async def run(request: Any, context: Context) -> Any:
        try:
            return await handler(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            status = _status(rpc, error)
        code = code_of(context)
        if code not in (grpc.StatusCode.OK, status.code):  # whose details would be of another code
            status = Status(code, str(context.details() or status.details))
        return await context.abort_with_status(status)

    return run


def _status(rpc: Rpc, error: Exception) -> grpc.Status:
    if isinstance(error, RpcFailure):  # of a stream's later messages
        return failures.on_failure(rpc.path, error.status)
    if isinstance(error, UndecodableRequest):
        return failures.on_undecodable(rpc.path, error.payload, error.error)
    return failures.on_error(rpc.path, error)
