"""mesh.yaml: who may call, what for, and how much; models have their own part in values.yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from contract.access import AccessPolicy, policy
from modelkit.values import ModelEntry

MESH = Path(str(files("models"))).parent / "mesh.yaml"
"""Of the checkout that this runs from."""


class InvalidMesh(ValueError):
    """A mesh.yaml that cannot be used. The message names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """What mesh.yaml says."""

    host: str
    """Of the ingress."""
    tokens: Mapping[str, str]
    roles: Mapping[str, Mapping[str, Sequence[str]]]
    limits: Mapping[str, int]

    def access(self, models: Sequence[ModelEntry]) -> AccessPolicy:
        """What the gateway is told of it. Raises InvalidMesh for a role on a model that is not."""
        known = {model.id for model in models} | {"*"}
        for role, grants in self.roles.items():
            for permission, granted in grants.items():
                if unknown := sorted(set(granted) - known):
                    raise InvalidMesh(f"role {role} gives {permission} for no model: {unknown}")
        own = {model.id: model.texts_per_second for model in models if model.texts_per_second}
        try:
            return policy(self.tokens, self.roles, {**self.limits, "models": own})
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidMesh(f"mesh.yaml: {error}") from error


def read_mesh(file: Path) -> Mesh:
    """Read a mesh.yaml. Raises InvalidMesh, OSError."""
    try:
        said: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Mesh(**said)
    except (TypeError, ValueError, yaml.YAMLError) as error:
        raise InvalidMesh(f"{file}: {error}") from error
