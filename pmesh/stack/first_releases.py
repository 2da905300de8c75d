"""Trains and releases the models that were never released: `... first_releases MODEL...`.

Asks the gateway at PMESH_GATEWAY, as everybody does, with PMESH_TOKEN if that is set, and finds
MLflow by MLFLOW_TRACKING_URI.
"""

import os
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

from predict.v1.model_pb2 import ModelVersionState, Release, ReleaseState

from modelkit.registry import Registry, RegistryError, VersionUnknown
from pmesh.calls import CallFailedError
from pmesh.releases import ReleaseClient
from pmesh.stack.environment import base_environment, training_environment
from pmesh.stack.services import program

_MLFLOW_S = 300.0
_FRESH_S = 60.0
"""The supervisor starts this program again a few times when it fails."""
_ACTOR, _WHY = "pmesh up", "the first version"


def main() -> None:
    """Release the models of the command line that have no traffic; exit with 1 if one is refused.

    What is trained already is not trained again.
    """
    mlflow = os.environ["MLFLOW_TRACKING_URI"]
    gateway, token = os.environ["PMESH_GATEWAY"], os.environ.get("PMESH_TOKEN", "")
    try:
        with ReleaseClient(gateway, token) as client:
            names = [name for name in sys.argv[1:] if not client.model(name).shares]
            if names:
                _wait_for_mlflow(mlflow)
            done = [_release(client, name, mlflow) for name in names]
    except (TimeoutError, CallFailedError, RegistryError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(0 if all(done) else 1)


def _release(client: ReleaseClient, name: str, mlflow: str) -> bool:
    """Whether a version of the model has the traffic now."""
    release = next(iter(client.under_way(name)), None)
    if release is None:
        # To train the same again would not help.
        if (last := _last(client, name)) is not None and _was_just_refused(last):
            return _tell(last)
        try:
            number = _registered(client, name, mlflow) or _train(name, mlflow)
        except subprocess.CalledProcessError:  # the program has said why
            return False
        release = client.release(name, number, actor=_ACTOR, reason=_WHY)
    return _tell(client.outcome(release))


def _last(client: ReleaseClient, name: str) -> Release | None:
    return next(iter(client.list(name, limit=1)), None)


def _was_just_refused(release: Release) -> bool:
    is_refused = release.state == ReleaseState.RELEASE_STATE_REFUSED
    return is_refused and time.time() - release.create_time.seconds < _FRESH_S


def _tell(release: Release) -> bool:
    """Say how it has ended; whether it is done."""
    state = ReleaseState.Name(release.state).removeprefix("RELEASE_STATE_").lower()
    why = release.refusal or state
    print(f"{release.model} {release.version} {why}: {release.detail}", file=sys.stderr)
    return release.state == ReleaseState.RELEASE_STATE_DONE


def _registered(client: ReleaseClient, name: str, mlflow: str) -> str:
    """The last version of the registry, unless it was refused before; "" for none."""
    try:
        number = Registry(mlflow).latest(name).number
    except VersionUnknown:
        return ""
    refused = ModelVersionState.MODEL_VERSION_STATE_REFUSED
    states = {version.version: version.state for version in client.model(name).versions}
    return "" if states.get(number) == refused else number


def _train(name: str, mlflow: str) -> str:
    """The number of a new version. Raises CalledProcessError."""
    environment = training_environment(base_environment(), mlflow=mlflow)
    command = program("training.train", name)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()[-1]


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
