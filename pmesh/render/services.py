"""istio/services.yaml: who may call whom inside the mesh, and who may call out of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelkit.sections import section, texts
from modelkit.strict_yaml import read_yaml

OUTSIDE = ("sns", "sqs", "s3", "sts", "issuer", "alerts")
"""What there is outside; mesh.yaml says at which hosts."""
DATABASE = "database"
"""What is outside where mesh.yaml says so, and else POSTGRES."""
PROGRAMS = {
    "predict-mesh": ("gateway", "relay", "rollout", "monitoring", "training", "provision"),
    "model-*": ("triton", "worker"),
    "infra": ("postgres",),
    "mlflow": ("mlflow",),
    "annotation": ("annotation", "label-studio"),
}
"""Of the charts, by namespace: what there is a service or an account of."""
_NAME = re.compile(r"(model-\*|[a-z0-9-]+)/[a-z0-9-]+")
_RPC = re.compile(r"/[\w.]+/\w+")
_OF_A_MODEL, _EACH_MODEL = "model-", "model-*"


class InvalidServices(ValueError):
    """A services.yaml that cannot be used. The message names it and says why."""


@dataclass(frozen=True, order=True, slots=True)
class Name:
    """Of a service or of who calls: a namespace, and in it a service or a service account."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def principal(self) -> str:
        """As a certificate of the mesh says who calls."""
        return f"cluster.local/ns/{self.namespace}/sa/{self.name}"

    @property
    def host(self) -> str:
        """At which the service is reached."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"


POSTGRES = Name("infra", "postgres")


@dataclass(frozen=True, slots=True)
class Rule:
    """Who is let in at a port of a service."""

    port: int
    callers: Sequence[Name]
    rpcs: Sequence[str]
    """Their paths; none: all that is spoken there."""


@dataclass(frozen=True, slots=True)
class Services:
    """The table, with the namespaces of these models."""

    rules: Mapping[Name, Sequence[Rule]]
    """Of each service."""
    outside: Mapping[str, Sequence[Name]]
    """Of each of OUTSIDE, who may call it."""

    def with_database_outside(self) -> "Services":
        """The same for a PostgreSQL that is no service of the mesh."""
        return Services(
            rules={name: rules for name, rules in self.rules.items() if name != POSTGRES},
            outside={**self.outside, DATABASE: self.callers(POSTGRES)},
        )

    def callers(self, service: Name) -> Sequence[Name]:
        """Who may call a service, at any of its ports."""
        return [caller for rule in self.rules.get(service, ()) for caller in rule.callers]

    def called_by(self, caller: Name) -> Sequence[Name]:
        """The services that it may call."""
        return sorted(service for service in self.rules if caller in self.callers(service))

    def all_callers(self) -> Sequence[Name]:
        """Who may call anything, here or outside."""
        inside = {caller for service in self.rules for caller in self.callers(service)}
        return sorted(inside.union(*self.outside.values()))


def read_services(file: Path, models: Sequence[str]) -> Services:
    """Read the table. models: their ids; "*" leaves them one for all.

    Raises InvalidServices, OSError.
    """
    try:
        said = dict(section("it", read_yaml(file.read_text(encoding="utf-8"))))
        outside = section("outside", said.pop("outside", {}), OUTSIDE)
        return Services(
            rules={
                Name(namespace, service): list(_rules(f"{namespace}/{service}", ports, own))
                for pattern, ports in said.items()
                for namespace, service, own in _expanded(pattern, models)
            },
            outside={key: _callers(key, outside[key], models) for key in OUTSIDE if key in outside},
        )
    except ValueError as error:
        raise InvalidServices(f"{file}: {error}") from error


def _expanded(pattern: Any, models: Sequence[str]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Namespace and name for each model that it stands for, and the models that callers are of."""
    if not isinstance(pattern, str) or not _NAME.fullmatch(pattern):
        raise ValueError(f"{pattern!r} is no name; write namespace/name")
    namespace, name = pattern.split("/")
    if namespace.startswith(_OF_A_MODEL) and namespace != _EACH_MODEL:
        raise ValueError(f"{pattern}: write {_EACH_MODEL}, which stands for each model's")
    if name not in (programs := PROGRAMS.get(namespace, (name,))):
        raise ValueError(f"{pattern}: {namespace} has {', '.join(programs)}, and no {name}")
    if namespace != _EACH_MODEL:
        yield namespace, name, models
        return
    for model in models:
        yield f"{_OF_A_MODEL}{model}", name, [model]


def _rules(service: str, ports: Any, models: Sequence[str]) -> Iterator[Rule]:
    for port, said in section(service, ports).items():
        where = f"{service}.{port}"
        if type(port) is not int or not 0 < port < 65536:
            raise ValueError(f"{where}: a port is a number of 1 to 65535")
        rule = section(where, said, ("callers", "rpcs", "also"))
        yield _rule(where, port, rule, models)
        also = rule.get("also", [])
        if not isinstance(also, list):
            raise ValueError(f"{where}.also is a list of sections, not {also!r}")
        for one in also:
            keys = ("callers", "rpcs")
            yield _rule(f"{where}.also", port, section(f"{where}.also", one, keys), models)


def _rule(where: str, port: int, said: Mapping[Any, Any], models: Sequence[str]) -> Rule:
    rpcs = texts(f"{where}.rpcs", said.get("rpcs", []))
    for rpc in rpcs:
        if not _RPC.fullmatch(rpc):
            raise ValueError(f"{where}: {rpc!r} is no path of an rpc, such as /package.Service/Rpc")
    return Rule(port, _callers(where, said.get("callers"), models), rpcs)


def _callers(where: str, said: Any, models: Sequence[str]) -> Sequence[Name]:
    if not isinstance(said, list) or not said:
        raise ValueError(f"{where} lacks callers: a list of namespace/account")
    return [
        Name(namespace, name) for caller in said for namespace, name, _ in _expanded(caller, models)
    ]
