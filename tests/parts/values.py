"""Values of charts, as Helm puts some over others."""

from typing import Any


def merged(below: Any, above: Any) -> Any:
    """What there is when one's own are above a chart's."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: merged(below.get(key), value) for key, value in above.items()}
