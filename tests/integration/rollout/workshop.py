"""Makes versions, good and broken ones, and releases them on a real Triton."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import psycopg
from mlflow import MlflowClient
from psycopg.types.json import Jsonb

from database.registration import Registration, register_models
from inference.blocking import infer
from modelkit.abstract_model import AbstractModel, Example
from modelkit.artifact import write_artifact
from modelkit.dataset import write_examples
from modelkit.golden import Golden
from modelkit.labelled import Labelled, Split, write_labels
from modelkit.mlmodel import write_mlmodel
from modelkit.registry import CHAMPION, EVALUATION_FILE, LABELS_FILE, Registry
from modelkit.values import ModelEntry
from rollout.alias import AliasFollower
from rollout.foreign import ForeignVersions
from rollout.gate import Gate
from rollout.housekeeping import Housekeeping
from rollout.own import OwnVersions, Tell
from rollout.refusal import Reason, Refused
from rollout.release import Releaser
from rollout.serving import Serving
from rollout.store import ReleaseStore
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

ALL = 10_000
"""Basis points."""

Mutation = Callable[[Path], None]
"""Changes an artifact before it is registered."""


class Ended(Exception):
    """A release was taken out of its hands, paused or cancelled."""


class Workshop:
    """One registry, one Triton and one database."""

    def __init__(self, *, tracking_uri: str, triton: Triton, database: Database) -> None:
        self.tracking_uri = tracking_uri
        self.registry = Registry(tracking_uri)
        self.triton = triton
        self._database = database
        self.connection = self.connect()
        self.store = ReleaseStore(self.connection)
        self.serving = Serving(
            repository=triton.repository,
            address=triton.address,
            key=triton.key,
            device_of=lambda _: "cpu",
        )
        self.values = ModelEntry(id=NAME, description="", labels=list(Model.labels))
        """What values.yaml says."""
        self._listed: list[Registration] = []
        self.list_model(NAME)

    def close(self) -> None:
        """Leave Triton with nothing loaded, and the registry without an alias."""
        if self.registry.alias(NAME, CHAMPION):
            MlflowClient(self.tracking_uri).delete_registered_model_alias(NAME, CHAMPION)
        self.connection.close()
        self.serving.take_out(NAME, self.serving.laid(NAME))

    def connect(self) -> "psycopg.Connection[Any]":
        """One more connection, as another process has it."""
        return psycopg.connect(self._database.conninfo, autocommit=True)

    def list_model(self, model: str, *versions: str) -> None:
        """Have the database list one more model, with versions that serve."""
        labels, address = list(Model.labels), self.triton.address
        self._listed.append(Registration(id=model, description="", labels=labels, address=address))
        register_models(self.connection, self._listed)
        for version in versions:
            self.store.set_version(model, version, "SERVING")

    def register(
        self,
        model: AbstractModel | None = None,
        *mutations: Mutation,
        examples: Sequence[Example] = EXAMPLES,
        labelled: Sequence[Labelled] = (),
    ) -> str:
        """A new version of the registry; its number. labelled: held-out predictions."""
        model = model or Model()
        with (
            tempfile.TemporaryDirectory() as scratch,
            training_run(tracking_uri=self.tracking_uri, model=NAME) as run,
        ):
            artifact, evaluation = Path(scratch, "model"), Path(scratch, "evaluation")
            evaluation.mkdir()
            write_examples(evaluation / EVALUATION_FILE, examples)
            if labelled:
                held_out = [(one, Split.HELD_OUT) for one in labelled]
                write_labels(evaluation / LABELS_FILE, held_out)
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
        steps: Sequence[int] = (ALL,),
        uri: str = "",
        tell: Tell = lambda _: None,
    ) -> str:
        """Ask for a release and carry it out, step by step; its id. Raises Refused, Ended."""
        release = self.accept(version, steps=steps)
        self.releaser(Registry(uri or self.tracking_uri), tell).carry_on(NAME)
        while (state := self.row(release)["state"]) == "RUNNING":
            tell("the next step")
            self.take_steps()
        row = self.row(release)
        if state == "REFUSED":
            raise Refused(getattr(Reason, row["refusal"]), row["detail"])
        if state != "DONE":
            raise Ended(f"{state}: {row['detail']}")
        return release

    def accept(
        self,
        version: str,
        *,
        model: str = NAME,
        steps: Sequence[int] = (ALL,),
        margin: float | None = None,
    ) -> str:
        """Ask for a release as the gateway does, whose steps are due at once; its id."""
        ((release,),) = self.query(
            "SELECT releases_v1.create_release(%s, %s, %s, '0', %s, 'tester', 'a test', '', NULL)",
            *(model, version, list(steps), margin),
        )
        return str(release)

    def shift(self, action: str) -> None:
        """PROMOTE or ROLLBACK, as the gateway does it."""
        self.query(
            "SELECT releases_v1.shift(%s, %s::release_action, 'anna', 'errors', '', NULL)",
            *(NAME, action),
        )

    def traffic(self, model: str = NAME) -> dict[str, int]:
        """The present split in basis points."""
        ((shares,),) = self.query("SELECT releases_v1.shares(%s)", model)
        return dict(shares)

    def set_traffic(self, model: str, **shares: int) -> None:
        """As the gateway does it: v1=10_000."""
        split = Jsonb({version.removeprefix("v"): points for version, points in shares.items()})
        self.query("SELECT releases_v1.set_shares(%s, %s, 'api', '', '')", model, split)

    def take_steps(self) -> None:
        """Take the steps that are due, as the release process does."""
        for step in self.store.steps_due():
            self.store.take_step(step.release)

    def look(self, tell: Tell = lambda _: None) -> None:
        """All that the release process does, once."""
        self.housekeeping().look()
        self.releaser(self.registry, tell).carry_on(NAME)
        self.take_steps()

    def housekeeping(self) -> Housekeeping:
        """What looks after the rest."""
        aliases = AliasFollower(
            store=self.store, registry=self.registry, foreign=self.foreign(self.registry)
        )
        return Housekeeping(store=self.store, serving=self.serving, aliases=aliases, idle_s=IDLE_S)

    def foreign(self, registry: Registry) -> ForeignVersions:
        """The versions of others, as `values` says now."""
        return ForeignVersions(
            store=self.store,
            registry=registry,
            triton_address=self.triton.address,
            values=lambda _: self.values,
        )

    def releaser(self, registry: Registry, tell: Tell = lambda _: None) -> Releaser:
        """What carries releases out, in this process."""
        foreign = self.foreign(registry)
        gate = Gate(
            registry=registry,
            serving=self.serving,
            foreign=foreign,
            find_texts=self.store.texts,
        )
        return Releaser(
            store=self.store,
            own=OwnVersions(store=self.store, gate=gate, serving=self.serving, tell=tell),
            foreign=foreign,
            margin=MARGIN,
            idle_s=IDLE_S,
            tell=tell,
        )

    def settle(self) -> None:
        """Tidy up until nothing drains or is abandoned, as the release process does now and then.

        PostgreSQL hears of the death of a process a moment later.
        """

        def done() -> bool:
            self.housekeeping().tidy(NAME)
            held = self.query("SELECT FROM release_locks")
            return not held and not self.store.versions_in(NAME, "DRAINING")

        wait_until(done)
        wait_until(lambda: self.loaded() == self.serving.laid(NAME))

    @contextmanager
    def watch(self, **variables: str) -> "Iterator[subprocess.Popen[bytes]]":
        """The release process, until the end of the block; then it must stop by itself."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rollout", "watch"],
            env={**self.environment, **variables},
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(100)

    def wait_for(self, release: str, *states: str) -> None:
        """Wait until a release is in one of these states."""
        wait_until(lambda: self.row(release)["state"] in states, timeout_s=200)

    @property
    def environment(self) -> dict[str, str]:
        """Of the program."""
        return {
            **os.environ,
            **self._database.environment,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            **self.triton.environment,
            "PMESH_ROLLOUT_IDLE_S": str(IDLE_S),
            "PMESH_ROLLOUT_POLL_S": "0.5",
            "PMESH_ROLLOUT_METRICS_PORT": "0",
        }

    def fault(self, place: str, marker: Path) -> dict[str, str]:
        """What makes a program kill itself at a place; see tests/parts/faults."""
        return {"PYTHONPATH": str(FAULTS), "FAULT": place, "FAULT_MARKER": str(marker)}

    def query(self, sql: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self.connection.execute(sql, parameters).fetchall()

    def row(self, release: str) -> Mapping[str, Any]:
        """A release as clients see it."""
        columns = ("state", "refusal", "detail", "steps_done", "shares")
        (row,) = self.query(
            "SELECT state, refusal, detail, steps_done, shares FROM releases_v1.releases"
            " WHERE id = %s",
            release,
        )
        return dict(zip(columns, row, strict=True))

    def last_release(self) -> Mapping[str, Any]:
        """The newest row of the history."""
        columns = ("version", "action", "actor", "reason", "state", "refusal", "detail", "shares")
        (row,) = self.query(
            "SELECT version, action::text, actor, reason, state, refusal, detail, shares"
            " FROM releases_v1.releases ORDER BY id DESC LIMIT 1"
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
