"""Whether and how a program sends spans, by OpenTelemetry's own variables.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. The SDK's
exporter reads some of them again, and skips what is wrong or names no variable: so all are read
here first.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.settings import read, setting
from telemetry.sampling import Sampler

_PORT = r"(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
_URL = re.compile(rf"https?://([^/?#@:\s\[\]]+|\[[0-9a-fA-F:.]+\])(:{_PORT})?(/\S*)?", re.ASCII)
# As the SDK takes them, less what decodes to a control character.
_HEADER = re.compile(
    r"[!#$&'*+.0-9A-Z^-z|~-]+[ \t]*=([ !#$&-+\-.-:<-\[\]-~]|%(?![01][0-9A-Fa-f]|7[Ff]))*"
)
_SAMPLERS = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)


def _url(variable: str) -> Any:
    return setting(
        variable,
        "",
        matching=_URL,
        meaning="the URL of an OTLP receiver by HTTP, without a login"
        " (that goes into OTEL_EXPORTER_OTLP_HEADERS)",
        secret=True,
    )


def _headers(variable: str) -> Any:
    meaning = "name=value, percent-encoded, with commas between"
    return setting(variable, (), matching=_HEADER, meaning=meaning, secret=True)


def _timeout_s(variable: str, default: float | None) -> Any:
    return setting(variable, default, least=0.001, most=86400)


def _compression(variable: str) -> Any:
    return setting(variable, "none", choices=("none", "gzip", "deflate"))


@dataclass(frozen=True, kw_only=True)
class TraceSettings:
    """Without an endpoint nothing is sent, and nothing is spent."""

    base: str = _url("OTEL_EXPORTER_OTLP_ENDPOINT")
    """Of the receiver, such as http://collector:4318."""
    traces: str = _url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    """Where it takes traces, if not at /v1/traces below that."""
    protocol: str = setting(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", choices=("http/protobuf",)
    )
    """The one that Envoy and Triton speak as well."""
    headers: tuple[str, ...] = _headers("OTEL_EXPORTER_OTLP_HEADERS")
    """To go with spans."""
    traces_headers: tuple[str, ...] = _headers("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
    """These instead."""
    timeout_s: float = _timeout_s("OTEL_EXPORTER_OTLP_TIMEOUT", 10.0)
    """That sending some spans may take. OpenTelemetry counts milliseconds, its SDK for Python
    seconds, and so do all programs here."""
    traces_timeout_s: float | None = _timeout_s("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", None)
    """This instead."""
    compression: str = _compression("OTEL_EXPORTER_OTLP_COMPRESSION")
    """Of what the SDK sends; Envoy packs nothing."""
    traces_compression: str = _compression("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION")
    """This instead."""
    sampler: str = setting("OTEL_TRACES_SAMPLER", "parentbased_always_on", choices=_SAMPLERS)
    """Which traces are recorded; parentbased: whoever calls says it, if he says anything."""
    ratio: float = setting("OTEL_TRACES_SAMPLER_ARG", 1.0, least=0, most=1)
    """Of the samplers that take a share of the traces."""
    disabled: str = setting("OTEL_SDK_DISABLED", "false", choices=("true", "false"))
    slow_s: float = setting("PMESH_TRACES_SLOW_S", 1.0, least=0, most=86400)
    """What takes longer is recorded in any case, and so is what fails."""
    kept_per_s: int = setting("PMESH_TRACES_KEPT_PER_S", 1000, least=0, most=100_000)
    """So many spans of a second at the most, of those that are recorded for that only."""

    @property
    def endpoint(self) -> str:
        """Where traces go; empty: nowhere."""
        if self.disabled == "true":
            return ""
        return self.traces or (f"{self.base.rstrip('/')}/v1/traces" if self.base else "")

    def make_sampler(self) -> Sampler:
        """What decides on a trace that begins here."""
        kind = self.sampler.removeprefix("parentbased_")
        ratio = {"always_on": 1.0, "always_off": 0.0}.get(kind, self.ratio)
        return Sampler(ratio, asks_parent=self.sampler.startswith("parentbased_"))


def read_traces(environ: Mapping[str, str] = os.environ) -> TraceSettings:
    """Raises ValueError, naming the variable."""
    return read(TraceSettings, environ)
