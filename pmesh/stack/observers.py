"""What shows metrics and traces, of what is installed: `pmesh up --observe`.

MLflow runs anyway and shows traces. Jaeger does it better, if there is one; Prometheus keeps
metrics, and Grafana draws them.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pmesh.mesh_file import MESH
from pmesh.stack.grafana import grafana_part
from pmesh.stack.home import Home
from pmesh.stack.jaeger import jaeger_part
from pmesh.stack.part import Part
from pmesh.stack.prometheus import prometheus_part

EXPERIMENT = "0"
"""Of MLflow, which its traces belong to: the one that there always is."""
HOW_TO_GET = {
    "prometheus": "no prometheus is on PATH, to keep metrics: install your system's package"
    " prometheus, or run make promtool in the checkout",
    "grafana": "no grafana is on PATH, to draw them: install the package grafana",
    "jaeger": "no jaeger is on PATH, so that MLflow shows the traces: put the program jaeger, of"
    " version 2, there",
}
_OF_THE_CHECKOUT = MESH.parent / "build" / "prometheus" / "usr" / "bin"


def installed(path: str | None = None) -> dict[str, Path]:
    """The programs that there are, of HOW_TO_GET. path: where to look, as PATH has it."""
    places = f"{os.environ['PATH'] if path is None else path}:{_OF_THE_CHECKOUT}"
    found = {name: shutil.which(name, path=places) for name in HOW_TO_GET}
    return {name: Path(program) for name, program in found.items() if program}


def port_names(programs: Mapping[str, Path]) -> list[str]:
    """What they need a port for."""
    return [*programs, *(["jaeger-otlp"] if "jaeger" in programs else [])]


def sends_elsewhere(said: Mapping[str, str]) -> bool:
    """Whether a user has said where spans go."""
    return bool(said.keys() & {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"})


def shown(said: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    """The variables by which traces are recorded and shown as the user said, or all, and here."""
    here = {}
    if not sends_elsewhere(said):
        is_jaeger = "jaeger-otlp" in ports
        port = ports["jaeger-otlp" if is_jaeger else "mlflow"]
        here["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
        if not is_jaeger:
            here["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-mlflow-experiment-id={EXPERIMENT}"
    return {"OTEL_TRACES_SAMPLER": "always_on", **said, **here}


def observer_parts(
    home: Home,
    programs: Mapping[str, Path],
    ports: Mapping[str, int],
    environment: Mapping[str, str],
) -> Sequence[Part]:
    """Their recipes."""
    parts = []
    if program := programs.get("prometheus"):
        parts.append(
            prometheus_part(
                home,
                program,
                port=ports["prometheus"],
                metrics_port=ports["metrics"],
                environment=environment,
            )
        )
    if program := programs.get("jaeger"):
        parts.append(
            jaeger_part(
                home,
                program,
                port=ports["jaeger"],
                otlp_port=ports["jaeger-otlp"],
                environment=environment,
            )
        )
    if program := programs.get("grafana"):
        parts.append(
            grafana_part(
                home,
                program,
                port=ports["grafana"],
                prometheus_port=ports.get("prometheus"),
                trace_url=_trace_url(ports),
                environment=environment,
            )
        )
    return parts


def _trace_url(ports: Mapping[str, int]) -> str:
    """Of the page of a trace, without its id."""
    if "jaeger" in ports:
        return f"http://127.0.0.1:{ports['jaeger']}/trace/"
    page = f"http://127.0.0.1:{ports['mlflow']}/#/experiments/{EXPERIMENT}/traces"
    return f"{page}?selectedEvaluationId=tr-"  # its own name of a trace that came by OTLP
