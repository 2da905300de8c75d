"""Shares of traffic, as people read them."""

from collections.abc import Iterable

from predict.v1.model_pb2 import TrafficShare


def split(shares: Iterable[TrafficShare]) -> str:
    """Such as "2: 99.9 %, 3: 0.1 %"."""
    return ", ".join(f"{share.version}: {share.percent:g} %" for share in shares)
