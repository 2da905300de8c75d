"""Says whether all that a Triton has loaded is alive: `python -P -m inference.liveness HOST:PORT`.

It exits with 1, and a line that names what is dead, if a version refuses a text that is good:
Triton goes on calling a model ready when the process behind it is dead. One that does not answer in
time may be busy, and is not dead. The key that loads models is in PMESH_TRITON_KEY.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import compress

from inference.blocking import InferenceError, ServerUnavailable, infer
from inference.calls import PROBE_TEXT
from inference.repository import Loaded, RepositoryApi


def dead(address: str, versions: Sequence[Loaded]) -> list[Loaded]:
    """Those whose processes are dead.

    All are asked at once: it takes no longer when many of them are busy than when one is.
    """
    with ThreadPoolExecutor(len(versions) or 1) as askers:
        found = askers.map(partial(_is_dead, address), versions)
    return list(compress(versions, found))


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
        loaded = RepositoryApi(address, key=os.environ.get("PMESH_TRITON_KEY", "")).loaded()
    except InferenceError as error:
        sys.exit(f"{address} does not answer: {error}")
    if found := dead(address, loaded):
        sys.exit("dead: " + ", ".join(f"{model}@{version}" for model, version in found))


if __name__ == "__main__":
    main()
