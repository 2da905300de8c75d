"""Measures this project beside others: `python -m benchmarks.peers DIRECTORY [ARGUMENT...]`.

DIRECTORY is a benchmark of model servers that takes targets: it has `run.py`, which gets the
further arguments, and `workload.py`.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from predict.v1.prediction_service_pb2 import PredictRequest

from benchmarks.load import missing_tools

TARGETS = ("rest.json", "grpc.json")


def main() -> None:
    """Write the targets for it, and run it."""
    arguments = _parser().parse_args()
    if missing := missing_tools():
        sys.exit("\n".join(missing))
    with tempfile.TemporaryDirectory() as directory:
        for target in TARGETS:
            shutil.copy(Path(__file__).with_name(target), directory)
        Path(directory, "request.bin").write_bytes(_request(arguments.directory))
        targets = [f"--target={Path(directory, target)}" for target in TARGETS]
        command = [sys.executable, str(arguments.directory / "run.py"), *targets]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [*command, *arguments.arguments], env={**os.environ, "PATH": path}, check=False
        )
        sys.exit(done.returncode)


def _request(peers: Path) -> bytes:
    """What h2load sends, which can send one message only: the text of median length."""
    spec = importlib.util.spec_from_file_location("workload", peers / "workload.py")
    if spec is None or spec.loader is None:
        sys.exit(f"there is no benchmark in {peers}")
    workload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(workload)
    texts = sorted(workload.sentences(), key=len)
    return PredictRequest(model="light", text=texts[len(texts) // 2]).SerializeToString()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("directory", type=Path, help="the folder of the benchmark")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for its run.py")
    return parser


if __name__ == "__main__":
    main()
