"""istio/services.yaml, read for what is expected: who is let in where; nobody else is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.mesh.rig import ROOT
from tests.parts import mesh_list

MODELS = [model.id for model in mesh_list.MODELS]


@dataclass(frozen=True)
class Door:
    """A port of a service, or some rpcs at it, and who is let in."""

    service: str
    """As namespace/name."""
    port: int
    rpcs: Sequence[str]
    """None of them named: whatever is spoken there."""
    callers: Sequence[str]
    """As namespace/service account."""

    @property
    def host(self) -> str:
        namespace, name = self.service.split("/")
        return f"{name}.{namespace}.svc.cluster.local"


def outside() -> dict[str, set[str]]:
    """Of each thing that is called outside, by whom, with those of MODELS."""
    table = yaml.safe_load((ROOT / "istio" / "services.yaml").read_text())["outside"]
    return {
        what: {caller.replace("*", model) for caller in callers for model in MODELS}
        for what, callers in table.items()
    }


def doors() -> list[Door]:
    """All, with those of MODELS."""
    table = yaml.safe_load((ROOT / "istio" / "services.yaml").read_text())
    del table["outside"]
    return [door for service, ports in table.items() for door in _doors(service, ports)]


def _doors(service: str, ports: Any) -> Iterator[Door]:
    of_each = service.startswith("model-*/")
    for model in MODELS if of_each else ("",):
        own = [model] if of_each else MODELS
        for port, said in ports.items():
            for rule in (said, *said.get("also", ())):
                callers = [caller.replace("*", one) for caller in rule["callers"] for one in own]
                yield Door(
                    service.replace("*", model),
                    port,
                    rule.get("rpcs", []),
                    list(dict.fromkeys(callers)),
                )
