"""Trains and releases the models that were never released: `... first_releases MODEL...`.

Finds PostgreSQL by the standard PG* variables and MLflow by MLFLOW_TRACKING_URI.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from database.connections import bounded
from modelkit.registry import Registry, RegistryError, VersionUnknown
from pmesh.stack.environment import base_environment, training_environment
from pmesh.stack.services import program
from rollout.store import ReleaseStore

_MLFLOW_S = 300.0
_FRESH_S = 60.0
"""The supervisor starts this program again a few times when it fails."""
_SIGNED = ("--actor", "pmesh up", "--reason", "the first version")


def main() -> None:
    """Release the models of the command line that have no traffic; exit with 1 if one is refused.

    What is trained already is not trained again.
    """
    try:
        with psycopg.connect(bounded(), autocommit=True) as connection:
            store = ReleaseStore(connection)
            names = [name for name in sys.argv[1:] if not store.traffic(name)]
            if names:
                _wait_for_mlflow(os.environ["MLFLOW_TRACKING_URI"])
            done = [_release(store, name) for name in names]
    except (TimeoutError, psycopg.Error, RegistryError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(0 if all(done) else 1)


def _release(store: ReleaseStore, name: str) -> bool:
    """Whether a version of the model has the traffic now."""
    # To train the same again would not help.
    if refusal := store.fresh_refusal(name, _FRESH_S):
        print(f"{name}: its first version was refused: {refusal}", file=sys.stderr)
        return False
    try:
        number = _registered(store, name) or _train(name)
        _run(os.environ, "rollout", "release", f"{name}@{number}", *_SIGNED)
    except subprocess.CalledProcessError:  # the program has said why
        return False
    return True


def _registered(store: ReleaseStore, name: str) -> str:
    """The last version of the registry, unless it was refused before; "" for none."""
    try:
        number = Registry(os.environ["MLFLOW_TRACKING_URI"]).latest(name).number
    except VersionUnknown:
        return ""
    return "" if store.version_state(name, number) == "REFUSED" else number


def _train(name: str) -> str:
    """The number of a new version. Raises CalledProcessError."""
    mlflow = os.environ["MLFLOW_TRACKING_URI"]
    environment = training_environment(base_environment(), mlflow=mlflow)
    return _run(environment, "training.train", name).split()[-1]


def _run(environment: Mapping[str, str], module: str, *arguments: str) -> str:
    """What a program of ours prints. Raises CalledProcessError."""
    command = program(module, *arguments)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


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
