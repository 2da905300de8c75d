"""The server under test: asked as the gateway asks, and by the protocol's own messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import numpy as np
import numpy.typing as npt
from tritonclient.grpc.service_pb2 import ModelInferResponse
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.addresses import Endpoint
from inference.answers import Answers
from inference.calls import channel_options
from inference.server import ModelServer
from inference.tensors import SCORES, BadTensor, infer_request, read_outputs


@dataclass(kw_only=True)
class Target:
    """One version of a model at one server; open with `async with`."""

    address: str
    model: str
    version: str
    labels: Sequence[str]
    """In the order of the scores. Empty: not given; the first answer then says how many."""
    bad: str
    """A text that makes the model fail; empty: none is known."""
    slow: str
    """A text that takes longer than a second; empty: none is known."""
    timeout_s: float
    server: ModelServer = field(init=False)
    """As the gateway and the workers see it."""
    stub: Any = field(init=False)
    """The protocol's own calls, by `grpc.aio`."""

    async def __aenter__(self) -> Self:
        options = channel_options(Endpoint(self.address))
        self._channel = grpc.aio.insecure_channel(self.address, options=options)
        self.stub = GRPCInferenceServiceStub(self._channel)
        self.server = ModelServer(self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
        await self._channel.close()

    async def infer(
        self,
        texts: Sequence[str],
        *,
        outputs: Sequence[str] = (),
        model: str = "",
        version: str = "",
    ) -> ModelInferResponse:
        """The server's own answer. model, version: others than those under test."""
        request = infer_request(model or self.model, version or self.version, texts, outputs)
        return await self.stub.ModelInfer(request, timeout=self.timeout_s)

    async def scores(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Of each text: (n, labels). Raises BadTensor."""
        tensors = read_outputs(await self.infer(texts, outputs=[SCORES]))
        if SCORES not in tensors:
            raise BadTensor(f"asked for {SCORES}, it answers {', '.join(tensors) or 'nothing'}")
        rows = tensors[SCORES]
        if rows.shape != (len(texts), len(self.labels)):
            raise BadTensor(f"{list(rows.shape)} for {len(texts)} texts")
        return rows.astype(np.float64)

    async def predict(
        self,
        texts: Sequence[str],
        *,
        features: bool = False,
        model: str = "",
        timeout_s: float | None = None,
    ) -> Answers:
        """As the gateway does it, its errors too."""
        return await self.server.predict(
            model or self.model,
            self.version,
            texts,
            labels=self.labels,
            features=features,
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
        )
