"""The project's own processes, and one worker for each model."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pmesh.stack.part import Part
from pmesh.stack.readiness import accepts_connections, answers_http


def program(module: str, *arguments: str) -> tuple[str, ...]:
    """How a program of ours starts: no file of a working directory shadows its own (-P)."""
    return (sys.executable, "-P", "-m", module, *arguments)


def gateway_part(
    *,
    name: str,
    port: int,
    admin_port: int,
    metrics_port: int,
    spool: Path,
    access: Path | None,
    access_log: Path,
    environment: Mapping[str, str],
    uses: tuple[str, ...],
) -> Part:
    """Envoy with the Python servicers in it.

    spool: where it puts the features of its answers, of this one alone. access: who may call;
    None: everybody. access_log: where it notes who has.
    """
    return Part(
        name=name,
        command=program("gateway.main"),
        environment={
            **environment,
            "PMESH_GATEWAY_ADDRESS": "127.0.0.1",
            "PMESH_GATEWAY_PORT": str(port),
            "PMESH_GATEWAY_ADMIN_PORT": str(admin_port),
            "PMESH_GATEWAY_METRICS_PORT": str(metrics_port),
            "PMESH_GATEWAY_ACCESS_LOG": str(access_log),
            "PMESH_FEATURES_SPOOL": str(spool),
            **({"PMESH_GATEWAY_ACCESS": str(access)} if access else {}),
        },
        needs=("postgres",),
        uses=uses,
        before=lambda: spool.mkdir(exist_ok=True),
        is_ready=lambda: answers_http(port, "/healthz"),  # it lives; /readyz waits for a release
        stop_timeout_s=25,  # it lets calls in flight end
    )


def features_part(
    *, name: str, metrics_port: int, spool: Path, environment: Mapping[str, str]
) -> Part:
    """Ships a gateway's features to S3, and waits for it as long as it is away."""
    return Part(
        name=name,
        command=program("features"),
        environment={
            **environment,
            "PMESH_FEATURES_SPOOL": str(spool),
            "PMESH_FEATURES_METRICS_PORT": str(metrics_port),
        },
        needs=(),
        uses=("s3",),
        before=lambda: spool.mkdir(exist_ok=True),
        is_ready=lambda: True,  # it has no door: that it runs is all that can be seen
    )


def relay_part(
    *,
    name: str,
    metrics_port: int,
    environment: Mapping[str, str],
    is_ready: Callable[[], bool],
) -> Part:
    """Between PostgreSQL and the bus. No client calls it."""
    return Part(
        name=name,
        command=program("relay"),
        environment={**environment, "PMESH_RELAY_METRICS_PORT": str(metrics_port)},
        needs=("postgres", "aws"),
        is_ready=is_ready,
    )


def worker_name(model: str) -> str:
    """The name of the part that works for a model, where it is alone."""
    return f"worker-{model}"


def worker_part(
    *,
    name: str,
    model: str,
    metrics_port: int,
    environment: Mapping[str, str],
    is_ready: Callable[[], bool],
    tritons: tuple[str, ...],
) -> Part:
    """Takes one model's requests from its queue. No client calls it."""
    return Part(
        name=name,
        command=program("model_runtime"),
        environment={
            **environment,
            "PMESH_MODEL": model,
            "PMESH_WORKER_METRICS_PORT": str(metrics_port),
            "PMESH_RECEIVE_WAIT_S": "2",  # a stop waits for the end of a look at the queue
        },
        needs=("postgres", "aws"),
        uses=(*tritons, "s3"),
        is_ready=is_ready,
        stop_timeout_s=40,  # it ends the batches that it has begun
    )


def rollout_part(
    *,
    webhook_port: int,
    metrics_port: int,
    environment: Mapping[str, str],
    is_ready: Callable[[], bool],
    tritons: tuple[str, ...],
) -> Part:
    """Carries out releases, follows the registry, and takes away what nothing uses any more."""
    return Part(
        name="rollout",
        command=program("rollout", "watch", "--webhook-port", str(webhook_port)),
        environment={**environment, "PMESH_ROLLOUT_METRICS_PORT": str(metrics_port)},
        needs=("postgres", *tritons),
        uses=("mlflow",),
        is_ready=is_ready,
        background=True,
        niceness=5,
        stop_timeout_s=15,  # what it has begun goes on at its next start
    )


def retraining_part(
    *, metrics_port: int, environment: Mapping[str, str], is_ready: Callable[[], bool]
) -> Part:
    """Carries out trainings from labels that people and alerts ask for. No client calls it."""
    return Part(
        name="retraining",
        command=program("training", "watch"),
        environment={**environment, "PMESH_TRAINING_METRICS_PORT": str(metrics_port)},
        needs=("postgres", "mlflow"),
        is_ready=is_ready,
        background=True,
        niceness=10,
        stop_timeout_s=15,  # what it has begun is begun anew at its next start
    )


def monitoring_part(*, metrics_port: int, environment: Mapping[str, str]) -> Part:
    """Makes the figures of each hour, and tells the newest to Prometheus."""
    return Part(
        name="monitoring",
        command=program("monitoring", "watch"),
        environment={**environment, "PMESH_MONITORING_METRICS_PORT": str(metrics_port)},
        needs=("postgres",),
        uses=("mlflow", "s3"),
        is_ready=lambda: answers_http(metrics_port, "/metrics"),
        background=True,
        niceness=10,
    )


def annotation_part(
    *,
    label_studio_url: str,
    address: str,
    port: int,
    metrics_port: int,
    environment: Mapping[str, str],
) -> Part:
    """Makes labels of what people say in Label Studio.

    address, port: where Label Studio tells it of annotations.
    """
    return Part(
        name="annotation",
        command=program("annotation", "watch"),
        environment={
            **environment,
            "PMESH_LABEL_STUDIO_URL": label_studio_url,
            "PMESH_ANNOTATION_WEBHOOK_ADDRESS": address,
            "PMESH_ANNOTATION_WEBHOOK_PORT": str(port),
            "PMESH_ANNOTATION_METRICS_PORT": str(metrics_port),
            "PMESH_ANNOTATION_WEBHOOK_URL": f"http://{address}:{port}",
        },
        needs=("postgres",),
        uses=("label-studio",),
        is_ready=lambda: accepts_connections(port, address),
        background=True,
        niceness=10,
        stop_timeout_s=45,  # what Label Studio is being asked may take its time
    )


def metrics_part(home: Path, *, port: int, environment: Mapping[str, str]) -> Part:
    """One page with the metrics of all the others."""
    return Part(
        name="metrics",
        command=program("pmesh.stack.metrics_page", str(home)),
        environment=environment,
        is_ready=lambda: accepts_connections(port),
        background=True,
        niceness=5,
    )
