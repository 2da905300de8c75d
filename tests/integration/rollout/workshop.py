"""Makes versions, good and broken ones, and releases them on a real Triton."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import psycopg

from database.registration import Registration, register_models
from inference.blocking import infer
from modelkit.abstract_model import AbstractModel, Example
from modelkit.artifact import write_artifact
from modelkit.dataset import write_examples
from modelkit.golden import Golden
from modelkit.mlmodel import write_mlmodel
from modelkit.registry import EVALUATION_FILE, Registry
from modelkit.values import ModelEntry
from rollout.foreign import ForeignVersions
from rollout.gate import Gate
from rollout.own import OwnVersions, Tell
from rollout.release import Releaser
from rollout.serving import Serving
from rollout.store import ReleaseStore
from rollout.tidy import tidy
from rollout.watch import Watcher
from tests.integration.rollout.tiny.model import Model
from tests.parts.faults import FAULTS
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.triton import Triton
from training.training_run import training_run

NAME = "genre"
DOMAINS = {"movies": "movie_review", "amazon": "product_review", "tweets": "tweet"}
EXAMPLES = [
    Example(f"{domain}-{n}", f"{label} number {n}")
    for n in range(60)
    for domain, label in DOMAINS.items()
]
TEXTS = [example.text for example in EXAMPLES]
IDLE_S = 0.5
MARGIN = 0.02

Mutation = Callable[[Path], None]
"""Changes an artifact before it is registered."""


class Workshop:
    """One registry, one Triton and one database."""

    def __init__(self, *, tracking_uri: str, triton: Triton, database: Database) -> None:
        self.tracking_uri = tracking_uri
        self.registry = Registry(tracking_uri)
        self.triton = triton
        self._database = database
        self.connection = psycopg.connect(database.conninfo, autocommit=True)
        self.store = ReleaseStore(self.connection)
        self.serving = Serving(repository=triton.repository, triton=triton.control, device="cpu")
        self.values = ModelEntry(id=NAME, description="", labels=list(Model.labels))
        """What values.yaml says."""
        model = Registration(
            id=NAME, description="", labels=list(Model.labels), address=triton.address
        )
        register_models(self.connection, [model])

    def close(self) -> None:
        """Leave Triton with nothing loaded."""
        self.connection.close()
        self.serving.take_out(NAME, self.serving.laid(NAME))

    def register(
        self,
        model: AbstractModel | None = None,
        *mutations: Mutation,
        examples: Sequence[Example] = EXAMPLES,
    ) -> str:
        """A new version of the registry; its number."""
        model = model or Model()
        with (
            tempfile.TemporaryDirectory() as scratch,
            training_run(tracking_uri=self.tracking_uri, model=NAME) as run,
        ):
            artifact, evaluation = Path(scratch, "model"), Path(scratch, "evaluation")
            evaluation.mkdir()
            write_examples(evaluation / EVALUATION_FILE, examples)
            write_artifact(model, artifact)
            write_mlmodel(type(model), artifact)
            Golden.record(model, [example.text for example in examples]).write(artifact)
            for mutate in mutations:
                mutate(artifact)
            run.log_evaluation(evaluation)
            return run.register(artifact, variant="model")

    def release(
        self,
        version: str,
        *,
        steps: Sequence[int] = (100,),
        uri: str = "",
        tell: Tell = lambda _: None,
    ) -> None:
        """Release in this process. Raises what Releaser.release raises."""
        releaser = self._releaser(Registry(uri or self.tracking_uri), tell)
        releaser.release(NAME, version, steps=steps, pause_s=0.1, actor="tester", reason="a test")

    def watcher(self, tell: Tell = lambda _: None) -> Watcher:
        """The release process, to be made look by hand."""
        return Watcher(
            store=self.store,
            registry=self.registry,
            releaser=self._releaser(self.registry, tell),
            serving=self.serving,
            foreign=self.foreign(self.registry),
            idle_s=IDLE_S,
        )

    def foreign(self, registry: Registry) -> ForeignVersions:
        """The versions of others, as `values` says now."""
        return ForeignVersions(
            store=self.store,
            registry=registry,
            triton_address=self.triton.address,
            margin=MARGIN,
            values=lambda _: self.values,
        )

    def _releaser(self, registry: Registry, tell: Tell) -> Releaser:
        foreign = self.foreign(registry)
        gate = Gate(registry=registry, serving=self.serving, foreign=foreign, margin=MARGIN)
        return Releaser(
            store=self.store,
            own=OwnVersions(store=self.store, gate=gate, serving=self.serving, tell=tell),
            foreign=foreign,
            idle_s=IDLE_S,
            patience_s=1,
            tell=tell,
        )

    def settle(self) -> None:
        """Tidy up until nothing drains or is abandoned, as the release process does now and then.

        PostgreSQL hears of the death of a process a moment later.
        """

        def done() -> bool:
            tidy(self.store, self.serving, NAME, idle_s=IDLE_S)
            abandoned = self.query("SELECT FROM releases WHERE state = 'RUNNING'")
            return not abandoned and not self.store.versions_in(NAME, "DRAINING")

        wait_until(done, timeout_s=20)
        wait_until(lambda: self.loaded() == self.serving.laid(NAME), timeout_s=20)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the program as a person does."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "rollout", *arguments],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Of the program."""
        return {
            **os.environ,
            **self._database.environment,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            **self.triton.environment,
            "PMESH_ROLLOUT_IDLE_S": str(IDLE_S),
        }

    def fault(self, place: str, marker: Path) -> dict[str, str]:
        """What makes a program kill itself at a place; see tests/parts/faults."""
        return {"PYTHONPATH": str(FAULTS), "FAULT": place, "FAULT_MARKER": str(marker)}

    def query(self, sql: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self.connection.execute(sql, parameters).fetchall()

    def last_release(self) -> Mapping[str, Any]:
        """The newest row of the history."""
        columns = ("version", "action", "actor", "reason", "state", "refusal", "detail", "traffic")
        (row,) = self.query(
            "SELECT version, action::text, actor, reason, state::text, refusal, detail, traffic"
            " FROM releases ORDER BY id DESC LIMIT 1"
        )
        return dict(zip(columns, row, strict=True))

    def states(self) -> dict[str, str]:
        """The state of each version in the database."""
        return dict(self.query("SELECT version, state::text FROM versions"))

    def ask(self, version: str, texts: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """What Triton says."""
        return infer(self.triton.address, NAME, version, texts)

    def loaded(self) -> set[str]:
        """What Triton has."""
        return self.serving.loaded(NAME)


def in_manifest(change: Callable[[dict[str, Any]], None]) -> Mutation:
    """A change of model.json."""

    def mutate(artifact: Path) -> None:
        file = artifact / "model.json"
        manifest = json.loads(file.read_text())
        change(manifest)
        file.write_text(json.dumps(manifest))

    return mutate


def in_code(old: str, new: str) -> Mutation:
    """A change of the model's code."""

    def mutate(artifact: Path) -> None:
        (file,) = artifact.glob("code/**/tiny/model.py")
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return mutate
