"""Measures the encoder on a graphics card: `python -m benchmarks.card`; with --device cpu, without.

It is trained there, laid into a repository of the real Triton, and asked: whether it answers as on
the CPU, and how many texts a second it takes by batch size, beside a bare loop of the same model in
this process. Needs the packages of the `rollout` and `train` extras but neither stack nor MLflow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from benchmarks.bootstrap import INTERVAL, draws
from inference.blocking import is_live, stub
from inference.tensors import FloatArray, infer_request, read_outputs
from modelkit.abstract_model import AbstractModel
from modelkit.artifact import digest, model_class, model_directory, write_artifact
from modelkit.dataset import read_examples
from pmesh.stack import tritonserver
from triton_repo.writer import write_version

MODEL, VARIANT, VERSION = "sentiment", "encoder", "1"
BATCH_SIZES = (1, 8, 32, 128)
IN_FLIGHT = 4
"""Requests at once, so that Triton has the next batch when it has done one."""
PAIRS, TURN_S = 8, 1.0
START_S = 300.0
TOLERANCE = 1e-4
"""Of a score; sums of 32-bit floats in another order differ by some 1e-6."""

tables = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
messages = Console(stderr=True, highlight=False)


def main() -> None:
    """Train, compare, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.card", description=__doc__)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    device = parser.parse_args().device
    import torch

    if device == "gpu" and not torch.cuda.is_available():
        sys.exit("there is no card here that torch sees; --device cpu shows that it runs")
    name = torch.cuda.get_device_name() if device == "gpu" else "CPU"
    tables.print(f"{name}; torch {torch.__version__}")
    examples = read_examples(sorted((model_directory(MODEL) / "data").glob("*.tsv")))
    texts = [example.text for example in examples]
    model = model_class(MODEL, VARIANT)(device="cuda" if device == "gpu" else "cpu")
    with messages.status("training"):
        begun = time.perf_counter()
        model.train(examples, seed=0, progress=lambda _: None)
    tables.print(f"trained on {len(texts)} texts in {time.perf_counter() - begun:.1f} s")
    with tempfile.TemporaryDirectory(prefix="card-") as scratch:
        _measure(model, texts, device, Path(scratch))


def _measure(model: AbstractModel, texts: list[str], device: str, scratch: Path) -> None:
    artifact = scratch / "artifact"
    write_artifact(model, artifact)
    write_version(
        scratch / "repository", MODEL, VERSION, artifact, sha256=digest(artifact), device=device
    )
    on_cpu = type(model).load(artifact)
    with messages.status("Triton starts"), _triton(scratch) as address, stub(address) as server:
        _check(on_cpu, server, texts)
        rows = Table("batch", "Triton, texts/s", "bare torch, texts/s", "ratio", "95 %", box=None)
        for size in BATCH_SIZES:
            batch = [texts[i % len(texts)] for i in range(size)]
            ask, predict = partial(_ask, server, batch), partial(model.predict, batch)
            rates = np.array([(_rate(ask, IN_FLIGHT), _rate(predict, 1)) for _ in range(PAIRS)])
            ratios = rates[:, 0] / rates[:, 1]
            low, high = np.percentile(np.median(ratios[draws(PAIRS)], axis=1), INTERVAL)
            triton, bare = np.median(rates, axis=0) * size
            rows.add_row(
                *(str(size), f"{triton:,.0f}", f"{bare:,.0f}"),
                *(f"{np.median(ratios):.2f}", f"{low:.2f} to {high:.2f}"),
            )
    tables.print(rows)


def _check(on_cpu: AbstractModel, server: GRPCInferenceServiceStub, texts: list[str]) -> None:
    """Compare Triton's answers with those of the same weights on the CPU, in this process."""
    furthest = 0.0
    for start in range(0, len(texts), max(BATCH_SIZES)):
        batch = texts[start : start + max(BATCH_SIZES)]
        right, answer = on_cpu.predict(batch).scores, _ask(server, batch)
        furthest = max(furthest, float(np.abs(right - answer).max()))
        if (right.argmax(axis=1) != answer.argmax(axis=1)).any() or furthest > TOLERANCE:
            sys.exit(f"Triton answers otherwise than the CPU: scores differ by {furthest}")
    tables.print(f"{len(texts)} answers as on the CPU: scores differ by {furthest:.1e} at most")


def _ask(server: GRPCInferenceServiceStub, batch: Sequence[str]) -> "FloatArray":
    request = infer_request(MODEL, VERSION, batch, ("scores",))
    return read_outputs(server.ModelInfer(request, timeout=START_S))["scores"]


def _rate(call: Callable[[], object], in_flight: int) -> float:
    """Calls a second, from so many threads, after a quarter of a turn to warm up."""

    def turn(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            call()
            count += 1
        return count

    with ThreadPoolExecutor(in_flight) as pool:
        for seconds in (TURN_S / 4, TURN_S):
            begun = time.perf_counter()
            done = sum(pool.map(turn, [begun + seconds] * in_flight))
            elapsed = time.perf_counter() - begun
    return done / elapsed


@contextmanager
def _triton(scratch: Path) -> Iterator[str]:
    """The address of a server with the model, once that is loaded."""
    tritonserver.prepare_backends(scratch / "backends")
    command = tritonserver.command(
        repository=scratch / "repository",
        backends=scratch / "backends",
        sockets=scratch,
        metrics_port=0,
        memory_prefix=f"{scratch.name}-",
        key="card",
    )
    address, log = tritonserver.address(scratch), scratch / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=tritonserver.environment(os.environ), stdout=output, stderr=output
        ) as process,
    ):
        try:
            until = time.monotonic() + START_S
            while not is_live(address):
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"Triton does not start:\n{log.read_text()}")
                time.sleep(0.5)
            yield address
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
