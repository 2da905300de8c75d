"""OpenTelemetry's variables, as every program reads them."""

import logging

import pytest

from gateway.envoy.collector import collector_service, read_envoy_traces
from telemetry.settings import read_traces

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
SECRET = "hunter2"  # noqa: S105


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (HEADERS, f"authorization: Bearer {SECRET}"),
        (HEADERS, f"a=b,{SECRET}"),
        (HEADERS, f"=Bearer {SECRET}"),
        (HEADERS, f"a={SECRET};b=c"),
        (HEADERS, f"a={SECRET}%0d%0ab: c"),
        (HEADERS, f"a%0a={SECRET}"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", SECRET),
        (ENDPOINT, f"https://user:{SECRET}@collector:4318"),
        (ENDPOINT, f"user:{SECRET}@collector:4318"),
        (ENDPOINT, f"https://collector:{SECRET}"),
        (ENDPOINT, f"https://collector:65536/{SECRET}"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"grpc://{SECRET}"),
    ],
)
def test_what_may_be_a_secret_is_refused_by_its_variable_alone(
    variable: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match=variable) as refused:
        read_traces({variable: value})
    assert SECRET not in str(refused.value)
    assert not caplog.records


def test_headers_are_as_the_sdk_reads_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    traces = read_envoy_traces(
        {
            ENDPOINT: "https://[::1]:4318/otlp",
            HEADERS: "Authorization=Bearer%20a==, x-percent = 100% ,x-empty=,",
        }
    )
    assert traces is not None
    added = collector_service(traces)["request_headers_to_add"]
    assert {one["header"]["key"]: one["header"]["value"] for one in added} == {
        "authorization": "Bearer a==",
        "x-percent": "100%%",
        "x-empty": "",
    }
    assert not caplog.records


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "br"),
    ],
)
def test_what_the_sdk_reads_itself_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        read_traces({variable: value})


def test_a_timeout_is_of_seconds_and_may_be_what_others_mean_by_milliseconds() -> None:
    said = {"OTEL_EXPORTER_OTLP_TIMEOUT": "10000", ENDPOINT: "http://collector:4318"}
    traces = read_envoy_traces(said)
    assert traces is not None
    assert collector_service(traces)["http_uri"]["timeout"] == "10000.000000s"
    traces = read_envoy_traces({**said, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.5"})
    assert traces is not None
    assert collector_service(traces)["http_uri"]["timeout"] == "0.500000s"
