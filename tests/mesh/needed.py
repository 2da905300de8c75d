"""What pods read that somebody makes by hand, and what the charts' notes say of it."""

import shlex
from collections.abc import Iterator

from tests.mesh.charts import Object, containers

Reference = tuple[str, str, str | None]
"""Kind, name; key, where one is named."""


def references(pod: Object) -> Iterator[Reference]:
    """Of a pod's template."""
    spec = pod["spec"]
    for secret in spec.get("imagePullSecrets", []):
        yield "Secret", secret["name"], None
    for container in containers(pod):
        for variable in container.get("env", []):
            if secret := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield "Secret", secret["name"], secret["key"]
    for volume in spec.get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if claim := source.get("persistentVolumeClaim"):
                yield "PersistentVolumeClaim", claim["claimName"], None
            if secret := source.get("secret"):
                name = secret.get("secretName") or secret["name"]
                for item in secret.get("items", [{"key": "secrets"}]):
                    yield "Secret", name, item["key"]
            if which := source.get("configMap"):
                yield "ConfigMap", which["name"], "ca.crt"


def commands_in(text: str) -> list[str]:
    """What is to be typed, of notes or of install.sh's words."""
    return [line.strip() for line in text.splitlines() if line.startswith("  kubectl ")]


def noted(notes: str) -> set[Reference]:
    """What they say is read."""
    found: set[Reference] = set()
    for command in commands_in(notes):
        match shlex.split(command)[3:]:
            case ["create", "secret", ("docker-registry" | "tls"), name, *_]:
                found.add(("Secret", name, None))
            case ["create", "secret", "generic", name, *keys]:
                found |= {("Secret", name, key.split("=")[1]) for key in keys}
            case ["create", "configmap", name, key]:
                found.add(("ConfigMap", name, key.split("=")[1]))
            case ["get", "persistentvolumeclaim", name]:
                found.add(("PersistentVolumeClaim", name, None))
            case other:
                raise AssertionError(other)
    return found
