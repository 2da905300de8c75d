"""mesh.yaml: who may call, what for, and how much; models have their own part in values.yaml."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contract.access import ALL_MODELS, AccessPolicy, Permission, policy
from contract.arguments import is_whole
from modelkit.sections import section, texts, whole_number
from modelkit.strict_yaml import read_yaml
from modelkit.values import MOST_TEXTS, ModelEntry

MESH = Path(str(files("models"))).parent / "mesh.yaml"
"""Of the checkout that this runs from."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z)(?!.*\.svc\Z)({_LABEL}\.)+(?![0-9]){_LABEL}")
"""The whole name of a host, in lower case and with a dot; no address."""
# No "*" and no "/": Istio would take a name with one for a pattern.
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}")
_CLAIM = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
# In its other partitions AWS has hosts of other names, and regions such as eu-isoe-west-1.
_REGION = re.compile(r"([a-z]{2}|us-gov)-[a-z]+-[0-9]")
_BUS_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,31}")
"""SQS takes names of 80 characters: with that of a model, and "-dead"."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_BUCKETS = ("features", "artifacts", "backups")
_ORIGIN = re.compile(r"https?://[^/?#@]+")
OF_THE_CLUSTER = ".svc.cluster.local"
"""How the names of a cluster's services end."""


class InvalidMesh(ValueError):
    """A mesh.yaml that cannot be used. The message names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What is called outside the cluster, beside the issuer; by HTTPS, but for the database."""

    region: str
    """Of SNS, SQS and S3."""
    bus_prefix: str
    """How the names of the topic and of the queues start."""
    buckets: Mapping[str, str]
    """Of features, of MLflow's artifacts, and of PostgreSQL's backups."""
    alerts: Sequence[str]
    """The hosts of the receivers of alerts."""
    database: tuple[str, int] | None = None
    """The host and port of PostgreSQL; None: it is in the cluster."""
    traces: str = ""
    """The URL at which programs' spans are taken, by OTLP; empty: nowhere."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """What mesh.yaml says."""

    host: str
    """Of the ingress."""
    label_host: str
    """Of Label Studio, there."""
    tokens: Mapping[str, str]
    roles: Mapping[str, Mapping[str, Sequence[str]]]
    limits: Mapping[str, int]
    outside: Outside

    def access(self, models: Sequence[ModelEntry]) -> AccessPolicy:
        """What the gateway is told of it. Raises InvalidMesh for a role on a model that is not."""
        known = {model.id for model in models} | {ALL_MODELS}
        for role, grants in self.roles.items():
            for permission, granted in grants.items():
                if unknown := sorted(set(granted) - known):
                    raise InvalidMesh(
                        f"mesh.yaml: roles.{role}.{permission} has no model {', '.join(unknown)};"
                        f" it may have {', '.join(sorted(known))}"
                    )
        said = {model.id: model.texts_per_second for model in models}
        own = {model: limit for model, limit in said.items() if limit is not None}
        return policy(self.tokens, self.roles, {**self.limits, "models": own})


def read_mesh(file: Path) -> Mesh:
    """Read a mesh.yaml. Raises InvalidMesh, OSError."""
    try:
        keys = ("host", "label_host", "tokens", "roles", "limits", "outside")
        said = _whole("it", read_yaml(file.read_text(encoding="utf-8")), keys)
        if said["label_host"] == said["host"]:
            raise ValueError("label_host is another host than host, which leads to the gateway")
        return Mesh(
            host=_text("host", said["host"], HOST, "a host's name"),
            label_host=_text("label_host", said["label_host"], HOST, "a host's name"),
            tokens=_tokens(said["tokens"]),
            roles={
                _text("roles", role, _ROLE, "the name of a role"): _grants(f"roles.{role}", grants)
                for role, grants in section("roles", said["roles"]).items()
            },
            limits={
                key: whole_number(f"limits.{key}", number, 0, MOST_TEXTS)
                for key, number in section("limits", said["limits"], ("caller", "model")).items()
            },
            outside=_outside(said["outside"]),
        )
    except ValueError as error:
        raise InvalidMesh(f"{file}: {error}") from error


def _tokens(said: Any) -> Mapping[str, str]:
    keys = ("issuer", "audience", "jwks", "roles_claim")
    tokens = _whole("tokens", {"roles_claim": "roles", **section("tokens", said)}, keys)
    for key in ("issuer", "audience"):
        if not isinstance(tokens[key], str) or not tokens[key] or "*" in tokens[key]:
            raise ValueError(f"tokens.{key} is a text without *, not {tokens[key]!r}")
    _text("tokens.roles_claim", tokens["roles_claim"], _CLAIM, "the name of a claim")
    if not _is_https(str(tokens["jwks"])):
        raise ValueError(f"tokens.jwks is an https URL, not {tokens['jwks']!r}")
    return tokens


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https"
            and parts.port != 0
            and bool(HOST.fullmatch(parts.hostname or ""))
        )
    except ValueError:  # of a port that is no number
        return False


def _grants(where: str, said: Any) -> Mapping[str, Sequence[str]]:
    grants = section(where, said, [str(permission) for permission in Permission])
    return {key: texts(f"{where}.{key}", models) for key, models in grants.items()}


def _outside(said: Any) -> Outside:
    keys = ("region", "bus_prefix", "buckets", "alerts", "database", "traces")
    unsaid = {"database": None, "traces": ""}
    outside = _whole("outside", {**unsaid, **section("outside", said)}, keys)
    return Outside(
        region=_text(
            "outside.region",
            outside["region"],
            _REGION,
            "a region of AWS, of its partition aws, aws-cn or aws-us-gov",
        ),
        bus_prefix=_text(
            "outside.bus_prefix",
            outside["bus_prefix"],
            _BUS_PREFIX,
            "1 to 31 letters, digits, _ and -",
        ),
        buckets={
            # A dot in its name is in no certificate of S3.
            key: _text(f"outside.buckets.{key}", bucket, _BUCKET, "a bucket's name, without dots")
            for key, bucket in _whole("outside.buckets", outside["buckets"], _BUCKETS).items()
        },
        alerts=[
            _text("outside.alerts", host, HOST, "a host's name")
            for host in texts("outside.alerts", outside["alerts"])
        ],
        database=_address(outside["database"]),
        traces=_receiver(outside["traces"]),
    )


def _receiver(said: Any) -> str:
    """Spans cross the cluster's border by TLS."""
    if said == "":
        return ""
    url = str(said)
    if not _ORIGIN.fullmatch(url) or not (_is_https(url) or _is_http_inside(url)):
        raise ValueError(
            "outside.traces is https://host:port, or http:// of a host of the cluster, such as"
            f" collector.observability{OF_THE_CLUSTER}, not {said!r}"
        )
    return url


def _is_http_inside(url: str) -> bool:
    return _is_https(url.replace("http://", "https://", 1)) and is_inside(
        urlsplit(url).hostname or ""
    )


def is_inside(host: str) -> bool:
    """Whether it is a service of the cluster, of which the mesh knows by itself."""
    return host.endswith(OF_THE_CLUSTER)


def _address(said: Any) -> tuple[str, int] | None:
    if said is None:
        return None
    try:
        return read_address(str(said))
    except ValueError as error:
        raise ValueError(f"outside.database is host:port, not {said!r}") from error


def read_address(text: str) -> tuple[str, int]:
    """The whole name of a host, and its port. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not HOST.fullmatch(host) or not is_whole(port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not host:port")
    return host, int(port)


def _whole(where: str, said: Any, keys: Sequence[str]) -> Mapping[str, Any]:
    """A section that has all of these keys."""
    whole = section(where, said, keys)
    if missing := [key for key in keys if key not in whole]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return whole


def _text(where: str, said: Any, form: re.Pattern[str], what: str) -> str:
    if not isinstance(said, str) or not form.fullmatch(said):
        raise ValueError(f"{where} is {what}, not {said!r}")
    return said
