"""MLflow: the registry of models. Trainings and releases need it; serving does not."""

import base64
import hashlib
import sys
from collections.abc import Mapping

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http


def mlflow_part(
    home: Home,
    *,
    port: int,
    environment: Mapping[str, str],
    needs: tuple[str, ...],
    webhook_secret: str,
) -> Part:
    """The tracking server on a SQLite file. It takes half a minute to start, at low priority.

    webhook_secret: what it hides the secrets of its webhooks with.
    """
    directory = home.path / "mlflow"
    return Part(
        name="mlflow",
        command=(
            *(sys.executable, "-P", "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"),
            *("--artifacts-destination", str(directory / "artifacts")),
        ),
        environment={
            **environment,
            "PYTHONSAFEPATH": "1",  # -P also for the processes that it starts
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Its webhook tells a process on this machine.
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": _fernet_key(webhook_secret),
        },
        needs=needs,
        before=lambda: directory.mkdir(exist_ok=True),
        is_ready=lambda: answers_http(port, "/health"),
        background=True,
        niceness=10,
        start_timeout_s=300,
    )


def _fernet_key(secret: str) -> str:
    """The form that MLflow wants it in: 32 bytes, in base64."""
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()
