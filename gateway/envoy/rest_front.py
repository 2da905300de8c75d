"""The REST front filter: its Lua modules and its rules as one script for Envoy."""

import re
from importlib.resources import files
from typing import Any

MODULES = (
    "strings",
    "values",
    "json_check",
    "query_check",
    "refusal",
    "roles",
    "transcoder_text",
    "answers",
)
_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f]')


def rest_front_script(rules: dict[str, Any]) -> str:
    """The Lua source: the rules and each module under its name for `require`, then the filter."""
    sources = {"rules": f"return {_lua(rules)}\n"}
    sources |= {name: _source(name) for name in MODULES}
    modules = [
        f'package.preload["{name}"] = function()\n{source}end\n' for name, source in sources.items()
    ]
    return "\n".join([*modules, _source("rest_front")])


def _source(name: str) -> str:
    return files("gateway.envoy").joinpath("rest", f"{name}.lua").read_text()


def _lua(value: Any) -> str:
    """A value as a Lua literal."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{_lua(key)}]={_lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + _SPECIAL.sub(lambda found: f"\\{ord(found[0]):03}", str(value)) + '"'
