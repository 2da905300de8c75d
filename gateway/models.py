"""The models, as the gateway asks them: in micro-batches, each version its own."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from predict.v1.prediction_pb2 import PredictionOutput

from contract.errors import DeadlineExceeded, ModelUnavailable
from gateway.batching import Batcher
from gateway.store.catalog import Model
from gateway.traffic import choose_version, find_model
from inference.answers import Answers
from inference.server import ModelServer
from inference.slots import Slots

HANGING_S = 1.0
"""Between looks at a version that did not end a batch in time."""


class Entry(NamedTuple):
    """One text of a batch."""

    prediction_id: str
    text: str


class Answer(NamedTuple):
    """What a model says of one text."""

    output: PredictionOutput
    features_uri: str
    """Empty where no features are kept."""


class FeatureSink(Protocol):
    """Where rows of features go."""

    def append(
        self, model: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> list[str]: ...


class Models:
    """Asks the server of each version; open with `async with`."""

    def __init__(
        self,
        models: Callable[[], Mapping[str, Model]],
        *,
        features: FeatureSink,
        max_batch: int,
        batches_per_version: int,
        batches_per_server: int,
        max_waiting: int,
        max_inference_s: float,
    ) -> None:
        """models: the catalog as it now stands, by id."""
        self._models = models
        self._features = features
        self._max_batch = max_batch
        self._batches_per_version = batches_per_version
        self._batches_per_server = batches_per_server
        self._max_waiting = max_waiting
        self._max_inference_s = max_inference_s
        self._servers: dict[str, tuple[ModelServer, Slots]] = {}
        self._batchers: dict[tuple[str, str, str], Batcher[Entry, Answer]] = {}

    async def __aenter__(self) -> "Models":
        return self

    async def __aexit__(self, *_: object) -> None:
        for server, _slots in self._servers.values():
            await server.close()

    def choose_version(self, model: str, *, pinned: str, sticky_key: str) -> str:
        """The version that answers. Raises ModelNotFound, VersionNotFound, ModelNotReleased."""
        known = find_model(self._models(), model)
        return choose_version(known, pinned=pinned, sticky_key=sticky_key)

    async def predict(self, model: str, version: str, *, prediction_id: str, text: str) -> Answer:
        """Have one text predicted, together with what else waits for this version.

        Raises Overloaded, ModelFailed, ModelUnavailable, DeadlineExceeded.
        """
        address = find_model(self._models(), model).address_of(version)
        key = (model, version, address)
        batcher = self._batchers.get(key) or self._add_batcher(key)
        return await batcher.submit(Entry(prediction_id, text))

    def _add_batcher(self, key: tuple[str, str, str]) -> Batcher[Entry, Answer]:
        model, version, address = key
        if address not in self._servers:
            self._servers[address] = ModelServer(address), Slots(self._batches_per_server)
        server, slots = self._servers[address]
        batcher = self._batchers[key] = Batcher[Entry, Answer](
            partial(self._run, key, server),
            max_batch=self._max_batch,
            max_in_flight=self._batches_per_version,
            max_waiting=self._max_waiting,
            slot=partial(slots.hold, model),
            recover=partial(_until_it_answers, server, model, version),
        )
        return batcher

    async def _run(
        self, key: tuple[str, str, str], server: ModelServer, entries: list[Entry]
    ) -> Sequence[Answer | Exception]:
        model, version, _ = key
        known = find_model(self._models(), model)
        try:
            answers = await server.predict(
                model,
                version,
                [entry.text for entry in entries],
                labels=known.labels_of(version),
                features=random.random() < known.feature_share,  # noqa: S311
                timeout_s=self._max_inference_s,
            )
        except ModelUnavailable:
            if not known.serves(version):  # what has been unloaded is not remembered
                self._batchers.pop(key, None)
            raise
        return self._with_places(model, version, entries, answers)

    def _with_places(
        self, model: str, version: str, entries: list[Entry], answers: Answers
    ) -> list[Answer | Exception]:
        outputs, matrix = answers
        if matrix is None:
            return [o if isinstance(o, Exception) else Answer(o, "") for o in outputs]
        good = [row for row, output in enumerate(outputs) if isinstance(output, PredictionOutput)]
        if len(good) < len(outputs):
            matrix = matrix[good]
        ids = [entries[row].prediction_id for row in good]
        places = iter(self._features.append(model, version, ids, matrix))
        return [o if isinstance(o, Exception) else Answer(o, next(places)) for o in outputs]


async def _until_it_answers(
    server: ModelServer, model: str, version: str, error: Exception
) -> None:
    """After a batch that was not ended in time: the server may still be at work on it.

    An instance of a version works on one batch after the other, so that an answer to a further one
    shows that the first has ended.
    """
    if isinstance(error, DeadlineExceeded):
        while not await server.answers(model, version):  # noqa: ASYNC110  # it tells by itself
            await asyncio.sleep(HANGING_S)
