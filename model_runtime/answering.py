"""Makes the answers to claimed requests, whatever it takes."""

from collections.abc import Sequence
from functools import partial

from predict.events.v1.events_pb2 import InferenceResponded
from predict.v1.prediction_pb2 import PredictionOutput

from contract.errors import (
    DeadlineExceeded,
    ModelFailed,
    ModelUnavailable,
    VersionNotFound,
)
from features.objects import FeatureObjects
from inference.answers import Answers
from model_runtime.claims import Claim
from model_runtime.keeper import Keeper
from model_runtime.responding import failed, succeeded
from model_runtime.retries import Retries
from model_runtime.servers import Servers
from model_runtime.work import Work

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
        features: FeatureObjects,
        keeper: Keeper,
        retries: Retries,
    ) -> None:
        self._model = model
        self._servers = servers
        self._features = features
        self._keeper = keeper
        self._retries = retries

    async def answer(self, work: Work) -> list[InferenceResponded]:
        """An output or an error for each request that is still ours; all are of one version.

        Waits while the model or S3 is away. Raises Stopping, GivenUp.
        """
        for _ in range(MAX_TRIES):
            try:
                return await self._retries.overload(partial(self._answer, work))
            except (ModelUnavailable, DeadlineExceeded):
                await self._wait_for_model(work)
        raise GivenUp

    async def _answer(self, work: Work) -> list[InferenceResponded]:
        claims = list(work.claims.values())
        if not claims:
            return []
        version, labels = claims[0].version, claims[0].labels
        if labels is None:
            unknown = VersionNotFound(self._model, version)
            return [failed(self._model, claim, unknown) for claim in claims]
        return await self._respond(claims, await self._predict(claims, labels))

    async def _predict(self, claims: Sequence[Claim], labels: Sequence[str]) -> Answers:
        return await self._servers.at(claims[0].address).predict(
            self._model,
            claims[0].version,
            [claim.text for claim in claims],
            labels=labels,
            features=True,
            timeout_s=TIMEOUT_S,
        )

    async def _wait_for_model(self, work: Work) -> None:
        """Until the version answers, or none of the work is ours any more."""

        async def check() -> None:
            for claim in list(work.claims.values())[:1]:
                server = self._servers.at(claim.address)
                if not await server.answers(self._model, claim.version):
                    raise ModelUnavailable(self._model)

        await self._retries.model(check)
        await self._keeper.renew(work)

    async def _respond(self, claims: Sequence[Claim], answers: Answers) -> list[InferenceResponded]:
        """Once the features of those that have an output are in S3."""
        outputs = answers.outputs
        places = await self._keep_features(claims, answers)
        return [
            failed(self._model, claim, output)
            if isinstance(output, ModelFailed)
            else succeeded(self._model, claim, output, places.get(claim.prediction_id, ""))
            for claim, output in zip(claims, outputs, strict=True)
        ]

    async def _keep_features(self, claims: Sequence[Claim], answers: Answers) -> dict[str, str]:
        """Where the features of predictions lie; nothing if the version has none."""
        matrix = answers.features
        rows = [n for n, o in enumerate(answers.outputs) if isinstance(o, PredictionOutput)]
        if matrix is None or not rows:
            return {}
        ids = [claims[row].prediction_id for row in rows]
        places = await self._retries.features(
            lambda: self._features.put(self._model, claims[0].version, ids, matrix[rows])
        )
        return dict(zip(ids, places, strict=True))
