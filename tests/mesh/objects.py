"""The objects of istio/, and what of them cannot be had on one machine as it stands there."""

import json
from functools import cache

import yaml

from tests.mesh.api_server import Object
from tests.mesh.rig import ROOT
from tests.mesh.tokens import JWKS
from tests.parts.istio_policies import read_objects
from tests.parts.mesh_list import mesh_objects

SOON_S = 1


def of_this_checkout() -> list[Object]:
    """All of them, as they are."""
    return read_objects(ROOT / "istio")


@cache
def of_the_mesh() -> list[Object]:
    """All of them, as they are for the tests' own list."""
    return mesh_objects()


def to_run_here() -> list[Object]:
    """All of these but those of one workload: each has a `Sidecar` of its own here (proxy.py).

    The gateway knows tokens of tokens.py, as the issuer's keys are outside.
    """
    return [
        _to_run_here(one)
        for one in of_the_mesh()
        if one["kind"] != "Sidecar" or "workloadSelector" not in one["spec"]
    ]


def named(kind: str, namespace: str, name: str) -> Object:
    """One of them."""
    (found,) = [
        one
        for one in to_run_here()
        if (one["kind"], one["metadata"]) == (kind, {"namespace": namespace, "name": name})
    ]
    return found


def soon(routes: Object) -> Object:
    """With what a test can wait for, in place of each timeout."""
    http = [
        {**one, "timeout": f"{SOON_S}s"} if "timeout" in one else one
        for one in routes["spec"]["http"]
    ]
    return {**routes, "spec": {**routes["spec"], "http": http}}


def visible() -> dict[str, list[str]]:
    """Of each app, as namespace/name, hosts that its `Sidecar` names; default: of all others."""
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": [
            host for to in one["spec"]["egress"] for host in to["hosts"]
        ]
        for one in of_the_mesh()
        if one["kind"] == "Sidecar"
    }


def mesh_settings() -> Object:
    """The values of Istio's chart `istiod`: meshConfig, env."""
    return dict(yaml.safe_load((ROOT / "istio" / "mesh-config.yaml").read_text()))


def _to_run_here(one: Object) -> Object:
    spec = dict(one.get("spec", {}))
    if one["kind"] == "RequestAuthentication":
        spec["jwtRules"] = [_with_keys(rule) for rule in spec["jwtRules"]]
    if one["kind"] == "Telemetry":
        del spec["metrics"]  # by a filter of Istio's own, which stock Envoy lacks
    return {**one, "spec": spec}


def _with_keys(rule: Object) -> Object:
    own = {**rule, "jwks": json.dumps(JWKS)}
    del own["jwksUri"]
    return own
