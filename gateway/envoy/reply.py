"""What mappers of Envoy's own replies are made of."""

from typing import Any

# Of what could not be read as a request and so has none; every other reply has its request's.
REQUEST_ID = {
    "header": {"key": "x-request-id", "value": "%UNIQUE_ID%"},
    "append_action": "ADD_IF_ABSENT",
}


def condition(expression: str) -> dict[str, Any]:
    """When a mapper applies, in CEL."""
    kind = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    config = {"@type": f"type.googleapis.com/{kind}", "expression": expression}
    name = "envoy.access_loggers.extension_filters.cel"
    return {"extension_filter": {"name": name, "typed_config": config}}
