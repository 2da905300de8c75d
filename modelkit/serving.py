"""The section `serving` of a model's values.yaml: what serves it in the cluster.

serving:                       # each may be left out; here with what it is then
  device: cpu                  # or gpu, for all Tritons
  tritons: {least: 1, most: 4}
  workers: {least: 0, most: 8} # of the queue; by its depth and age
  canary: 0                    # percent of calls for the Tritons of the next image; 0: none are
  versions: {}                 # those with Tritons of their own, as {"12": {device: gpu}}
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from contract.version_name import VERSION
from modelkit.sections import section, whole_number

Device = Literal["cpu", "gpu"]
MOST = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many there are: what autoscaling stays between."""

    least: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterServing:
    """What serves a model in the cluster."""

    device: Device = "cpu"
    tritons: Bounds = Bounds(1, 4)
    """Of each track, and of each version that has its own."""
    workers: Bounds = Bounds(0, 8)
    canary: int = 0
    """Percent of the calls without Tritons of their own that go to those of the next image."""
    versions: Mapping[str, Device] = field(default_factory=dict)
    """Those with Tritons of their own, and what these run on."""


def read_serving(said: Any, *, foreign: Collection[str]) -> ClusterServing:
    """Check the section; None: there is none. foreign: the versions that others answer for.

    Raises ValueError, which names the key.
    """
    keys = ("device", "tritons", "workers", "canary", "versions")
    said = section("serving", {} if said is None else said, keys)
    device = _device("serving.device", said.get("device", "cpu"))
    versions: dict[str, Device] = {}
    for version, own in section("serving.versions", said.get("versions", {})).items():
        where = f"serving.versions.{version}"
        if not VERSION.fullmatch(str(version)):
            raise ValueError(f"{where}: a version is a number")
        if str(version) in foreign:
            raise ValueError(f"{where}: a server of others answers for it, as `versions` says")
        own_device = section(where, own, ("device",)).get("device", device)
        versions[str(version)] = _device(f"{where}.device", own_device)
    return ClusterServing(
        device=device,
        tritons=_replicas("serving.tritons", said, ClusterServing().tritons, least=1),
        workers=_replicas("serving.workers", said, ClusterServing().workers, least=0),
        canary=whole_number("serving.canary", said.get("canary", 0), 0, 99),
        versions=versions,
    )


def _replicas(where: str, said: Mapping[str, Any], default: Bounds, *, least: int) -> Bounds:
    given = section(where, said.get(where.rpartition(".")[2], {}), ("least", "most"))
    low = whole_number(f"{where}.least", given.get("least", default.least), least, MOST)
    high = given.get("most", max(default.most, low))
    return Bounds(low, whole_number(f"{where}.most", high, max(low, 1), MOST))


def _device(where: str, said: Any) -> Device:
    if said not in ("cpu", "gpu"):
        raise ValueError(f"{where} is cpu or gpu, not {said!r}")
    return cast("Device", said)
