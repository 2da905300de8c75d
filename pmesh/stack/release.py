"""Trains models and gives each new version all the traffic of its model.

    python -m pmesh.stack.release --repository DIR --triton-port PORT [--missing] MODEL...

Finds PostgreSQL by the standard PG* variables and MLflow by MLFLOW_TRACKING_URI.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from gateway.store.catalog import read_models, set_traffic
from pmesh.stack.triton import TritonError, load_model

_MLFLOW_S = 300.0


def main() -> None:
    """Release the models of the command line; print each version."""
    arguments = _parser().parse_args()
    names = _unreleased(arguments.models) if arguments.missing else arguments.models
    try:
        if names:
            _wait_for_mlflow(os.environ["MLFLOW_TRACKING_URI"])
        for name in names:
            version = release(
                name,
                data=arguments.data,
                repository=arguments.repository,
                triton_port=arguments.triton_port,
            )
            print(f"{name} {version} has the traffic")
    except (TimeoutError, TritonError, psycopg.Error) as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:  # the training has said why
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def release(name: str, *, data: Sequence[Path], repository: Path, triton_port: int) -> str:
    """Train a version, load it, and send it every request. Answers the version.

    data: files to learn from; none: those that the model ships.
    """
    command = [sys.executable, "-m", "model_runtime.train", name, "--repository", str(repository)]
    files = ["--data", *map(str, data)] if data else []
    trained = subprocess.run([*command, *files], stdout=subprocess.PIPE, text=True, check=True)
    version = trained.stdout.splitlines()[-1]
    load_model(name, port=triton_port)
    with psycopg.connect() as connection:
        set_traffic(connection, name, {version: 100})
    return version


def _unreleased(names: Sequence[str]) -> list[str]:
    with psycopg.connect() as connection:
        released = {model.id for model in read_models(connection) if model.traffic}
    return [name for name in names if name not in released]


def _wait_for_mlflow(uri: str) -> None:
    """It starts in the background. Raises TimeoutError."""
    print(f"waiting for MLflow at {uri}", file=sys.stderr)
    until = time.monotonic() + _MLFLOW_S
    while time.monotonic() < until:
        try:
            with urlopen(f"{uri}/health", timeout=2) as answer:  # noqa: S310
                if answer.status == HTTPStatus.OK:
                    return
        except (URLError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"MLflow did not answer at {uri} within {_MLFLOW_S:.0f} s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pmesh.stack.release", description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="id of a model")
    parser.add_argument("--repository", required=True, type=Path, help="the Triton repository")
    parser.add_argument("--triton-port", required=True, type=int, help="Triton's HTTP port")
    parser.add_argument("--data", nargs="+", default=(), type=Path, help="files to learn from")
    parser.add_argument("--missing", action="store_true", help="only what was never released")
    return parser


if __name__ == "__main__":
    main()
