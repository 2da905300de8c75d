"""The project's own processes: gateway, relay, rollout, and one runtime for each model."""

import sys
from collections.abc import Callable, Mapping

from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http, serves_grpc


def gateway_part(
    *, port: int, admin_port: int, environment: Mapping[str, str], runtimes: tuple[str, ...]
) -> Part:
    """Envoy with the Python servicers in it, on the one port that clients know."""
    return Part(
        name="gateway",
        command=(sys.executable, "-m", "gateway.main"),
        environment={
            **environment,
            "PMESH_GATEWAY_ADDRESS": "127.0.0.1",
            "PMESH_GATEWAY_PORT": str(port),
            "PMESH_GATEWAY_ADMIN_PORT": str(admin_port),
        },
        needs=("postgres",),
        uses=runtimes,
        is_ready=lambda: answers_http(port, "/healthz"),
        stop_timeout_s=25,  # it lets calls in flight end
    )


def relay_part(*, environment: Mapping[str, str], is_ready: Callable[[], bool]) -> Part:
    """Between PostgreSQL and the bus. It listens on no port."""
    return Part(
        name="relay",
        command=(sys.executable, "-m", "gateway.relay"),
        environment=environment,
        needs=("postgres", "aws"),
        is_ready=is_ready,
    )


def runtime_name(model: str) -> str:
    """The name of the part beside a model."""
    return f"runtime-{model}"


def runtime_part(
    *, model: str, port: int, triton_port: int, environment: Mapping[str, str]
) -> Part:
    """The process beside one model: its gRPC door and its queue door."""
    return Part(
        name=runtime_name(model),
        command=(sys.executable, "-m", "model_runtime"),
        environment={
            **environment,
            "PMESH_MODEL": model,
            "PMESH_RUNTIME_ADDRESS": f"127.0.0.1:{port}",
            "PMESH_TRITON_ADDRESS": f"127.0.0.1:{triton_port}",
            "PMESH_RECEIVE_WAIT_S": "2",  # a stop waits for the end of a look at the queue
        },
        needs=("postgres", "aws"),
        uses=("triton", "s3"),
        is_ready=lambda: serves_grpc(port),  # which is once Triton serves a version
        start_timeout_s=3600,  # so the first start waits for the training
        stop_timeout_s=40,  # it ends the batches that it has begun
    )


def rollout_part(
    *, webhook_port: int, environment: Mapping[str, str], is_ready: Callable[[], bool]
) -> Part:
    """Follows the registry, and takes away the versions that nothing uses any more."""
    return Part(
        name="rollout",
        command=(sys.executable, "-m", "rollout", "watch", "--webhook-port", str(webhook_port)),
        environment=environment,
        needs=("postgres", "triton"),
        uses=("mlflow",),
        is_ready=is_ready,
        background=True,
        niceness=5,
        stop_timeout_s=60,  # it ends the release that it has begun
    )
