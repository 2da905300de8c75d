"""The server of a version by the Open Inference Protocol, or several of the same, by gRPC."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import grpc
import numpy.typing as npt
from tritonclient.grpc.service_pb2 import (
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
)

from contract.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from contract.logs import about
from inference.addresses import may_be_several
from inference.answers import Answers, check, joined
from inference.calls import PROBE_S, PROBE_TEXT, BatchFailed
from inference.channels import Channels
from inference.failures import FailureSearch
from inference.tensors import (
    ERROR,
    FEATURES,
    SCORES,
    VALUE,
    BadTensor,
    infer_request,
    read_outputs,
    split_by_size,
)

log = logging.getLogger(__name__)

# A batch's failure, until the server has answered a known good text beside it.
_BATCH_FAILURES = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}


class ModelServer:
    """Answers for versions of models; open with `async with`."""

    def __init__(self, address: str) -> None:
        """address: as inference.addresses; the calls go to all that it names, in turn."""
        self.may_be_several = may_be_several(address)
        self._channels = Channels(address)
        self._outputs: dict[tuple[str, str], frozenset[str]] = {}

    @property
    def count(self) -> int:
        """How many servers the address names, as far as is known; one at the least."""
        return self._channels.count

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; calls under way fail."""
        await self._channels.close()

    async def predict(
        self,
        model: str,
        version: str,
        texts: Sequence[str],
        *,
        labels: Sequence[str],
        features: bool,
        timeout_s: float,
    ) -> Answers:
        """Answer n >= 1 texts, each with an output or with ModelFailed.

        labels: of the version, in the order of its scores. features: whether to ask for them.
        timeout_s: for all calls together, > 0.
        Raises ModelUnavailable (also for a version that the server does not know), Overloaded,
        DeadlineExceeded.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        infer = partial(self.infer, model, version, labels=labels)
        answers = []
        try:
            for part in split_by_size(texts):
                try:
                    left_s = deadline - clock()
                    answers.append(await infer(part, features=features, timeout_s=left_s))
                except BatchFailed:
                    # It may be another program by now, with other outputs.
                    declared = await self._declare(model, version, deadline - clock())
                    search = FailureSearch(
                        infer,
                        model,
                        says_by_row=ERROR in declared,
                        features=features,
                        deadline=deadline,
                    )
                    answers.append(await search.settle(part))
        except ModelUnavailable:
            self._outputs.pop((model, version), None)
            raise
        return answers[0] if len(answers) == 1 else joined(answers)

    async def infer(
        self,
        model: str,
        version: str,
        texts: Sequence[str],
        *,
        labels: Sequence[str],
        features: bool,
        by_row: bool = False,
        timeout_s: float,
    ) -> Answers:
        """Have 1 to 256 texts predicted together by one version.

        labels: of the version, in the order of its scores. features: whether to ask for them.
        by_row: have the server say of each text whether the model failed on it; only for one
        that has the output `error`.
        Raises BatchFailed, ModelUnavailable, Overloaded, DeadlineExceeded.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        declared = self._outputs.get((model, version))
        if declared is None:
            declared = await self._declare(model, version, timeout_s)
        wanted = _wanted(declared, features=features, by_row=by_row)
        request = infer_request(model, version, texts, wanted)
        left_s = deadline - clock()
        if left_s <= 0:
            raise DeadlineExceeded
        try:
            response = await self._channels.call(
                "ModelInfer", request, model=model, version=version, timeout_s=left_s
            )
        except grpc.aio.AioRpcError as error:
            raise self._wrap(error, model, version) from error
        try:
            tensors = _read(response, model, version)
            if not features:
                tensors.pop(FEATURES, None)  # some servers answer all that they have
            return check(tensors, model, labels, len(texts))
        except BadTensor as error:
            raise BatchFailed(str(error)) from error

    async def is_ready(self, model: str, version: str, *, timeout_s: float) -> bool:
        """Whether the server calls the version ready, which it tells beside its work.

        A server without this question has answered as well, and has nothing against the version.
        Raises ModelUnavailable if it cannot be reached, DeadlineExceeded if it does not answer.
        """
        request = ModelReadyRequest(name=model, version=version)
        try:
            answer: ModelReadyResponse = await self._channels.call(
                "ModelReady", request, model=model, version=version, timeout_s=timeout_s
            )
        except grpc.aio.UsageError as error:  # the connection has been closed meanwhile
            raise ModelUnavailable(model) from error
        except grpc.aio.AioRpcError as error:
            match error.code():
                case grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise DeadlineExceeded from error
                case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                    raise ModelUnavailable(model) from error
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
        return bool(answer.ready)

    async def is_well(self, model: str, version: str) -> bool:
        """Whether the version answers a text that is known to be good.

        Triton calls a model ready whose process is dead: only an inference shows it.
        """
        request = infer_request(model, version, [PROBE_TEXT], [])
        try:
            response = await self._channels.call(
                "ModelInfer", request, model=model, version=version, timeout_s=PROBE_S
            )
            return SCORES in _read(response, model, version)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, BadTensor, ModelUnavailable):
            return False  # UsageError: the connection has been closed meanwhile

    async def _declare(self, model: str, version: str, timeout_s: float) -> frozenset[str]:
        """Learn which outputs the version declares; none is an answer, too."""
        if timeout_s <= 0:  # gRPC would take it for no deadline
            raise DeadlineExceeded
        try:
            answer = await self._channels.call(
                "ModelMetadata",
                ModelMetadataRequest(name=model, version=version),
                model=model,
                version=version,
                timeout_s=timeout_s,
            )
        except grpc.aio.AioRpcError as error:
            if error.code() in _BATCH_FAILURES:  # there is no batch yet that could be to blame
                raise ModelUnavailable(model) from error
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise self._wrap(error, model, version) from error
            answer = ModelMetadataResponse()
        found = self._outputs[model, version] = frozenset(o.name for o in answer.outputs)
        return found

    def _wrap(self, error: grpc.aio.AioRpcError, model: str, version: str) -> Exception:
        match error.code():
            case code if code in _BATCH_FAILURES:
                return BatchFailed(code.name)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded()
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Overloaded()
            case code:
                if code is not grpc.StatusCode.UNAVAILABLE:
                    with about(model=model, version=version):
                        log.warning("%s %s: its server answers %s", model, version, code.name)
                return ModelUnavailable(model)


def _wanted(declared: frozenset[str], *, features: bool, by_row: bool) -> Sequence[str]:
    """The outputs to ask for; none means all, of a server that does not declare its own."""
    if SCORES not in declared:
        return ()
    wanted = [SCORES]
    if VALUE in declared:
        wanted.append(VALUE)
    if features and FEATURES in declared:
        wanted.append(FEATURES)
    if by_row:
        wanted.append(ERROR)
    return wanted


def _read(response: ModelInferResponse, model: str, version: str) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a version's answer. Raises BadTensor, ModelUnavailable."""
    # Some servers name no version; one that names another has not done what was asked.
    if response.model_version not in ("", version):
        with about(model=model, version=version):
            log.error("%s %s: its server answers as another version", model, version)
        raise ModelUnavailable(model)
    return read_outputs(response)
