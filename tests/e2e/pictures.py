"""A trace as a picture: a line a span, below its parent, siblings by their names."""

from collections import defaultdict
from collections.abc import Iterable

from tests.parts.otlp_receiver import ReceivedSpan

KINDS = ("", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""As OTLP numbers them."""
_OPAQUE = {"triton": "InferRequest"}
"""Services whose spans are shown down to the one of this name: the rest is theirs."""
_UNNAMED = ("envoy",)
"""Services that name their spans as they like."""


def draw(spans: Iterable[ReceivedSpan], *, above: str) -> str:
    """The spans of a trace below one that others know of, by its id; a span whose parent is not
    there stands at the end, and says so."""
    below = defaultdict(list)
    known = {above}
    for span in spans:
        below[span.parent_id].append(span)
        known.add(span.span_id)

    def lines(parent: str, depth: int) -> Iterable[str]:
        for span in sorted(below[parent], key=_sentence):
            yield "  " * depth + _sentence(span)
            if _OPAQUE.get(span.service) != span.name:
                yield from lines(span.span_id, depth + 1)

    lost = (f"{_sentence(s)} of no parent" for p in below.keys() - known for s in below[p])
    return "\n".join((*lines(above, 0), *sorted(lost)))


def _sentence(span: ReceivedSpan) -> str:
    name = "" if span.service in _UNNAMED else f" {span.name}"
    return f"{span.service} {KINDS[span.kind]}{name}"
