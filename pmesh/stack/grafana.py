"""Grafana with the dashboards of deploy/grafana. Who can reach it may look, and change nothing."""

import json
from collections.abc import Mapping
from pathlib import Path

from pmesh.mesh_file import MESH
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http

_DASHBOARDS = MESH.parent / "deploy" / "grafana" / "dashboards"
_PACKAGE = Path("/usr/share/grafana")


def grafana_part(
    home: Home,
    program: Path,
    *,
    port: int,
    prometheus_port: int | None,
    trace_url: str,
    environment: Mapping[str, str],
) -> Part:
    """prometheus_port: None: there is none, and dashboards stay empty. trace_url: shows a trace,
    when its id is added."""
    directory = home.path / "grafana"
    # Its pages lie beside the program where it was unpacked, and not where a package put it.
    unpacked = program.resolve().parent.parent
    pages = unpacked if (unpacked / "public").exists() else _PACKAGE

    def write_config() -> None:
        sources = directory / "provisioning" / "datasources"
        dashboards = directory / "provisioning" / "dashboards"
        for folder in (sources, dashboards):
            folder.mkdir(parents=True, exist_ok=True)
        source = {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "url": f"http://127.0.0.1:{prometheus_port}",
            "isDefault": True,
            "jsonData": {
                "exemplarTraceIdDestinations": [
                    # $$: these files have variables, too.
                    {"name": "trace_id", "url": f"{trace_url}$${{__value.raw}}"}
                ]
            },
        }
        provider = {
            "name": "predict-mesh",
            "type": "file",
            "options": {"path": str(_DASHBOARDS)},
        }
        (sources / "prometheus.yaml").write_text(
            json.dumps({"apiVersion": 1, "datasources": [source] if prometheus_port else []})
        )
        (dashboards / "predict-mesh.yaml").write_text(
            json.dumps({"apiVersion": 1, "providers": [provider]})
        )

    return Part(
        name="grafana",
        command=(str(program), "server", f"--homepath={pages}"),
        environment={
            **environment,
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(port),
            "GF_PATHS_DATA": str(directory / "data"),
            "GF_PATHS_LOGS": str(directory / "logs"),
            "GF_PATHS_PLUGINS": str(directory / "plugins"),
            "GF_PATHS_PROVISIONING": str(directory / "provisioning"),
            "GF_SECURITY_ADMIN_PASSWORD": home.secret("grafana"),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
        },
        before=write_config,
        is_ready=lambda: answers_http(port, "/api/health"),
        background=True,
        niceness=10,
    )
