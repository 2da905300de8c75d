"""Runs an artifact with its own code; isolation.py starts it.

    python -P replay.py ARTIFACT RESULTS < texts.json

Reads a JSON list of texts. Writes into the folder RESULTS either predictions.npz (scores,
features, value if there is one, load_s, predict_s) or error.json (kind, message). Of this
project's code it uses loading.py beside it, and what lies in the artifact.
"""

import json
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

BATCH_SIZE = 256  # MAX_BATCH_TEXTS of contract/limits.py, which cannot be imported here
LOAD, PREDICT = "did not load", "failed"
LOADING = Path(__file__).with_name("loading.py")


def main() -> None:
    """Load, predict, write."""
    artifact, results = map(Path, sys.argv[1:])
    texts = json.load(sys.stdin)
    started = time.perf_counter()
    with _reported(results, LOAD):
        load_model = runpy.run_path(str(LOADING))["load_model"]
        model = load_model(artifact)
    loaded = time.perf_counter()
    with _reported(results, PREDICT, with_message=False):  # it may quote a text
        outputs = _predict(model, texts)
    ended = time.perf_counter()
    np.savez(
        results / "predictions.npz", **outputs, load_s=loaded - started, predict_s=ended - loaded
    )


def _predict(model: Any, texts: Sequence[str]) -> dict[str, Any]:
    batches = [
        model.predict(texts[start : start + BATCH_SIZE])
        for start in range(0, len(texts), BATCH_SIZE)
    ]
    names = ["scores", "features"] + ["value"] * (batches[0].value is not None)
    return {name: np.concatenate([getattr(b, name) for b in batches]) for name in names}


@contextmanager
def _reported(results: Path, kind: str, *, with_message: bool = True) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        message = f"{type(exc).__name__}: {exc}" if with_message else type(exc).__name__
        (results / "error.json").write_text(json.dumps({"kind": kind, "message": message}))
        sys.exit(1)


if __name__ == "__main__":
    main()
