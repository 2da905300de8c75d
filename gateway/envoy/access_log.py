"""The access log: a line of JSON for each request, with the status that its caller was told.

It names the path that was asked for, without its query; never a body.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from grpc import StatusCode

from gateway.envoy.authentication import TOKEN
from gateway.envoy.http_filter import TYPES, http_filter

NOTE_STATUS = "note_status"
"""The filter that notes the status of gRPC, before others make JSON or gRPC-Web of it."""
NOTES = "access_log"
"""Where filters note what a line is to say: `grpc_status` and `reason`."""
_MOST = 256
"""Bytes of what others wrote."""


def access_log(file: Path, caller_header: str) -> list[dict[str, Any]]:
    """Of the connection manager. What there is not, a line has as null.

    caller_header: where a trusted proxy says who calls; empty: the verified token does.
    """
    caller = f"REQ({caller_header})" if caller_header else f"DYNAMIC_METADATA({TOKEN}:sub)"
    line = {
        "time": "%START_TIME%",
        "request_id": "%REQ(X-REQUEST-ID):128%",
        "trace_id": "%TRACE_ID%",
        "caller": f"%{caller}:{_MOST}%",
        "protocol": "%ROUTE_NAME%",
        "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD):16%",
        "path": f"%PATH(NQ:ORIG_OR_PATH):{_MOST}%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": _first_of(
            {"command": "DYNAMIC_METADATA", "param": f"{NOTES}:grpc_status"},
            {"command": "GRPC_STATUS", "param": "SNAKE_STRING"},
        ),
        "reason": f"%DYNAMIC_METADATA({NOTES}:reason)%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
    }
    to_file = {
        "@type": f"{TYPES}.extensions.access_loggers.file.v3.FileAccessLog",
        "path": str(file.absolute()),
        "log_format": {"json_format": line},
    }
    return [{"name": "envoy.access_loggers.file", "typed_config": to_file}]


def note_status() -> dict[str, Any]:
    """The filter, to be next to the application."""
    names = ", ".join(f'["{code.value[0]}"] = "{code.name}"' for code in StatusCode)
    script = files("gateway.envoy").joinpath("status.lua").read_text()
    source = f"local NAMES = {{ {names} }}\n{script}"
    return http_filter(NOTE_STATUS, "lua.v3.Lua", default_source_code={"inline_string": source})


def _first_of(*commands: dict[str, str]) -> str:
    return f"%COALESCE({json.dumps({'operators': commands})})%"
