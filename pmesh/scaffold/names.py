"""Which names a new model and its labels may have."""

import keyword
import re
from collections.abc import Sequence

from contract.version_name import check_model_id
from pmesh.render.ids import LONGEST, check_id

DEFAULT_LABELS = ("billing", "technical", "other")

_NAME = re.compile(rf"[a-z][a-z0-9]{{0,{LONGEST - 1}}}")
_LABEL = re.compile(r"\w[\w-]{0,62}")


class InvalidName(ValueError):
    """A name that cannot be used. The message says why."""


def check_name(name: str) -> None:
    """Raises InvalidName unless the name fits the id of a model and a Python package alike.

    The contract's ids (model.proto) have dashes but no "_", packages the other way round.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is no name for a model: it is the model's id and a Python package, so it"
            f" is made of a-z and 0-9 only, starts with a letter and has at most {LONGEST} of them"
        )
    try:
        check_model_id(name)
        check_id(name)
    except ValueError as error:
        raise InvalidName(str(error)) from error
    if keyword.iskeyword(name):
        raise InvalidName(f"{name!r} is a keyword of Python, and the folder is a Python package")


def check_labels(labels: Sequence[str]) -> None:
    """Raises InvalidName unless these are two or more different words."""
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise InvalidName(
                f"{label!r} is no label: it is one word of at most 63 letters, digits, _ and -"
            )
    if len(set(labels)) < len(labels):
        raise InvalidName("the labels differ from each other: " + ", ".join(labels))
    if len(labels) < 2:
        raise InvalidName("a model chooses between two labels at least")
