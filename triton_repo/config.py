"""Renders config.pbtxt, which tells Triton a model's inputs, outputs and batching."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from contract.limits import MAX_BATCH_TEXTS

DEVICES = ("cpu", "gpu", "auto")
"""Where processes compute; auto: on the GPUs of the server, or on its CPU if it has none."""
TEMPLATE = """\
name: "{name}"
backend: "python"
max_batch_size: {max_batch_size}
input [ {{ name: "text" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [
{outputs}
]
version_policy {{ all {{ }} }}
dynamic_batching {{ }}
instance_group [ {{ kind: KIND_{device} count: 1 }} ]
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model declares in its model.json."""

    labels: Sequence[str]
    outputs: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError and ValueError; KeyError if a field is missing."""
        fields = json.loads(path.read_text())
        return cls(
            labels=fields["labels"], outputs=[output["name"] for output in fields["outputs"]]
        )


def render(name: str, manifest: Manifest, *, device: str = "cpu") -> str:
    """The whole text of config.pbtxt, the same for all versions of the model.

    How many scores and features there are is left open: each version has its own.
    device: one of DEVICES.
    """
    outputs = [("scores", "FP32", -1), ("features", "FP32", -1), ("error", "BOOL", 1)]
    if "value" in manifest.outputs:
        outputs.append(("value", "FP32", 1))
    return TEMPLATE.format(
        name=name,
        max_batch_size=MAX_BATCH_TEXTS,
        device=device.upper(),
        outputs=",\n".join(
            f'  {{ name: "{output}" data_type: TYPE_{kind} dims: [ {size} ] }}'
            for output, kind, size in outputs
        ),
    )
