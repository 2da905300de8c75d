"""What a version declares of itself, against the contract and what is served beside it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rollout.refusal import Reason, Refused
from triton_repo.config import Manifest

INPUTS = [{"name": "text", "type": "string", "shape": [-1, 1]}]
REQUIRED, OPTIONAL = {"scores", "features"}, {"value"}
TYPE = "float32"


def check_declaration(artifact: Path, *, labels: Sequence[str]) -> None:
    """Check model.json. labels: of the model, as its clients know them. Raises Refused."""
    try:
        declared = json.loads((artifact / "model.json").read_text())
        outputs = {output["name"]: output for output in declared["outputs"]}
        inputs, own_labels = declared["inputs"], list(declared["labels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(Reason.ARTIFACT_CORRUPT, f"model.json cannot be read: {error}") from error
    check_labels(own_labels, list(labels))
    if inputs != INPUTS:
        raise Refused(Reason.INPUT_MISMATCH, f"the inputs are {inputs}, not {INPUTS}")
    _check_outputs(outputs, len(labels))


def check_labels(own: list[str], expected: list[str]) -> None:
    """Check the labels of a version against those that clients know. Raises Refused."""
    if missing := [label for label in expected if label not in own]:
        raise Refused(Reason.LABEL_MISSING, f"there is no label {missing[0]!r}")
    if unknown := [label for label in own if label not in expected]:
        raise Refused(Reason.LABEL_UNKNOWN, f"there is a label {unknown[0]!r}")
    if own != expected:
        raise Refused(Reason.LABEL_ORDER, f"the labels are in the order {', '.join(own)}")


def check_registered_signature(artifact: Path) -> None:
    """Check that MLflow's signature names the outputs that model.json does. Raises Refused."""
    declared = json.loads((artifact / "model.json").read_text())["outputs"]
    meant = {output["name"]: (output["type"], output["shape"]) for output in declared}
    try:
        signature = yaml.safe_load((artifact / "MLmodel").read_text())["signature"]
        registered = {
            output["name"]: (output["tensor-spec"]["dtype"], output["tensor-spec"]["shape"])
            for output in json.loads(signature["outputs"])
        }
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise Refused(Reason.SIGNATURE_MISMATCH, f"MLmodel has no signature: {error}") from error
    if registered != meant:
        raise Refused(
            Reason.SIGNATURE_MISMATCH, f"MLmodel says {registered}, model.json says {meant}"
        )


def check_config(artifact: Path, beside: Sequence[Path]) -> None:
    """Check that it can share one config.pbtxt with these versions. Raises Refused."""
    new = Manifest.read(artifact / "model.json")
    for version in beside:
        present = Manifest.read(version / "model.json")
        if present.outputs != new.outputs:  # each may have labels of its own
            raise Refused(
                Reason.CONFIG_MISMATCH,
                f"its outputs are {', '.join(new.outputs)}, those of version {version.name}"
                f" {', '.join(present.outputs)}",
            )


def _check_outputs(outputs: Mapping[str, Any], labels: int) -> None:
    if missing := sorted(REQUIRED - outputs.keys()):
        raise Refused(Reason.OUTPUT_NAME, f"there is no output {missing[0]!r}")
    if unknown := sorted(outputs.keys() - REQUIRED - OPTIONAL):
        raise Refused(Reason.OUTPUT_NAME, f"there is an output {unknown[0]!r}")
    expected = {"scores": labels, "value": 1}
    for name, output in outputs.items():
        if output.get("type") != TYPE:
            raise Refused(Reason.OUTPUT_TYPE, f"{name} is {output.get('type')}, not {TYPE}")
        shape = output.get("shape")
        size = expected.get(name, shape[1] if isinstance(shape, list) and len(shape) > 1 else 1)
        if shape != [-1, size] or not isinstance(size, int) or size < 1:
            raise Refused(Reason.OUTPUT_SHAPE, f"{name} is {shape}, not [-1, {size}]")
