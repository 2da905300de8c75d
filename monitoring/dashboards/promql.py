"""Expressions that panels have in common.

They hold in production, where a series has the labels app and pod, and on one machine, where it has
part: each is summed up over what told it. What a program counts itself is summed; what several
relays read in the same database is the same, and the largest is taken.
"""

from contract.reasons import all_reasons, grpc_code, reason_name

_OUR_CODES = {"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
OUR_FAULTS = "|".join(
    name
    for reason in all_reasons()
    if (name := reason_name(reason)) == "OVERLOADED"
    or (grpc_code(reason).name in _OUR_CODES and name != "MODEL_NOT_RELEASED")
)
"""Outcomes that count against the availability: a regular expression. A deadline that has passed
counts too, as a model that hangs is seen by nothing else; a model that was never released does
not."""
OURS = f'outcome=~"{OUR_FAULTS}"'


def rate(counter: str, by: str, *select: str) -> str:
    """A counter's increase a second, summed by labels. by: their names, with commas."""
    return f"sum by ({by}) (rate({counter}{_selector(select)}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str, *select: str) -> str:
    """Below which value the given share of a histogram's observations lies."""
    buckets = rate(f"{histogram}_bucket", f"le, {by}" if by else "le", *select)
    return f"histogram_quantile({share}, {buckets})"


def mean(histogram: str, by: str, *select: str) -> str:
    """Of a histogram's observations."""
    return f"{rate(f'{histogram}_sum', by, *select)} / {rate(f'{histogram}_count', by, *select)}"


def largest(gauge: str, by: str, *select: str) -> str:
    """Of those that tell the same figure."""
    return f"max by ({by}) ({gauge}{_selector(select)})"


def failures(by: str, *select: str) -> str:
    """The share of texts that were not predicted by our own fault; nothing where nobody asks."""
    counter = "pmesh_predictions_total"
    asked = rate(counter, by, *select)
    return f"({rate(counter, by, OURS, *select)} or 0 * {asked}) / ({asked} > 0)"


def _selector(select: tuple[str, ...]) -> str:
    return "{" + ", ".join(select) + "}" if select else ""
