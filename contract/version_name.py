"""How people name a version: sentiment@3; and the forms that ids of models and versions have."""

import re
from typing import NamedTuple

MODEL = re.compile(r"[a-z][a-z0-9-]{0,62}")
VERSION = re.compile(r"[1-9][0-9]{0,17}")


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
