"""A plain server of the Open Inference Protocol: the smallest that answers, and not Triton.

It has a thread of its own, so that blocking tests can use it as well as those with a loop.
"""

import asyncio
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import grpc
import numpy as np
import numpy.typing as npt
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.parts.ports import free_port

Answer = Callable[[Sequence[str]], Mapping[str, npt.NDArray[Any]]]
"""The texts of a call -> the outputs, by name. What it raises is an UNKNOWN of the call, with the
exception's own text, as servers in Python do it; Refusal is another code."""

_TYPES = {"f4": "FP32", "f8": "FP64", "b1": "BOOL", "i8": "INT64"}
_CONTENTS = {"FP32": "fp32", "FP64": "fp64", "BOOL": "bool", "INT64": "int64"}
_ERROR = "error"


class Refusal(Exception):
    """Ends a call with a code. metadata: that comes with it."""

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str = "a detail of the server",
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(details)
        self.code = code
        self.metadata = metadata


class OipServer:
    """Answers for one version of one model inside `with`; can be stopped and started again."""

    def __init__(
        self,
        answer: Answer,
        *,
        model: str = "foreign",
        version: str = "12",
        says_version: bool = True,
        answers_as: str | None = None,
        typed: bool = False,
        declares: bool = True,
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        """model: "*" for any. says_version: whether answers name the version; a server that does
        not ignores it.

        answers_as: another version that its answers name. typed: whether it answers with typed
        contents instead of raw bytes. declares: whether ModelMetadata names its outputs; if there
        is an `error` among them, it is only for who asks for it, and others are refused.
        """
        self.answer = answer
        self.model = model
        self.version = version
        self.says_version = says_version
        self.answers_as = answers_as
        self.typed = typed
        self.declares = declares
        self.calls: list[list[str]] = []
        """The texts of each call of ModelInfer."""
        self.wanted: list[list[str]] = []
        """The outputs that each of them named."""
        self.left_s: list[float | None] = []
        """What each of them left until its deadline, in seconds."""
        self.headers: list[dict[str, str]] = []
        """The metadata of each call, of whatever kind."""
        self.metadata_calls = 0
        self.before_metadata: Callable[[], object] = lambda: None
        """May wait, or raise Refusal."""
        self.before_ready: Callable[[], object] = lambda: None
        """Likewise, before it says whether a version is ready."""
        self._host = host
        self._port = free_port() if port is None else port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """host:port, the same after a stop."""
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """Serve, in a thread."""
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._started.wait(100)

    def stop(self) -> None:
        """Calls under way fail; returns once the answers to them have ended too."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(100)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Servicer(self), server)
        server.add_insecure_port(self.address)
        await server.start()
        self._started.set()
        await self._stop.wait()
        await server.stop(grace=None)


class _Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """What it does not define is UNIMPLEMENTED."""

    def __init__(self, server: OipServer) -> None:
        self._server = server

    async def ServerLive(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerReadyResponse(ready=True)

    async def ModelReady(self, request: Any, context: Any) -> Any:
        self._server.headers.append(dict(context.invocation_metadata()))
        await _run(context, self._server.before_ready)
        return service_pb2.ModelReadyResponse(ready=self._knows(request.name, request.version))

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        self._server.headers.append(dict(context.invocation_metadata()))
        self._server.metadata_calls += 1
        await _run(context, self._server.before_metadata)
        if not self._knows(request.name, request.version):
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown model")
        response = service_pb2.ModelMetadataResponse(name=request.name, platform="plain")
        if self._server.declares:
            for name, array in self._server.answer(["ready?"]).items():
                shape = [-1, *array.shape[1:]]
                response.outputs.add(name=name, datatype=_datatype(array), shape=shape)
        return response

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self._server.headers.append(dict(context.invocation_metadata()))
        if not self._knows(request.model_name, request.model_version):
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown model")
        texts, named = _texts(request), [output.name for output in request.outputs]
        self._server.calls.append(texts)
        self._server.wanted.append(named)
        self._server.left_s.append(context.time_remaining())
        outputs = await _run(context, self._server.answer, texts)
        if _ERROR in outputs and _ERROR not in named and outputs[_ERROR].any():
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the model failed on a text")
        response = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
        if self._server.says_version:
            response.model_version = self._server.answers_as or self._server.version
        for name in set(named or outputs.keys() - {_ERROR}) & outputs.keys():
            self._add(response, name, np.ascontiguousarray(outputs[name]))
        return response

    def _knows(self, model: str, version: str) -> bool:
        known = self._server.version
        return self._server.model in ("*", model) and (
            not self._server.says_version or version in ("", known)
        )

    def _add(self, response: Any, name: str, array: npt.NDArray[Any]) -> None:
        output = response.outputs.add(name=name, datatype=_datatype(array), shape=array.shape)
        if not self._server.typed:
            response.raw_output_contents.append(array.tobytes())
            return
        contents = getattr(output.contents, f"{_CONTENTS[output.datatype]}_contents")
        contents.extend(array.ravel().tolist())


async def _run(context: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """In a thread: it may take long, and other calls go on meanwhile."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except Refusal as error:
        await context.abort(error.code, str(error), error.metadata)


def _texts(request: Any) -> list[str]:
    """Of the one input, raw or typed."""
    if not request.raw_input_contents:
        return [text.decode() for text in request.inputs[0].contents.bytes_contents]
    raw, texts, start = request.raw_input_contents[0], [], 0
    while start < len(raw):
        (size,) = struct.unpack_from("<I", raw, start)
        texts.append(raw[start + 4 : start + 4 + size].decode())
        start += 4 + size
    return texts


def _datatype(array: npt.NDArray[Any]) -> str:
    return _TYPES[array.dtype.str.lstrip("<|=")]
