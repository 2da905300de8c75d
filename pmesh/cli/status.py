"""`pmesh status`: how each part of the stack stands."""

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from predict.v1.model_pb2 import ModelVersionState
from rich.markup import escape
from rich.table import Table

from pmesh.calls import CallFailedError
from pmesh.cli.client import GatewayClient
from pmesh.cli.options import HOME, HomeOption, JsonOption, console, fail, for_home
from pmesh.cli.splits import split
from pmesh.cli.token import callers_token
from pmesh.stack.control import Stack
from pmesh.stack.observers import EXPERIMENT
from pmesh.stack.processes import memory_bytes
from pmesh.stack.status import PartStatus, StackStatus, State

_COLOURS = {
    State.READY: "green",
    State.DONE: "green",
    State.RESTARTING: "yellow",
    State.FAILED: "red",
}


def status(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Show how each part of the stack stands, and where it answers.

    Example: [bold]pmesh status --json | jq .parts[/]
    """
    found = Stack(home).status()
    if found is None:
        fail(f"no stack runs on {home}", for_home("pmesh up", home))
    if as_json:
        print(json.dumps(asdict(found) | {"urls": urls(found)}, indent=2))
        return
    console.print(table(found))
    console.print(_model_table(found, home))
    for name, url in urls(found).items():
        console.print(f"{name:<10} {url}")


def _model_table(status: StackStatus, home: Path) -> Table:
    """One row for each model: which versions have its traffic, and what becomes of the others."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("\nmodel", "\ntraffic", "\nother versions"):
        rows.add_column(column)
    with (
        GatewayClient(status.gateway_port, callers_token(home)) as client,
        suppress(CallFailedError),
    ):
        for model in client.models():
            shared = {share.version for share in model.shares}
            others = (v for v in model.versions if v.version not in shared)
            rows.add_row(
                model.id,
                split(model.shares),
                ", ".join(f"{other.version} {_version_state(other.state)}" for other in others),
            )
    return rows


def _version_state(state: ModelVersionState) -> str:
    return ModelVersionState.Name(state).removeprefix("MODEL_VERSION_STATE_").lower()


def urls(status: StackStatus) -> dict[str, str]:
    """Where a person can look."""
    own = {name: f"http://127.0.0.1:{port}" for name, port in status.ports.items()}
    traces = own.get("jaeger", f"{own['mlflow']}/#/experiments/{EXPERIMENT}/traces")
    return {
        "gateway": f"http://127.0.0.1:{status.gateway_port}",
        "metrics": f"{own['metrics']}/metrics",
        "reports": f"{own['monitoring-metrics']}/reports/",
        "mlflow": own["mlflow"],
        **({"traces": traces} if status.observed else {}),
        **{name: own[name] for name in ("prometheus", "grafana") if name in own},
    }


def table(status: StackStatus) -> Table:
    """One row for each part."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "state", "for", "pid", "memory", "restarts", "last exit"):
        right = column in ("for", "pid", "memory", "restarts")
        rows.add_column(column, justify="right" if right else "left")
    memory = memory_bytes(part.pid for part in status.parts if part.pid is not None)
    for part in status.parts:
        rows.add_row(
            part.name,
            state_text(part),
            duration(time.time() - part.since),
            str(part.pid or ""),
            f"{memory[part.pid] >> 20} MB" if part.pid else "",
            str(part.restarts or ""),
            escape(part.last_exit),
        )
    return rows


def state_text(part: PartStatus) -> str:
    """A state in its colour."""
    colour = _COLOURS.get(part.state)
    return f"[{colour}]{part.state}[/]" if colour else str(part.state)


def duration(seconds: float) -> str:
    """Seconds as people say them: 4 s, 12 min, 3 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
