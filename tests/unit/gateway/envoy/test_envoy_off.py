"""What nobody asked for is not in Envoy's configuration, and costs nothing."""

import json

import pytest

from gateway.envoy.access_log import NOTE_STATUS
from gateway.envoy.collector import EnvoyTraces, read_envoy_traces
from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from gateway.envoy.tracing import SPAN_HEADER

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def test_without_an_endpoint_and_a_file_there_are_no_spans_and_no_log() -> None:
    told = json.dumps(bootstrap(Front(), traces=read_envoy_traces({})))
    for word in ("opentelemetry", SPAN_HEADER, "clusters", "decorator", "runtime"):
        assert word not in told
    for word in ("access_loggers.file", NOTE_STATUS, "match_incoming_request_route"):
        assert word not in told


@pytest.mark.parametrize("off", [{}, {**ENDPOINT, "OTEL_SDK_DISABLED": "true"}])
def test_there_is_nowhere_to_send_spans_to(off: dict[str, str]) -> None:
    assert read_envoy_traces(off) is None


def test_with_an_endpoint_the_sampler_is_that_of_the_settings() -> None:
    traces = EnvoyTraces(base="http://collector:4318", sampler="traceidratio", ratio=0.25)
    told = json.dumps(bootstrap(Front(), traces=traces))
    assert '{"numerator": 250000, "denominator": "MILLION"}' in told
    assert "parent_based" not in told
