"""The models, as the gateway asks them: in micro-batches, each version its own."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from contract.errors import DeadlineExceeded, ModelUnavailable
from gateway import request_context
from gateway.batch_spans import batch_span
from gateway.batching import Batcher
from gateway.call_trace import BatchStage, CallTrace
from gateway.metrics.stages import Stages, StagesByVersion
from gateway.probes import Place, Probes
from gateway.store.catalog import Model
from gateway.traffic import choose_version, find_model
from inference.answers import Answers
from inference.output import Output
from inference.server import ModelServer
from inference.slots import Slots
from telemetry.spans import Value
from telemetry.trace_context import TraceContext

HANGING_S = 1.0
"""Between looks at a version that did not end a batch in time."""


class Entry(NamedTuple):
    """One text of a batch."""

    prediction_id: str
    text: str
    deadline: float | None
    """Of its caller, on the loop's clock; None: he waits as long as a server may take."""
    submitted: float
    """When it began to wait, by perf_counter."""
    call: CallTrace | None
    """That it came with."""


class Answer(NamedTuple):
    """What a model says of one text."""

    output: Output
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
        stages: StagesByVersion,
        max_batch: int,
        batches_per_version: int,
        batches_per_server: int,
        max_waiting: int,
        max_inference_s: float,
        max_call_s: float,
    ) -> None:
        """models: the catalog as it now stands, by id.

        batches_per_version, batches_per_server: side by side at each server of an address: of one
        version, and of all together.
        """
        self._models = models
        self._features = features
        self._stages = stages
        self._max_batch = max_batch
        self._batches_per_version = batches_per_version
        self._batches_per_server = batches_per_server
        self._max_waiting = max_waiting
        self._max_inference_s = max_inference_s
        self._max_call_s = max_call_s
        self._servers: dict[str, tuple[ModelServer, Slots]] = {}
        self._batchers: dict[Place, Batcher[Entry, Answer]] = {}
        self._at_work: dict[Place, float] = {}
        """Since when, on the loop's clock, they have ended no batch, though they have one."""
        self.probes = Probes(
            places=self._places,
            server=lambda address: self._server(address)[0],
            on_away=self._fail_waiting,
            working_s=self._working_s,
            patience_s=max_call_s / 2,  # so that whoever waits is told before his time is over
        )
        """Which of them answer."""

    async def __aenter__(self) -> "Models":
        return self

    async def __aexit__(self, *_: object) -> None:
        for batcher in self._batchers.values():
            await batcher.close()
        for server, _slots in self._servers.values():
            await server.close()

    def knows(self, model: str) -> bool:
        """Whether there is such a model."""
        return model in self._models()

    def choose_version(self, model: str, *, pinned: str, sticky_key: str) -> str:
        """The version that answers. Raises ModelNotFound, VersionNotFound, ModelNotReleased."""
        known = find_model(self._models(), model)
        return choose_version(known, pinned=pinned, sticky_key=sticky_key)

    def answers(self, model: Model) -> bool:
        """Whether a model can answer: it is released, and no version with traffic is away."""
        away = self.probes.away
        return bool(model.traffic) and not any(
            Place(model.id, version, model.address_of(version)) in away for version in model.traffic
        )

    def predict(
        self,
        model: str,
        version: str,
        *,
        prediction_id: str,
        text: str,
        deadline: float | None = None,
    ) -> Awaitable[Answer]:
        """Have one text predicted, together with what else waits for this version.

        deadline: on the loop's clock; the server is asked until the latest one of its batch.
        Raises Overloaded, ModelFailed, ModelUnavailable, DeadlineExceeded.
        """
        address = find_model(self._models(), model).address_of(version)
        place = Place(model, version, address)
        if self.probes.away and place in self.probes.away:
            raise ModelUnavailable(model)
        batcher = self._batchers.get(place) or self._add_batcher(place)
        call = request_context.current().call
        return batcher.submit(Entry(prediction_id, text, deadline, perf_counter(), call))

    def waiting(self) -> int:
        """Texts that wait for a batch."""
        return sum(batcher.waiting for batcher in list(self._batchers.values()))

    def _add_batcher(self, place: Place) -> Batcher[Entry, Answer]:
        self._batchers = {at: kept for at, kept in self._batchers.items() if self._serves(at)}
        server, slots = self._server(place.address)
        batcher = self._batchers[place] = Batcher[Entry, Answer](
            partial(self._run, place, server),
            max_batch=self._max_batch,
            max_waiting=self._max_waiting,
            max_in_flight=lambda: self._batches_per_version * server.count,
            slot=partial(slots.hold, place.model),
            recover=partial(self._until_it_answers, place, server),
        )
        return batcher

    def _server(self, address: str) -> tuple[ModelServer, Slots]:
        if address not in self._servers:
            server = ModelServer(address)
            slots = Slots(lambda: self._batches_per_server * server.count)
            self._servers[address] = server, slots
        return self._servers[address]

    def _places(self) -> set[Place]:
        """The versions that have traffic, and those that were asked for by name."""
        used = {place for place in self._batchers if self._serves(place)}
        for model in self._models().values():
            used.update(Place(model.id, v, model.address_of(v)) for v in model.traffic)
        return used

    def _fail_waiting(self, place: Place) -> None:
        if (batcher := self._batchers.get(place)) is not None:
            batcher.fail_waiting(ModelUnavailable(place.model))

    def _serves(self, place: Place) -> bool:
        """Whether the catalog still has a version there."""
        known = self._models().get(place.model)
        return (
            known is not None
            and known.serves(place.version)
            and known.address_of(place.version) == place.address
        )

    async def _run(
        self, place: Place, server: ModelServer, entries: list[Entry]
    ) -> Sequence[Answer | Exception]:
        timeout_s = self._time_left(entries)
        if timeout_s <= 0:  # not the server's fault, who is not asked
            return [DeadlineExceeded()] * len(entries)
        known = find_model(self._models(), place.model)
        self._at_work.setdefault(place, asyncio.get_running_loop().time())
        stages = self._stages.of(place.model, place.version)
        infer = BatchStage(f"infer {place.model}", perf_counter())
        recorded = _end_waiting(entries, stages, infer)
        try:
            with batch_span(infer.name, recorded, _attributes(place, len(entries))):
                answers = await server.predict(
                    place.model,
                    place.version,
                    [entry.text for entry in entries],
                    labels=known.labels_of(place.version),
                    features=random.random() < known.feature_share,  # noqa: S311
                    timeout_s=timeout_s,
                )
        except DeadlineExceeded:  # it may well go on
            raise
        except BaseException as error:
            self._at_work.pop(place, None)
            if isinstance(error, ModelUnavailable):
                self.probes.doubt(place)
            raise
        finally:
            infer.ended = perf_counter()
        self._at_work.pop(place, None)
        exemplar = recorded[0].trace_id if recorded else ""
        stages.infer.observe_times(infer.ended - infer.began, len(entries), exemplar)
        self.probes.has_answered(place)
        return self._with_uris(place, entries, answers)

    def _time_left(self, entries: list[Entry]) -> float:
        """Seconds until the last of the callers leaves."""
        now = asyncio.get_running_loop().time()
        limit = now + self._max_inference_s
        latest = max(limit if e.deadline is None else e.deadline for e in entries)
        return min(latest, limit) - now

    def _with_uris(
        self, place: Place, entries: list[Entry], answers: Answers
    ) -> list[Answer | Exception]:
        outputs, matrix = answers
        if matrix is None:
            return [o if isinstance(o, Exception) else Answer(o, "") for o in outputs]
        good = answers.good()
        if len(good) < len(outputs):
            matrix = matrix[good]
        ids = [entries[row].prediction_id for row in good]
        uris = iter(self._features.append(place.model, place.version, ids, matrix))
        return [o if isinstance(o, Exception) else Answer(o, next(uris)) for o in outputs]

    def _working_s(self, place: Place) -> float | None:
        began = self._at_work.get(place)
        return None if began is None else asyncio.get_running_loop().time() - began

    async def _until_it_answers(self, place: Place, server: ModelServer, error: Exception) -> None:
        """After a batch that was not ended in time: the server may still be at work on it.

        An instance of a version works on one batch after the other, so that an answer to a further
        one shows that the first has ended. A caller's short deadline says nothing of the server: it
        is doubted once it has ended nothing for as long as a call may take.
        """
        if isinstance(error, DeadlineExceeded):
            clock = asyncio.get_running_loop().time
            patience = clock() + self._max_call_s
            while self._serves(place):
                if await server.is_well(place.model, place.version):
                    self._at_work.pop(place, None)
                    return
                if clock() >= patience:
                    self.probes.doubt(place)
                await asyncio.sleep(HANGING_S)


def _end_waiting(entries: Sequence[Entry], stages: Stages, infer: BatchStage) -> list[TraceContext]:
    """Their batch begins; answers with those of their calls that are recorded."""
    stages.batch.observe(len(entries))
    began, observe, recorded = infer.began, stages.wait.observe, []
    for entry in entries:
        call = entry.call
        if call is None:
            observe(began - entry.submitted)
            continue
        observe(began - entry.submitted, call.exemplar)
        call.wait(entry.submitted, infer)
        if call.sampled:
            recorded.append(call.context)
    return recorded


def _attributes(place: Place, texts: int) -> Mapping[str, Value]:
    return {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "pmesh.model": place.model,
        "pmesh.version": place.version,
        "pmesh.batch_size": texts,
    }
