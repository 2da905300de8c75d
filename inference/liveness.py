"""Says whether all that a Triton has loaded is alive: `python -P -m inference.liveness HOST:PORT`.

It exits with 1, and a line that names what is dead, if a version refuses a text that is good:
Triton goes on calling a model ready when the process behind it is dead. One that does not answer in
time may be busy, and is not dead. The key that loads models is in PMESH_TRITON_KEY.
"""

import argparse
import os
import sys

from inference.blocking import InferenceError, ServerUnavailable, infer
from inference.calls import PROBE_TEXT
from inference.repository import Loaded, RepositoryApi


def dead(address: str, *, key: str) -> list[Loaded]:
    """The versions whose processes are dead. Raises InferenceError where the server is."""
    return [
        version
        for version in RepositoryApi(address, key=key).loaded()
        if _is_dead(address, version)
    ]


def _is_dead(address: str, version: Loaded) -> bool:
    try:
        infer(address, *version, [PROBE_TEXT])
    except ServerUnavailable:
        return False
    except InferenceError:
        return True
    return False


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Whether all that a Triton has loaded is alive.")
    parser.add_argument("address", help="host:port of its gRPC")
    address = parser.parse_args().address
    try:
        found = dead(address, key=os.environ.get("PMESH_TRITON_KEY", ""))
    except InferenceError as error:
        sys.exit(f"{address} does not answer: {error}")
    if found:
        sys.exit("dead: " + ", ".join(f"{model}@{version}" for model, version in found))


if __name__ == "__main__":
    main()
