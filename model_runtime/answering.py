"""Makes the answers to claimed requests, whatever it takes."""

from collections.abc import Sequence

from predict.events.v1.events_pb2 import InferenceResponded

from contract.errors import (
    DeadlineExceeded,
    ModelFailed,
    ModelUnavailable,
    Overloaded,
    VersionNotFound,
)
from contract.ids import uuid7
from features.objects import PUT, FeatureObjects
from inference.answers import Answers
from model_runtime.availability import Availability, Away
from model_runtime.claims import Claim
from model_runtime.keeper import Keeper
from model_runtime.metrics import BATCH_SIZE, timed
from model_runtime.responding import failed, succeeded
from model_runtime.retries import Retries
from model_runtime.servers import Servers
from model_runtime.work import Work
from telemetry.spans import Kind, Value, span_of_several
from telemetry.trace_context import TraceContext

TIMEOUT_S = 60.0
MAX_TRIES = 3


class GivenUp(Exception):
    """A model that is well does not survive this work, or does not end it in time."""


class Answerer:
    """Has claimed requests answered by the servers of their versions."""

    def __init__(
        self,
        *,
        model: str,
        servers: Servers,
        availability: Availability,
        features: FeatureObjects,
        keeper: Keeper,
        retries: Retries,
    ) -> None:
        self._model = model
        self._servers = servers
        self._availability = availability
        self._features = features
        self._keeper = keeper
        self._retries = retries

    async def answer(self, work: Work) -> list[InferenceResponded]:
        """An output or an error for each request that is still ours; all are of one version.

        Waits while S3 is away, and for a moment for the model. Raises Stopping, Away, GivenUp.
        """
        for _ in range(MAX_TRIES):
            asked_before = work.asked
            try:
                return await self._answer(work)
            except (ModelUnavailable, DeadlineExceeded, Overloaded) as error:
                if isinstance(error, Overloaded):
                    work.asked = asked_before  # it took nothing
                if claim := work.any_claim():
                    self._availability.note_failure(claim)
        raise GivenUp if work.asked else Away

    async def _answer(self, work: Work) -> list[InferenceResponded]:
        claim = work.any_claim()
        if claim and claim.labels is not None and await self._availability.wait(claim):
            await self._keeper.renew(work)  # some may have been cancelled meanwhile
        claims = list(work.claims.values())
        if not claims:
            return []
        version, labels = claims[0].version, claims[0].labels
        if labels is None:
            unknown = VersionNotFound(self._model, version)
            return [failed(self._model, claim, unknown) for claim in claims]
        work.asked = True
        contexts = work.contexts([claim.prediction_id for claim in claims])
        attributes: dict[str, Value] = {
            "rpc.system.name": "grpc",
            "rpc.method": "inference.GRPCInferenceService/ModelInfer",
            "pmesh.model": self._model,
            "pmesh.version": version,
            "messaging.batch.message_count": len(claims),
        }
        with (
            span_of_several(
                f"infer {self._model}", Kind.CLIENT, contexts, attributes=attributes
            ) as infer,
            timed(self._model, "infer"),
        ):
            answers = await self._predict(claims, labels)
            infer.set("rpc.response.status_code", "OK")
        BATCH_SIZE.labels(self._model, version).observe(len(claims))
        self._availability.note_answer(claims[0])
        return await self._respond(claims, answers, contexts)

    async def _predict(self, claims: Sequence[Claim], labels: Sequence[str]) -> Answers:
        return await self._servers.at(claims[0].address).predict(
            self._model,
            claims[0].version,
            [claim.text for claim in claims],
            labels=labels,
            features=True,
            timeout_s=TIMEOUT_S,
        )

    async def _respond(
        self, claims: Sequence[Claim], answers: Answers, contexts: Sequence[TraceContext | None]
    ) -> list[InferenceResponded]:
        """Once the features of those that have an output are in S3."""
        outputs = answers.outputs
        places = await self._keep_features(claims, answers, contexts)
        return [
            failed(self._model, claim, output)
            if isinstance(output, ModelFailed)
            else succeeded(self._model, claim, output, places.get(claim.prediction_id, ""))
            for claim, output in zip(claims, outputs, strict=True)
        ]

    async def _keep_features(
        self, claims: Sequence[Claim], answers: Answers, contexts: Sequence[TraceContext | None]
    ) -> dict[str, str]:
        """Where the features of predictions lie; nothing if the version has none."""
        matrix = answers.features
        rows = answers.good()
        if matrix is None or not rows:
            return {}
        ids = [claims[row].prediction_id for row in rows]
        file_id = uuid7()  # the same at each try

        async def put() -> list[str]:
            with (
                span_of_several(
                    "put features", Kind.CLIENT, [contexts[row] for row in rows], attributes=PUT
                ),
                timed(self._model, "features"),
            ):
                return await self._features.put(
                    file_id, self._model, claims[0].version, ids, matrix[rows]
                )

        places = await self._retries.features(put)
        return dict(zip(ids, places, strict=True))
