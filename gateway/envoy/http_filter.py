"""One HTTP filter, as Envoy's configuration names it."""

from typing import Any

TYPES = "type.googleapis.com/envoy"


def http_filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    """kind: its type, as "lua.v3.Lua"."""
    return {
        "name": full_name(name),
        "typed_config": {"@type": f"{TYPES}.extensions.filters.http.{kind}", **config},
    }


def full_name(name: str) -> str:
    """By which routes switch it off, and what it tells of a request is found."""
    return f"envoy.filters.http.{name}"
