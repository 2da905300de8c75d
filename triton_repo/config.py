"""Renders config.pbtxt, which tells Triton a model's inputs, outputs and batching."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MAX_BATCH_SIZE = 256

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
parameters {{ key: "labels" value {{ string_value: {labels} }} }}
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

    The length of the features is left open, since it may differ between versions.
    device: "cpu" or "gpu", where its processes compute.
    """
    outputs = [("scores", len(manifest.labels)), ("features", -1)]
    if "value" in manifest.outputs:
        outputs.append(("value", 1))
    return TEMPLATE.format(
        name=name,
        max_batch_size=MAX_BATCH_SIZE,
        device=device.upper(),
        outputs=",\n".join(
            f'  {{ name: "{output}" data_type: TYPE_FP32 dims: [ {size} ] }}'
            for output, size in outputs
        ),
        labels=json.dumps(json.dumps(manifest.labels)),
    )
