"""The parts of the local stack, wired together: read it as the picture of what runs."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import TYPE_CHECKING

import psycopg

from database.logins import (
    ANNOTATION,
    GATEWAY,
    MONITORING,
    RELAY,
    ROLLOUT,
    TRAINING,
    worker_login,
)
from database.migrate import migrate
from pmesh.provisioning import register
from pmesh.stack.aws import aws_part, s3_client, s3_part
from pmesh.stack.environment import alerts_environment, aws_environment, training_environment
from pmesh.stack.gateways import doors, gateway_parts
from pmesh.stack.gateways import port_names as gateway_port_names
from pmesh.stack.home import Home
from pmesh.stack.label_studio import WEBHOOK_ADDRESS, LabelStudioPart
from pmesh.stack.mlflow import mlflow_part
from pmesh.stack.model_list import ModelEntry
from pmesh.stack.own_environment import place_of
from pmesh.stack.part import Job, Part
from pmesh.stack.postgres import OWNER, Postgres
from pmesh.stack.readiness import until_http
from pmesh.stack.replicas import ALONE, Replicas, numbered
from pmesh.stack.services import (
    annotation_part,
    metrics_part,
    monitoring_part,
    program,
    relay_part,
    retraining_part,
    rollout_part,
    worker_name,
    worker_part,
)
from pmesh.stack.triton import Tritons, served_versions
from telemetry.settings import read_traces

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from pmesh.stack.issuer import Issuer

_KEY_ID = "predict-mesh"
_TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:predict-events"
FEATURES_BUCKET = "predict-features"
"""As the gateway's, the workers' and the shipper's settings have it."""
_TRAINING_S = 24 * 3600
"""That the first trainings may take together."""
_ANSWERS_S = 15.0
"""Within which the gateway has seen the first releases."""


def port_names(models: Sequence[ModelEntry], replicas: Replicas = ALONE) -> list[str]:
    """What needs a port on loopback, the public one aside.

    NAME-metrics: where a part tells its metrics.
    """
    telling = (
        *numbered("triton", replicas.tritons),
        *numbered("relay", replicas.relays),
        *(name for name, _ in _worker_names(models, replicas)),
        *("rollout", "retraining", "monitoring", "annotation"),
    )
    return [
        *("postgres", "aws", "s3", "mlflow", "rollout-webhook"),
        *("metrics", "label-studio", "annotation-webhook"),
        *(f"{name}-metrics" for name in telling),
        *gateway_port_names(replicas.gateways),
    ]


def _worker_names(
    models: Sequence[ModelEntry], replicas: Replicas
) -> Iterator[tuple[str, ModelEntry]]:
    for n, model in enumerate(models):
        for name in numbered(worker_name(model.id), replicas.workers if n == 0 else 1):
            yield name, model


class LocalStack:
    """All that the parts share."""

    def __init__(
        self,
        home: Home,
        *,
        gateway_port: int,
        ports: Mapping[str, int],
        models: Sequence[ModelEntry],
        environment: dict[str, str],
        telemetry: Mapping[str, str] = MappingProxyType({}),
        replicas: Replicas = ALONE,
        issuer: "Issuer | None" = None,
    ) -> None:
        """gateway_port: of the gateway, or of what is in front of several.

        environment: what every part gets. telemetry: what our programs and Triton get as well, by
        which they send spans. issuer: of the tokens that callers need; None: they need none.
        Raises InvalidMesh, and ValueError for telemetry that cannot be.
        """
        self._home = home
        self._gateway_port = gateway_port
        self._ports = ports
        self._models = models
        self._base = environment
        self._own = environment | dict(telemetry)
        self._issuer = issuer
        self._access = issuer.write_policy(models) if issuer else None
        self._replicas = replicas
        self._s3_secret = home.secret("s3")
        self._aws = aws_environment(
            port=ports["aws"], s3_port=ports["s3"], key_id=_KEY_ID, secret=self._s3_secret
        )
        self._postgres = Postgres(
            home.path / "postgres",
            port=ports["postgres"],
            password=lambda role: home.secret(f"postgres-{role}"),
            models=[model.id for model in models],
            processes=replicas.most,
        )
        names = numbered("triton", replicas.tritons)
        self._triton = Tritons(
            home,
            names,
            ports=ports,
            served=lambda: served_versions(self._postgres.conninfo(OWNER)),
            traces=read_traces(telemetry).endpoint,
        )
        self.label_studio = LabelStudioPart(home, port=ports["label-studio"])

    def parts(self) -> list[Part]:
        """Every part, in the order in which they are shown."""
        return [
            self._postgres.part(environment=self._base, fill=self._migrate),
            s3_part(
                self._home,
                port=self._ports["s3"],
                environment=self._base,
                key_id=_KEY_ID,
                secret=self._s3_secret,
            ),
            aws_part(
                port=self._ports["aws"], environment=self._base, provision=self._provision_bus
            ),
            *self._triton.parts(environment=self._own),
            *self._workers(),
            *self._relays(),
            *self._gateways(),
            mlflow_part(
                self._home,
                port=self._ports["mlflow"],
                environment=self._base,
                needs=self._triton.names,  # predictions wait for the one, not for the other
                webhook_secret=self._home.secret("mlflow-webhooks"),
            ),
            self._first_releases(),
            self._rollout(),
            retraining_part(
                metrics_port=self._metrics_port("retraining"),
                environment=self.labels_environment() | {"PGAPPNAME": "retraining"},
                is_ready=lambda: self._postgres.is_connected("retraining"),
            ),
            monitoring_part(
                metrics_port=self._metrics_port("monitoring"),
                environment=self.monitoring_environment() | alerts_environment(),
            ),
            *self._annotation(),
            metrics_part(self._home.path, port=self._ports["metrics"], environment=self._base),
        ]

    def _metrics_port(self, part: str) -> int:
        return self._ports[f"{part}-metrics"]

    def training_environment(self) -> dict[str, str]:
        """The environment of the programs that train and evaluate models."""
        return training_environment(self._own, mlflow=self.mlflow)

    def labels_environment(self) -> dict[str, str]:
        """The same, where they read what people have labelled."""
        return {**self.training_environment(), **self._postgres.environment(TRAINING.name)}

    def training_conninfo(self) -> str:
        """By which a command asks for trainings."""
        return self._postgres.conninfo(TRAINING.name)

    def release_environment(self) -> dict[str, str]:
        """The environment of the process that releases them."""
        return {
            **self.training_environment(),
            **self._postgres.environment(ROLLOUT.name),
            "PMESH_TRITON_ADDRESS": self._triton.address,
            "PMESH_TRITON_KEY": self._triton.key,
            "PMESH_TRITON_REPOSITORY": str(self._triton.repository),
        }

    def monitoring_environment(self) -> dict[str, str]:
        """The environment of the process that makes the figures of each hour."""
        with as_file(files("monitoring") / "evidently.txt") as lock:
            evidently = place_of(self._home.path, "evidently", lock)
        return {
            **self.training_environment(),
            **self._postgres.environment(MONITORING.name),
            **self._aws,
            "PMESH_FEATURES_BUCKET": FEATURES_BUCKET,
            "PMESH_EVIDENTLY_PYTHON": str(evidently),  # where a report was asked for once
            "PMESH_REPORTS": str(self._home.path / "reports"),
        }

    def features_client(self) -> "S3Client":
        """By which a command reads features."""
        return s3_client(self._aws)

    def monitoring_conninfo(self) -> str:
        """By which a command does the same."""
        return self._postgres.conninfo(MONITORING.name)

    def annotation_environment(self) -> dict[str, str]:
        """The environment of the process that makes labels of annotations."""
        return {
            **self._own,
            **self._postgres.environment(ANNOTATION.name),
            "PMESH_LABEL_STUDIO_TOKEN": self.label_studio.token,
            "PMESH_ANNOTATION_WEBHOOK_SECRET": self._home.secret("annotation-webhooks"),
        }

    def annotation_conninfo(self) -> str:
        """By which a command does the same."""
        return self._postgres.conninfo(ANNOTATION.name)

    @property
    def mlflow(self) -> str:
        """The URL of the registry."""
        return f"http://127.0.0.1:{self._ports['mlflow']}"

    def _first_releases(self) -> Part:
        models = [model.id for model in self._models if model.is_trained_here]
        return Job(
            name="training",
            command=program("pmesh.stack.first_releases", *models),
            environment={
                **self.training_environment(),
                "PMESH_GATEWAY": f"127.0.0.1:{self._gateway_port}",
                **({"PMESH_TOKEN": self._issuer.token(ttl_s=_TRAINING_S)} if self._issuer else {}),
            },
            needs=(*doors(self._replicas.gateways), *self._triton.names),
            # The stack has started when it can answer, unless no model was ever released.
            after=lambda: until_http(self._gateway_port, "/readyz", timeout_s=_ANSWERS_S),
        )

    def _rollout(self) -> Part:
        secret = {"PMESH_WEBHOOK_SECRET": self._home.secret("webhook")}
        return rollout_part(
            webhook_port=self._ports["rollout-webhook"],
            metrics_port=self._metrics_port("rollout"),
            environment=self.release_environment() | secret | {"PGAPPNAME": "rollout"},
            is_ready=lambda: self._postgres.is_connected("rollout"),
            tritons=self._triton.names,
        )

    def _annotation(self) -> list[Part]:
        if not self.label_studio.is_on:
            return []
        return [
            self.label_studio.part(environment=self._base),
            annotation_part(
                label_studio_url=self.label_studio.url,
                address=WEBHOOK_ADDRESS,
                port=self._ports["annotation-webhook"],
                metrics_port=self._metrics_port("annotation"),
                environment=self.annotation_environment(),
            ),
        ]

    def _workers(self) -> list[Part]:
        return [
            self._worker(name, model) for name, model in _worker_names(self._models, self._replicas)
        ]

    def _worker(self, name: str, model: ModelEntry) -> Part:
        login = worker_login(model.id).name
        environment = self._own | self._postgres.environment(login) | self._aws
        return worker_part(
            name=name,
            model=model.id,
            metrics_port=self._metrics_port(name),
            environment=environment | {"PMESH_TOPIC_ARN": _TOPIC_ARN, "PGAPPNAME": name},
            is_ready=lambda: self._postgres.is_connected(name),
            tritons=self._triton.names,
        )

    def _migrate(self) -> None:
        """Bring the schema and the list of models up to date."""
        migrate(self._postgres.conninfo(OWNER))
        with psycopg.connect(self._postgres.conninfo(OWNER)) as connection:
            register(connection, self._models, address=self._triton.address)

    def _provision_bus(self) -> None:
        """Make topic, queues and bucket: the emulator forgets them at each restart."""
        command = program("bus.topology", *(model.id for model in self._models))
        done = subprocess.run(
            command, env=self._base | self._aws, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def _relays(self) -> list[Part]:
        return [self._relay(name) for name in numbered("relay", self._replicas.relays)]

    def _relay(self, name: str) -> Part:
        database = self._postgres.environment(RELAY.name)
        # PGAPPNAME names its connections to PostgreSQL, by which it is seen to work.
        environment = self._own | database | self._aws | {"PMESH_TOPIC_ARN": _TOPIC_ARN}
        return relay_part(
            name=name,
            metrics_port=self._metrics_port(name),
            environment=environment | {"PGAPPNAME": name},
            is_ready=lambda: self._postgres.is_connected(name),
        )

    def _gateways(self) -> list[Part]:
        return gateway_parts(
            self._home,
            count=self._replicas.gateways,
            port=self._gateway_port,
            ports=self._ports,
            tritons=self._triton.names,
            access=self._access,
            environment=self._own | self._postgres.environment(GATEWAY.name),
            base=self._base,
            shipping=self._own | self._aws,
        )
