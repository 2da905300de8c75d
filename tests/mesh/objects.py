"""The objects of istio/, as they are; a test has its own keys where the issuer's are outside."""

import json
from collections.abc import Iterable

import yaml

from tests.mesh.api_server import Object
from tests.mesh.rig import ROOT
from tests.mesh.tokens import JWKS
from tests.parts.istio_policies import read_objects


def of_the_mesh() -> list[Object]:
    """All of them. The gateway knows tokens of tests/mesh/tokens.py."""
    return [
        _with_keys(one) for one in read_objects(ROOT / "istio") if one["kind"] != "Kustomization"
    ]


def namespaces(objects: Iterable[Object]) -> list[Object]:
    """Those that these are in."""
    names = sorted({one["metadata"]["namespace"] for one in objects})
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]


def mesh_settings() -> Object:
    """The values of Istio's chart `istiod`: meshConfig, env."""
    return dict(yaml.safe_load((ROOT / "istio" / "mesh-config.yaml").read_text()))


def _with_keys(one: Object) -> Object:
    if one["kind"] != "RequestAuthentication":
        return one
    (rule,) = one["spec"]["jwtRules"]
    own = {**rule, "jwks": json.dumps(JWKS)}
    del own["jwksUri"]
    return {**one, "spec": {**one["spec"], "jwtRules": [own]}}
