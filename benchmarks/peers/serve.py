"""Serves the benchmark's `light` model: `python -m benchmarks.peers.serve PORT DIRECTORY`.

The local stack without MLflow and training, which no prediction needs. The benchmark has put the
folder of its module `workload` on the path.
"""

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import ModelEntry
from pmesh.stack.part import Part
from pmesh.stack.ports import assign_ports
from pmesh.stack.run import StackRun
from rollout.store import ReleaseStore
from triton_repo.writer import write_version

MODEL = ModelEntry(
    id="light", description="The model of a benchmark.", labels=["negative", "positive"]
)
VERSION = "1"
NOT_NEEDED = ("mlflow", "training", "rollout")


def main() -> None:
    """Serve until SIGTERM."""
    gateway_port, home = int(sys.argv[1]), Home(Path(sys.argv[2]))
    home.create()
    _write_model(home.path / "triton_repo")
    environment = base_environment(os.environ)
    ports = assign_ports(home.ports, port_names([MODEL]))
    stack = LocalStack(
        home, gateway_port=gateway_port, ports=ports, models=[MODEL], environment=environment
    )
    parts = [_released(part, stack) for part in stack.parts() if part.name not in NOT_NEEDED]
    run = StackRun(home, lambda: parts, gateway_port=gateway_port, ports=ports)
    with home.lock():
        asyncio.run(run.run())


def _write_model(repository: Path) -> None:
    workload = importlib.util.find_spec("workload")
    if workload is None or workload.origin is None:
        sys.exit("there is no module `workload`: start this through python -m benchmarks.peers")
    with tempfile.TemporaryDirectory() as scratch:
        artifact = Path(scratch, "model")
        code = artifact / "code"
        code.mkdir(parents=True)
        for source in (Path(workload.origin), Path(__file__).with_name("light.py")):
            shutil.copy(source, code)
        manifest = {
            "class": "light:Model",
            "labels": MODEL.labels,
            "outputs": [{"name": name, "shape": [-1, 2]} for name in ("scores", "features")],
        }
        (artifact / "model.json").write_text(json.dumps(manifest))
        write_version(repository, MODEL.id, VERSION, artifact, sha256=MODEL.id)


def _released(part: Part, stack: LocalStack) -> Part:
    """The gateway starts when the one version has the traffic."""
    if part.name != "gateway":
        return part

    def release() -> None:
        part.before()
        database = stack.release_environment()
        conninfo = make_conninfo(
            host=database["PGHOST"],
            port=database["PGPORT"],
            dbname=database["PGDATABASE"],
            user=database["PGUSER"],
            password=database["PGPASSWORD"],
        )
        with psycopg.connect(conninfo, autocommit=True) as connection:
            store = ReleaseStore(connection)
            release = store.create_release(MODEL.id, VERSION, actor="benchmark", reason="")
            store.set_version(MODEL.id, VERSION, "SERVING", labels=MODEL.labels)
            store.take_step(release)

    return replace(part, before=release)


if __name__ == "__main__":
    main()
