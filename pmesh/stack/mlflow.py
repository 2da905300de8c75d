"""MLflow: the registry of models. Only trainings need it; serving does not."""

import sys
from collections.abc import Mapping

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http


def mlflow_part(
    home: Home, *, port: int, environment: Mapping[str, str], needs: tuple[str, ...]
) -> Part:
    """The tracking server on a SQLite file. It takes half a minute to start, at low priority."""
    directory = home.path / "mlflow"
    return Part(
        name="mlflow",
        command=(
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{directory / 'mlflow.db'}"),
            *("--artifacts-destination", str(directory / "artifacts")),
        ),
        environment={
            **environment,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        needs=needs,
        before=lambda: directory.mkdir(exist_ok=True),
        is_ready=lambda: answers_http(port, "/health"),
        background=True,
        niceness=10,
        start_timeout_s=300,
    )
