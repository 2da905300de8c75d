"""Shares of traffic: percent with two decimals to clients, whole basis points inside.

The rules that hold between fields; those of each field are the contract's own.
"""

from collections.abc import Sequence
from itertools import pairwise

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from gateway.traffic import WHOLE

_LEAST, _MOST = 0.01, 100
_NOISE = 1e-6
"""Of a double that was computed, such as 0.1 + 0.2; in basis points."""


def to_percent(points: int) -> float:
    """The nearest double of a number with two decimals, which prints as that number."""
    return points / 100


def from_percent(percent: float, field: str) -> int:
    """Raises InvalidArgument for what is finer than a basis point."""
    points = round(percent * 100)
    if abs(percent * 100 - points) > _NOISE:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_OUT_OF_RANGE,
            field,
            "has more than two decimals",
            min=_LEAST,
            max=_MOST,
        )
    return points


def check_split(traffic: Sequence[tuple[str, float]], field: str) -> dict[str, int]:
    """The split as version -> basis points; refuses one that is not whole.

    field: of the request that holds it.
    """
    split: dict[str, int] = {}
    for index, (version, percent) in enumerate(traffic):
        if version in split:
            raise InvalidArgument(
                ErrorReason.ERROR_REASON_INVALID_SPLIT,
                field,
                f"names version {version} twice",
                version=version,
            )
        split[version] = from_percent(percent, f"{field}[{index}].percent")
    if (total := sum(split.values())) != WHOLE:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_INVALID_SPLIT,
            field,
            f"adds up to {to_percent(total):g} percent, not to 100",
            sum=f"{to_percent(total):g}",
        )
    return split


def check_steps(steps: Sequence[float]) -> tuple[int, ...]:
    """The steps in basis points; refuses ones that do not rise. None: all the traffic at once."""
    points = [from_percent(percent, f"steps[{index}]") for index, percent in enumerate(steps)]
    for index, (before, step) in enumerate(pairwise(points), start=1):
        if step <= before:
            raise InvalidArgument(
                ErrorReason.ERROR_REASON_OUT_OF_RANGE,
                f"steps[{index}]",
                "is not above the step before it",
                min=f"above {to_percent(before):g}",
                max=_MOST,
            )
    return tuple(points) or (WHOLE,)
