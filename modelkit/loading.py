"""Reads a trained model from its folder, with the code that came with it.

It needs the standard library only, since it runs where this project is not installed: it lies
beside Triton's model.py, and in the code of an artifact for MLflow.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def load_model(artifact: Path, *, device: str = "cpu") -> Any:
    """The model of an artifact; see artifact.py for what lies there.

    device: where it computes, as torch names it. Of the same names, the artifact's code is found
    first, unless this process has imported others already. Raises whatever that code raises.
    """
    code = str(artifact / "code")
    if code not in sys.path:
        sys.path.insert(0, code)
    module, _, name = json.loads((artifact / "model.json").read_text())["class"].partition(":")
    return getattr(importlib.import_module(module), name).load(artifact, device=device)
