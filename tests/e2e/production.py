"""The product without the local stack: plain processes that standard variables set up."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc
import httpx
import psycopg

from database.logins import GATEWAY, RELAY, ROLLOUT, worker_login
from tests.parts.aws import Aws
from tests.parts.bus_probe import TOPIC_ARN
from tests.parts.doors import Grpc, Rest
from tests.parts.mlflow_server import MlflowServer
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database
from tests.parts.s3 import KEY, S3, SECRET
from tests.parts.triton import Triton

ROOT = Path(__file__).parents[2]
PASSWORD = "of-a-test"  # noqa: S105


class Production:
    """A fresh checkout, the servers around it, and what is started of it."""

    def __init__(
        self,
        directory: Path,
        *,
        database: Database,
        aws: Aws,
        s3: S3,
        mlflow: MlflowServer,
        triton: Triton,
    ) -> None:
        self.models = directory / "models"
        self.port = free_port()
        self.s3 = s3
        self._directory = directory
        self._database = database
        self._stack = ExitStack()
        self._passwords = directory / "passwords"
        self._passwords.mkdir()
        (directory / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
        self.models.mkdir()
        (self.models / "__init__.py").touch()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PMESH_", "PG", "AWS_"))}
        self._base = {
            **kept,
            # The checkout has models of its own; all else is this one's.
            "PYTHONPATH": os.pathsep.join(map(str, (directory, ROOT, ROOT / "build" / "gen"))),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PMESH_ROLLOUT_METRICS_PORT": "0",
        }
        self._postgres = {k: v for k, v in database.environment.items() if k != "PGUSER"}
        self._bus = {
            **aws.environment,
            **s3.environment,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "PMESH_TOPIC_ARN": TOPIC_ARN,
        }
        self._spool = {"PMESH_FEATURES_SPOOL": str(directory / "spool")}
        self._registry = {"MLFLOW_TRACKING_URI": mlflow.uri}
        self._triton = triton.environment

    def close(self) -> None:
        """Kill what was started."""
        self._stack.close()

    def provision(self) -> dict[str, str]:
        """Run the job as the owner of the database; what became of each thing, by its name."""
        address = {"PMESH_TRITON_ADDRESS": self._triton["PMESH_TRITON_ADDRESS"]}
        owner = self._database.environment
        said = self.run(
            *(str(ROOT / "deploy/jobs/provision.sh"), "--passwords", str(self._passwords)),
            variables=owner | self._bus | address,
        )
        return {name: outcome for _, name, outcome in (line.split("\t") for line in said)}

    def let_in(self, model: str) -> None:
        """Lay the passwords of the programs that serve a model where the job finds them."""
        for login in (GATEWAY, RELAY, ROLLOUT, worker_login(model)):
            (self._passwords / login.name).write_text(f"{PASSWORD}\n")

    def train(self, model: str) -> str:
        """The number of the new version."""
        return self.run(str(ROOT / "deploy/jobs/train.sh"), model, variables=self._registry)[-1]

    def release(self, model: str, version: str) -> None:
        """Give a version all the traffic."""
        self.run(
            *(str(ROOT / "deploy/jobs/deploy.sh"), "release", f"{model}@{version}"),
            variables={"PMESH_GATEWAY": f"127.0.0.1:{self.port}"},
        )

    def serve(self, model: str) -> None:
        """Start the programs, and wait until all are connected."""
        worker = worker_login(model).name
        self._start("gateway.main", self._as(GATEWAY.name) | self._spool | self._ports())
        self._start("features", self._bus | self._spool)
        self._start("relay", self._as(RELAY.name) | self._bus)
        self._start(
            "model_runtime",
            self._as(worker) | self._bus | {"PMESH_MODEL": model, "PMESH_RECEIVE_WAIT_S": "1"},
        )
        self._start("rollout", self._as(ROLLOUT.name) | self._registry | self._triton, ["watch"])
        names = {GATEWAY.name, RELAY.name, ROLLOUT.name, worker}
        wait_until(lambda: names <= self._connected())

    def doors(self) -> tuple[Grpc, Rest]:
        """gRPC and REST."""
        channel = self._stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{self.port}"))
        client = self._stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{self.port}"))
        return Grpc(channel), Rest(client)

    def run(self, *command: str, variables: Mapping[str, str]) -> list[str]:
        """The lines that a command prints; it must succeed."""
        done = subprocess.run(
            command,
            cwd=self._directory,
            env=self._base | dict(variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.splitlines()

    def _start(
        self, module: str, variables: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-m", module]
        with (self._directory / f"{module}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self._directory,
                env=self._base | dict(variables),
                stderr=log,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def _as(self, login: str) -> dict[str, str]:
        """What a program needs to connect as itself."""
        return self._postgres | {"PGUSER": login, "PGPASSWORD": PASSWORD}

    def _ports(self) -> dict[str, str]:
        return {
            "PMESH_GATEWAY_PORT": str(self.port),
            "PMESH_GATEWAY_ADMIN_PORT": str(free_port()),
            "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        }

    def _connected(self) -> set[str]:
        query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(self._database.conninfo) as connection:
            return {str(name) for (name,) in connection.execute(query)}
