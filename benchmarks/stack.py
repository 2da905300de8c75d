"""The stack of an ordinary run: the working tree's own, whose insides may be looked at as well."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from predict.v1.model_pb2 import ReleaseState
from rich.console import Console

from benchmarks.checkout import Checkout, of_working_tree, scratch_folder
from benchmarks.mesh import Mesh
from benchmarks.meshes import running
from benchmarks.ports import free_port
from benchmarks.processes import Parts
from benchmarks.questions import MODEL
from pmesh.cli.running import running_stack as local_stack
from pmesh.releases import ReleaseClient
from pmesh.stack.home import Home
from pmesh.stack.postgres import OWNER, Postgres

SHARED = ("triton", "postgres", "relay", "aws")
"""The parts that whatever asks Triton and keeps a record takes time of."""
SERVING = ("gateway", "features", "s3", *SHARED)
"""The parts that a prediction takes time of."""


ACTOR = "benchmark"
"""Who releases."""


class RunningStack:
    """Where the parts are."""

    def __init__(self, mesh: Mesh) -> None:
        ports = mesh.status()["ports"]
        self.mesh = mesh
        self.gateway = mesh.gateway
        self.triton = mesh.triton
        self.aws = f"http://127.0.0.1:{ports['aws']}"
        self.directory = mesh.home
        self.version = "1"
        home = Home(mesh.home)
        self.postgres = Postgres(
            mesh.home / "postgres",
            port=ports["postgres"],
            password=lambda role: home.secret(f"postgres-{role}"),
            models=[MODEL],
        )
        self.conninfo = self.postgres.conninfo(OWNER)

    @property
    def model(self) -> Path:
        """The files of the version that has the traffic."""
        return self.directory / "triton_repo" / MODEL / self.version

    def train(self, *options: str) -> str:
        """A new version of the model; its number."""
        command = self.program("training.train", MODEL, *options)
        done = subprocess.run(
            command, env=self.environment(), stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.split()[-1]

    def release(self, version: str) -> None:
        """Give a version all the traffic, however good it is."""
        with ReleaseClient(self.gateway) as client:
            done = client.outcome(client.release(MODEL, version, actor=ACTOR, margin=1))
        if done.state != ReleaseState.RELEASE_STATE_DONE:
            raise RuntimeError(f"the release ended: {done.refusal} {done.detail}")
        self.version = version

    def program(self, module: str, *arguments: str) -> tuple[str, ...]:
        """The command line of one of its programs."""
        return (str(self.mesh.checkout.python), "-P", "-m", module, *arguments)

    def environment(self) -> dict[str, str]:
        """Of the programs that train."""
        return local_stack(self.directory).training_environment()

    def parts(self, *names: str) -> Parts:
        """The running processes of these parts, or of all."""
        parts = self.mesh.parts()
        return {name: pid for name, pid in parts.items() if not names or name in names}


@contextmanager
def running_stack(
    console: Console,
    *,
    models: Sequence[str] = (),
    prepare: Callable[[Checkout], None] = lambda _: None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunningStack]:
    """Start everything, models trained, from a copy of this checkout; stop it at the end.

    models: small ones that it gets in addition. prepare: changes the copy before it starts.
    variables: of the environment in which it is started, in addition.
    Raises CheckoutFailedError, MeshFailedError.
    """
    with scratch_folder() as scratch:
        with console.status("installing a copy of this checkout"):
            checkout = of_working_tree(scratch / "checkout")
            checkout.install(models=models)
            prepare(checkout)
        mesh = Mesh(checkout, scratch / "home", port=free_port(), variables=variables)
        with running([mesh], console):
            yield RunningStack(mesh)
