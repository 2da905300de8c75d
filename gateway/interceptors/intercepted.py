"""Puts interceptors around handlers as they are registered, on any server of grpc.aio's shape."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeAlias

import grpc

from contract.errors import MethodNotFound
from gateway.grpc_asgi.status import UndecodableRequest
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc

OTHER = Rpc("_OTHER", "")
"""What all unknown methods are, so that clients cannot make up names."""

RpcMethodHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Registrar(Protocol):
    """What the generated add_XServicer_to_server functions call."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: dict[str, RpcMethodHandler]
    ) -> None: ...
    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None: ...


class Intercepted(grpc.GenericRpcHandler):
    """Register servicers here instead of on the server itself."""

    def __init__(self, server: Registrar, interceptors: Iterable[Interceptor]) -> None:
        """interceptors: the outermost first."""
        self._server = server
        self._interceptors = tuple(interceptors)
        server.add_generic_rpc_handlers((self,))  # for the methods that nobody registers

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, RpcMethodHandler]
    ) -> None:
        """Register each handler with the interceptors around it."""
        wrapped = {
            method: self._around(Rpc(service_name, method), handler)
            for method, handler in method_handlers.items()
        }
        self._server.add_registered_method_handlers(service_name, wrapped)

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Nothing: the generated functions register the same methods by their names as well.

        Raises TypeError for a handler that is not of one service, which would be left out.
        """
        for handler in handlers:
            if not isinstance(handler, grpc.ServiceRpcHandler):
                raise TypeError(f"{handler!r} must be registered by the names of its methods")

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> RpcMethodHandler:
        """An unknown method, as a call like any other."""
        path = handler_call_details.method

        async def refuse(_requests: Any, _context: Context) -> None:
            raise MethodNotFound(path)

        return self._around(OTHER, grpc.stream_stream_rpc_method_handler(refuse))

    def _around(self, rpc: Rpc, handler: RpcMethodHandler) -> RpcMethodHandler:
        behavior = _coroutine(handler)
        for interceptor in reversed(self._interceptors):
            behavior = interceptor(rpc, behavior)
        if not inspect.iscoroutinefunction(behavior):  # grpc.aio would give it to a thread
            raise TypeError(f"the outermost interceptor of {rpc.name} is no coroutine function")
        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        decode = handler.request_deserializer
        if decode is not None and not handler.request_streaming:
            decode = _kept_if_undecodable(decode)
        made: RpcMethodHandler = make(behavior, decode, handler.response_serializer)
        return made


_MAKERS: dict[tuple[bool, bool], Any] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _kept_if_undecodable(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """So that what is no message is a call too, on any server: `validate` refuses it."""

    def decode_or_keep(payload: bytes) -> Any:
        try:
            return decode(payload)
        except Exception as error:
            return UndecodableRequest(payload, error)

    return decode_or_keep


def _coroutine(handler: RpcMethodHandler) -> Handler:
    """A handler of any kind and style as one coroutine function."""
    behavior: Any = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    if inspect.iscoroutinefunction(behavior):
        return behavior  # type: ignore[no-any-return]

    async def run(request: Any, context: Context) -> Any:
        answer = behavior(request, context)
        if inspect.isawaitable(answer):
            return await answer
        if not handler.response_streaming:  # a plain function, such as a stub's
            return answer
        async with aclosing(answer):
            async for message in answer:
                await context.write(message)
        return None

    return run
