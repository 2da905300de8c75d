"""Jaeger, of version 2: shows traces, of which it keeps the newest, in memory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http

_TRACES = 20_000


def jaeger_part(
    home: Home, program: Path, *, port: int, otlp_port: int, environment: Mapping[str, str]
) -> Part:
    """port: of its pages. otlp_port: where it takes spans."""
    file = home.path / "jaeger.json"

    def write_config() -> None:
        file.write_text(json.dumps(config(port=port, otlp_port=otlp_port), indent=2))

    return Part(
        name="jaeger",
        command=(str(program), f"--config={file}"),
        environment=environment,
        before=write_config,
        is_ready=lambda: answers_http(port, "/"),
        background=True,
        niceness=10,
    )


def config(*, port: int, otlp_port: int) -> dict[str, Any]:
    """Source: https://www.jaegertracing.io/docs/2.10/deployment/configuration/."""
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
            },
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": _TRACES}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": f"127.0.0.1:{port}"},
                "grpc": {"endpoint": "127.0.0.1:0"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp_port}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }
