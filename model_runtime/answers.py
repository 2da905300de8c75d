"""Makes the answers to claimed requests, whatever it takes."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from predict.v1.events_pb2 import InferenceResponded

from model_runtime.claims import Claim
from model_runtime.errors import DeadlineExceeded, ModelFailed, ModelUnavailable, VersionNotFound
from model_runtime.events import failed, succeeded
from model_runtime.outages import Retry
from model_runtime.service import InferenceService
from model_runtime.triton import TritonModel
from model_runtime.work import Keeper, Work

TIMEOUT_S = 60.0
MAX_TRIES = 3


class GivenUp(Exception):
    """A model that is well does not survive this work, or does not end it in time."""


class Answerer:
    """Runs claimed requests through the service."""

    def __init__(
        self, *, triton: TritonModel, service: InferenceService, keeper: Keeper, retry: Retry
    ) -> None:
        self._triton = triton
        self._model = triton.model
        self._service = service
        self._keeper = keeper
        self._retry = retry

    async def answer(self, work: Work) -> list[InferenceResponded]:
        """An output or an error for each request that is still ours.

        Waits while the model or S3 is away. Raises Stopping, GivenUp.
        """
        by_version = defaultdict(list)
        for claim in work.claims.values():
            by_version[claim.version].append(claim)
        answers = []
        for version, claims in by_version.items():
            answers += await self._answer_version(work, version, claims)
        return answers

    async def _answer_version(
        self, work: Work, version: str, claims: Sequence[Claim]
    ) -> list[InferenceResponded]:
        try:
            return await self._predict_patiently(work, version, claims)
        except VersionNotFound as exc:
            return [failed(self._model, claim, exc) for claim in work.held(claims)]
        except ModelFailed as exc:
            if len(claims) == 1:
                return [failed(self._model, claim, exc) for claim in work.held(claims)]
        # One of the texts is to blame: the others are innocent.
        middle = len(claims) // 2
        first = await self._answer_version(work, version, claims[:middle])
        return first + await self._answer_version(work, version, claims[middle:])

    async def _predict_patiently(
        self, work: Work, version: str, claims: Sequence[Claim]
    ) -> list[InferenceResponded]:
        """Waits while the model is away, and goes on without what was lost meanwhile."""
        for _ in range(MAX_TRIES):
            try:
                return await self._predict(version, work.held(claims))
            except (ModelUnavailable, DeadlineExceeded):
                await self._retry(partial(self._triton.check_version, version))
                await self._keeper.renew(work)
        raise GivenUp

    async def _predict(self, version: str, claims: Sequence[Claim]) -> list[InferenceResponded]:
        if not claims:
            return []
        ids = [claim.prediction_id for claim in claims]
        texts = [claim.text for claim in claims]
        results = await self._service.predict(version, ids, texts, timeout_s=TIMEOUT_S)
        return [
            succeeded(self._model, claim, result)
            for claim, result in zip(claims, results, strict=True)
        ]
