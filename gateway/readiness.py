"""Whether the gateway can answer: as a whole, by service and by model.

Names are those of grpc.health.v1: "" is the whole, a service has its full name, a model is
"models/ID".
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from predict.v1.error_reason_pb2 import ErrorReason

from gateway.store.catalog import Model

PREDICTIONS = "predict.v1.PredictionService"
LOOK_S = 0.5
"""Between two looks, for those who are told of changes."""
MODELS = "models/"
"""How the name of a model begins."""


class Readiness:
    """The rule; what it depends on is asked when it is asked."""

    def __init__(
        self,
        *,
        services: Sequence[str],
        models: Callable[[], Mapping[str, Model]],
        model_answers: Callable[[Model], bool],
        store_answers: Callable[[], bool],
        keys_are_there: Callable[[], bool],
    ) -> None:
        """models: the catalog as it now stands, by id. keys_are_there: of the tokens' issuer; asked
        until they were once, as they are kept.
        """
        self._services = services
        self._models = models
        self._model_answers = model_answers
        self._store_answers = store_answers
        self._keys_are_there = keys_are_there
        self._had_keys = False
        self._is_leaving = False
        self._changed = asyncio.Event()

    @property
    def is_leaving(self) -> bool:
        """Whether nothing will be ready any more."""
        return self._is_leaving

    def leave(self) -> None:
        """Call nothing ready from now on."""
        self._is_leaving = True
        self._tell()

    def is_ready(self, name: str) -> bool | None:
        """Whether this can answer; None if there is no such thing."""
        if name.startswith(MODELS):
            model = self._models().get(name.removeprefix(MODELS))
            return None if model is None else not self._is_leaving and self._model_answers(model)
        if name and name not in self._services:
            return None
        reason = self.reason() if name in ("", PREDICTIONS) else self._lack()
        return reason is None

    def reason(self) -> ErrorReason | None:
        """Why calls are refused now while the whole is not ready; None: it is."""
        if lack := self._lack():
            return lack
        return None if self._any_model_answers() else ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE

    def not_ready(self) -> list[str]:
        """The services and models that cannot answer."""
        return [name for name, ready in self._states().items() if not ready]

    def change(self) -> asyncio.Event:
        """What is set when anything may have changed since now."""
        return self._changed

    async def run(self) -> None:
        """Look for changes until cancelled."""
        known = self._states()
        while True:
            await asyncio.sleep(LOOK_S)
            found = self._states()
            if found != known:
                known = found
                self._tell()

    def _states(self) -> dict[str, bool | None]:
        names = [*self._services, *(MODELS + model for model in self._models())]
        return {name: self.is_ready(name) for name in names}

    def _lack(self) -> ErrorReason | None:
        """What every service needs and is not there, as calls are told of it."""
        if self._is_leaving:
            return ErrorReason.ERROR_REASON_SHUTTING_DOWN
        self._had_keys = self._had_keys or self._keys_are_there()
        if not self._had_keys:
            return ErrorReason.ERROR_REASON_KEYS_UNAVAILABLE
        return None if self._store_answers() else ErrorReason.ERROR_REASON_STORE_UNAVAILABLE

    def _any_model_answers(self) -> bool:
        """Models that serve are not to suffer from one that does not. Without any, the gateway
        answers all that it can be asked."""
        models = self._models()
        return not models or any(map(self._model_answers, models.values()))

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
