"""Which traces are recorded, decided once, where they begin, and by everybody alike."""

from binascii import a2b_hex

from telemetry.trace_context import TraceContext

OF = 1_000_000
"""A share of the traces is counted in these."""


class Sampler:
    """Decides by the trace's id, so that all who see it decide the same.

    The rule is that of Envoy's sampler `trace_id_ratio_based`: the first eight bytes of the id, as
    a little-endian number, modulo the denominator.
    """

    def __init__(self, ratio: float, *, asks_parent: bool) -> None:
        """ratio: 0 to 1. asks_parent: whether what a caller says counts."""
        self.per_million = round(ratio * OF)
        self.asks_parent = asks_parent

    def samples(self, trace_id: str, parent: TraceContext | None = None) -> bool:
        """Whether a trace is recorded. parent: as a caller has sent it."""
        if parent is not None and self.asks_parent:
            return parent.sampled
        return int.from_bytes(a2b_hex(trace_id[:16]), "little") % OF < self.per_million
