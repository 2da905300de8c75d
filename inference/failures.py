"""Finds the texts of a batch that make a model fail, so that they fail alone."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from contract.errors import DeadlineExceeded, ModelFailed, ModelUnavailable
from inference.answers import Answers, joined
from inference.calls import PROBE_S, PROBE_TEXT, BatchFailed
from inference.output import Output


class Infer(Protocol):
    """Asks one version once, as `ModelServer.infer`."""

    async def __call__(
        self, texts: Sequence[str], *, features: bool, by_row: bool = False, timeout_s: float
    ) -> Answers: ...


class FailureSearch:
    """Asks again about a batch that failed as a whole, until each text has an end of its own."""

    def __init__(
        self, infer: Infer, model: str, *, says_by_row: bool, features: bool, deadline: float
    ) -> None:
        """says_by_row: whether the server has the output `error`. deadline: on the loop's clock."""
        self._infer = infer
        self._model = model
        self._says_by_row = says_by_row
        self._features = features
        self._deadline = deadline
        self._clock = asyncio.get_running_loop().time

    async def settle(self, texts: Sequence[str]) -> Answers:
        """The answers for a batch that failed. Raises ModelUnavailable, DeadlineExceeded."""
        if self._says_by_row:
            try:
                return await self._try(texts, by_row=True)
            except BatchFailed:
                pass
        # Without this, an outage would cost two calls a text and be taken for failures.
        await self._see_that_it_answers()
        return await self._halve(texts)

    async def _halve(self, texts: Sequence[str]) -> Answers:
        if len(texts) == 1:
            return Answers([ModelFailed(self._model)], None)
        middle = len(texts) // 2
        return joined([await self._answer(texts[:middle]), await self._answer(texts[middle:])])

    async def _answer(self, texts: Sequence[str]) -> Answers:
        try:
            return await self._try(texts)
        except BatchFailed:
            if len(texts) == 1:  # to blame, unless the server has gone meanwhile
                await self._see_that_it_answers()
            return await self._halve(texts)

    async def _try(self, texts: Sequence[str], *, by_row: bool = False) -> Answers:
        timeout_s = self._remaining_s()
        return await self._infer(texts, features=self._features, by_row=by_row, timeout_s=timeout_s)

    async def _see_that_it_answers(self) -> None:
        """Ask for a good text: a server that says nonsense is no better than a silent one.

        Raises ModelUnavailable.
        """
        remaining_s = self._remaining_s()
        timeout_s = min(remaining_s, PROBE_S)
        try:
            answers = await self._infer([PROBE_TEXT], features=False, timeout_s=timeout_s)
        except BatchFailed as error:
            raise ModelUnavailable(self._model) from error
        except DeadlineExceeded as error:
            if remaining_s <= PROBE_S:
                raise
            raise ModelUnavailable(self._model) from error
        if not isinstance(answers.outputs[0], Output):
            raise ModelUnavailable(self._model)

    def _remaining_s(self) -> float:
        """Above 0. Raises DeadlineExceeded."""
        remaining_s = self._deadline - self._clock()
        if remaining_s <= 0:
            raise DeadlineExceeded
        return remaining_s
