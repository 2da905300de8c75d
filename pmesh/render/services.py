"""istio/services.yaml: who may call whom inside the mesh, and who may call out of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelkit.sections import section, texts
from modelkit.strict_yaml import read_yaml
from pmesh.render.programs import check_port, check_program, check_rpcs

OUTSIDE = ("sns", "sqs", "s3", "sts", "issuer", "alerts", "traces")
"""What there is outside; mesh.yaml says at which hosts."""
DATABASE = "database"
"""What is outside where mesh.yaml says so, and else POSTGRES."""
_NAME = re.compile(r"(model-\*|[a-z0-9-]+)/[a-z0-9-]+")
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
    logins: Mapping[Name, str]
    """What each caller of PostgreSQL connects as."""

    def with_database_outside(self) -> "Services":
        """The same for a PostgreSQL that is no service of the mesh, and calls nothing."""
        outside = {
            what: [caller for caller in callers if caller != POSTGRES]
            for what, callers in self.outside.items()
        }
        return replace(
            self,
            rules={name: rules for name, rules in self.rules.items() if name != POSTGRES},
            outside={**outside, DATABASE: self.callers(POSTGRES)},
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
                Name(namespace, service): list(_rules(pattern, ports, own))
                for pattern, ports in said.items()
                for namespace, service, own in _expanded(pattern, models)
            },
            outside={key: _callers(key, outside[key], models) for key in OUTSIDE if key in outside},
            logins=_logins(said.get(str(POSTGRES), {}), models),
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
    check_program(namespace, name)
    if namespace != _EACH_MODEL:
        yield namespace, name, models
        return
    for model in models:
        yield f"{_OF_A_MODEL}{model}", name, [model]


def _rules(service: str, ports: Any, models: Sequence[str]) -> Iterator[Rule]:
    for port, said in section(service, ports).items():
        where = f"{service}.{port}"
        if type(port) is not int:
            raise ValueError(f"{where}: a port is a number")
        check_port(service, port)
        rule = section(where, said, ("callers", "rpcs", "also"))
        yield _rule(service, port, rule, models)
        also = rule.get("also", [])
        if not isinstance(also, list):
            raise ValueError(f"{where}.also is a list of sections, not {also!r}")
        for one in also:
            keys = ("callers", "rpcs")
            yield _rule(service, port, section(f"{where}.also", one, keys), models)


def _rule(service: str, port: int, said: Mapping[Any, Any], models: Sequence[str]) -> Rule:
    where = f"{service}.{port}"
    rpcs = texts(f"{where}.rpcs", said.get("rpcs", []))
    check_rpcs(service, port, rpcs)
    callers = said.get("callers")
    if service == str(POSTGRES):
        callers = list(_with_logins(where, callers))
    return Rule(port, _callers(where, callers, models), rpcs)


def _callers(where: str, said: Any, models: Sequence[str]) -> Sequence[Name]:
    if not isinstance(said, list) or not said:
        raise ValueError(f"{where} lacks callers: a list of namespace/account")
    return [
        Name(namespace, name) for caller in said for namespace, name, _ in _expanded(caller, models)
    ]


def _with_logins(where: str, said: Any) -> Mapping[str, str]:
    if not isinstance(said, dict) or not all(isinstance(login, str) for login in said.values()):
        raise ValueError(f"{where}.callers says of each namespace/account its login: a text")
    return said


def _logins(ports: Mapping[int, Any], models: Sequence[str]) -> Mapping[Name, str]:
    """Of rules that have been read. A * in a login is the model's id, as in the caller."""
    return {
        Name(namespace, name): login.replace("*", namespace.removeprefix(_OF_A_MODEL))
        for said in ports.values()
        for pattern, login in said["callers"].items()
        for namespace, name, _ in _expanded(pattern, models)
    }
