"""Whether and how a program sends spans, by OpenTelemetry's own variables.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. The SDK's
exporter reads the rest of them itself: headers, certificates, timeouts, compression.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.settings import read, setting
from telemetry.sampling import Sampler

_URL = re.compile(r"https?://[^/\s]+\S*")
_SAMPLERS = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)


def _url(variable: str) -> Any:
    return setting(variable, "", matching=_URL, meaning="the URL of an OTLP receiver by HTTP")


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
    sampler: str = setting("OTEL_TRACES_SAMPLER", "parentbased_always_on", choices=_SAMPLERS)
    """Which traces are recorded; parentbased: whoever calls says it, if he says anything."""
    ratio: float = setting("OTEL_TRACES_SAMPLER_ARG", 1.0, least=0, most=1)
    """Of the samplers that take a share of the traces."""
    disabled: str = setting("OTEL_SDK_DISABLED", "false", choices=("true", "false"))
    slow_s: float = setting("PMESH_TRACES_SLOW_S", 1.0, least=0, most=86400)
    """What takes longer is recorded in any case, and so is what fails."""
    kept_per_s: int = setting("PMESH_TRACES_KEPT_PER_S", 100, least=0, most=100_000)
    """So many of a second at the most, of what is recorded for that only."""

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
