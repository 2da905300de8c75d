"""Prometheus: keeps the metrics of all parts, and tries the rules of deploy/prometheus on them."""

import json
from collections.abc import Mapping
from pathlib import Path

from pmesh.mesh_file import MESH
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http

_RULES = MESH.parent / "deploy" / "prometheus" / "rules"


def prometheus_part(
    home: Home,
    program: Path,
    *,
    port: int,
    metrics_port: int,
    environment: Mapping[str, str],
) -> Part:
    """metrics_port: of the page that names the parts; see metrics_page.py."""
    directory = home.path / "prometheus"
    file = directory / "prometheus.json"
    config = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "15s"},
        "rule_files": [str(rules) for rules in sorted(_RULES.glob("*.yaml"))],
        "scrape_configs": [
            {
                "job_name": "predict-mesh",
                "http_sd_configs": [
                    {
                        "url": f"http://127.0.0.1:{metrics_port}/targets",
                        "refresh_interval": "15s",
                    }
                ],
            }
        ],
    }

    def write_config() -> None:
        directory.mkdir(exist_ok=True)
        file.write_text(json.dumps(config, indent=2))

    return Part(
        name="prometheus",
        command=(
            str(program),
            f"--config.file={file}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--storage.tsdb.retention.size=1GB",
            "--enable-feature=exemplar-storage",  # from a slow call to its trace
            "--log.level=warn",
        ),
        environment=environment,
        needs=("metrics",),
        before=write_config,
        is_ready=lambda: answers_http(port, "/-/ready"),
        background=True,
        niceness=10,
    )
