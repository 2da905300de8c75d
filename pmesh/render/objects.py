"""Objects of Istio as plain data, and files of them as YAML."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Object = Mapping[str, Any]

HEADER = "# Made by `pmesh render`; edits are lost."
ROOT_NAMESPACE = "istio-system"
"""What is there holds for the whole mesh."""


def networking(kind: str, namespace: str, name: str, **spec: Any) -> Object:
    """Of how traffic goes."""
    return _object("networking.istio.io/v1", kind, namespace, name, spec=spec)


def security(kind: str, namespace: str, name: str, **spec: Any) -> Object:
    """Of who may."""
    return _object("security.istio.io/v1", kind, namespace, name, spec=spec)


def service(namespace: str, name: str, **spec: Any) -> Object:
    """One of Kubernetes."""
    return _object("v1", "Service", namespace, name, spec=spec)


def _object(version: str, kind: str, namespace: str, name: str, **rest: Any) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def as_yaml(documents: Sequence[Object], *, comment: str) -> str:
    """A file of these; the comment says what for, in one line."""
    body = yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)
    return f"{HEADER}\n# {comment}\n\n{body}"


class _Plain(yaml.SafeDumper):
    """Writes the same list again where it stands twice: people read it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# So that texts are quoted which only Helm and kubectl take for a number or a truth value.
_Plain.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(0o[0-7_]+|(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?)$"),
    list("-+.0123456789"),
)
_Plain.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))
