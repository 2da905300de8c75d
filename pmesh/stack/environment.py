"""The environment of the parts: this process's own, without what would lead them elsewhere."""

import os
from collections.abc import Mapping

_OURS = ("AWS_", "PG", "MLFLOW_", "PMESH_", "OTEL_", "PYTHON")
"""Prefixes that the stack sets itself: a user's own cloud, database or code is not meant."""

_COMMON = {
    # Proxies of the user's network know nothing of this machine's loopback.
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "DO_NOT_TRACK": "1",
    # As the logs say it at once, not when a buffer is full.
    "PYTHONUNBUFFERED": "1",
    # For people, who read them in files.
    "PMESH_LOG_FORMAT": "text",
}


def base_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every part gets."""
    kept = {k: v for k, v in environment.items() if not k.startswith(_OURS)}
    return kept | _COMMON


def telemetry_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a user says of where our programs' spans go, and of which; no name of a program."""
    said = (
        *("OTEL_EXPORTER_OTLP_", "OTEL_TRACES_SAMPLER", "OTEL_RESOURCE_ATTRIBUTES"),
        *("OTEL_SDK_DISABLED", "PMESH_TRACES_"),
    )
    return {k: v for k, v in environment.items() if k.startswith(said)}


def alerts_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a user says of the webhook of alerts, which is nobody's but theirs."""
    said = ("PMESH_ALERTS_WEBHOOK_", "PMESH_WEBHOOK_ALLOWED_HOSTS")
    return {k: v for k, v in environment.items() if k.startswith(said)}


def training_environment(base: Mapping[str, str], *, mlflow: str) -> dict[str, str]:
    """What trains and evaluates runs the code of models: it gets nothing that may change what
    serves.

    base: what every part gets. mlflow: the URL of the registry.
    """
    return {**base, "MLFLOW_TRACKING_URI": mlflow}


def aws_environment(*, port: int, s3_port: int, key_id: str, secret: str) -> dict[str, str]:
    """The standard variables by which boto3 finds the emulators."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # rclone answers a range of an object with the checksum of the whole.
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
