"""Trains and releases the models that were never released: `... first_releases MODEL...`.

Finds PostgreSQL by the standard PG* variables and MLflow by MLFLOW_TRACKING_URI.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

_MLFLOW_S = 300.0
_SIGNED = ("--actor", "pmesh up", "--reason", "the first version")


def main() -> None:
    """Release the models of the command line that have no traffic."""
    try:
        names = _unreleased(sys.argv[1:])
        if names:
            _wait_for_mlflow(os.environ["MLFLOW_TRACKING_URI"])
        for name in names:
            trained = _run("model_runtime.train", name)
            _run("rollout", "release", f"{name}@{trained.splitlines()[-1]}", *_SIGNED)
    except (TimeoutError, psycopg.Error) as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:  # the program has said why
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _run(module: str, *arguments: str) -> str:
    """What a program of ours prints."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _unreleased(names: Sequence[str]) -> list[str]:
    with psycopg.connect() as connection:
        released = {model for (model,) in connection.execute("SELECT model FROM traffic")}
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


if __name__ == "__main__":
    main()
