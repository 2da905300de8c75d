"""Says whether a Triton has loaded all that is laid for it.

    python -P -m inference.startup HOST:PORT FOLDER

FOLDER is the model's in the repository, and has its name. Until each version in it is loaded, the
command exits with 1 and a line that names those which are not: Triton goes on without what does not
load, and calls itself ready where it has loaded nothing at all. It is asked at the start only: a
release lays a version before it has Triton load it, and meanwhile the others serve.
The key that loads models is in PMESH_TRITON_KEY.
"""

import argparse
import os
import sys
from pathlib import Path

from inference.blocking import InferenceError
from inference.repository import RepositoryApi


def missing(address: str, folder: Path, *, key: str) -> set[str]:
    """The versions in the folder that are not loaded. Raises InferenceError, OSError."""
    laid = {path.name for path in folder.iterdir() if path.name.isdecimal()}
    return laid - RepositoryApi(address, key=key).versions(folder.name)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Whether a Triton has loaded all that is laid.")
    parser.add_argument("address", help="host:port of its gRPC")
    parser.add_argument("folder", type=Path, help="of the model in its repository")
    arguments = parser.parse_args()
    address, folder = arguments.address, arguments.folder
    try:
        found = missing(address, folder, key=os.environ.get("PMESH_TRITON_KEY", ""))
    except InferenceError as error:
        sys.exit(f"{address} does not answer: {error}")
    except OSError as error:
        sys.exit(f"{folder}: {error.strerror}")
    if found:
        sys.exit(
            "not loaded: " + ", ".join(f"{folder.name}@{version}" for version in sorted(found))
        )


if __name__ == "__main__":
    main()
