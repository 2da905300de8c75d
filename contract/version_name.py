"""How people name a version: sentiment@3; and the forms that ids of models and versions have."""

import re
from typing import NamedTuple

from predict.v1.prediction_service_pb2 import PredictRequest

from contract.rules import rules_of

_FIELDS = PredictRequest.DESCRIPTOR.fields_by_name

MODEL = re.compile(rules_of(_FIELDS["model"]).string.pattern)
VERSION = re.compile(rules_of(_FIELDS["version"]).string.pattern)


def check_model_id(model: str) -> None:
    """Raises ValueError, which says why, unless a model may have this id."""
    if not MODEL.fullmatch(model):
        raise ValueError(
            f"{model!r} is no id of a model: that is 1 to 63 of a-z, 0-9 and -, and first a letter"
        )
    # bus.topology names queues by models: what is taken there.
    if model == "gateway" or model.endswith("-dead"):
        raise ValueError(f"no model can be called {model!r}: its queue would be another one's")


class VersionName(NamedTuple):
    """A model and the number of its version."""

    model: str
    number: str

    @classmethod
    def parse(cls, text: str) -> "VersionName":
        """Raises ValueError, which says what a name looks like."""
        model, _, number = text.partition("@")
        if not MODEL.fullmatch(model) or not VERSION.fullmatch(number):
            raise ValueError(f"{text!r} names no version; write it as sentiment@3")
        return cls(model, number)
