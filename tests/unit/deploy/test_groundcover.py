"""The values for Groundcover's chart, held against the keys that it documents."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
VALUES = yaml.safe_load((ROOT / "deploy/groundcover/values.yaml").read_text())
DOCUMENTED = yaml.safe_load((Path(__file__).parent / "groundcover.yaml").read_text())


def unknown(values: Mapping[str, Any], keys: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """What is set and no key, and what is a section on one side only."""
    for key, value in values.items():
        if key not in keys or isinstance(value, dict) != isinstance(keys[key], dict):
            yield f"{path}{key}"
        elif isinstance(value, dict):
            yield from unknown(value, keys[key], f"{path}{key}.")


def test_every_value_is_a_key_that_the_chart_documents() -> None:
    assert list(unknown(VALUES, DOCUMENTED)) == []


def test_a_typing_error_would_be_seen() -> None:
    direct = {"agent": {"sensor": {"apmIngestor": {"otel": {"direct": {"samplingRatios": 1}}}}}}
    assert list(unknown({"clusterID": "a"} | direct, DOCUMENTED)) == [
        "clusterID",
        "agent.sensor.apmIngestor.otel.direct.samplingRatios",
    ]


def test_what_is_left_out_is_what_the_page_says_of_the_default() -> None:
    """The scraper is off."""
    sensor = DOCUMENTED["agent"]["sensor"]
    assert sensor["receivers"]["metricsscraper"] == {"enabled": False}


def test_the_sensor_takes_all_spans_where_proxies_send_theirs_and_programs_by_http() -> None:
    direct = VALUES["agent"]["sensor"]["apmIngestor"]["otel"]["direct"]
    assert direct["samplingRatio"] == 1
    assert direct["otlp"]["enabled"]
    mesh = yaml.safe_load((ROOT / "istio/mesh-config.yaml").read_text())["meshConfig"]
    proxies = mesh["extensionProviders"][0]["opentelemetry"]
    assert proxies["port"] == direct["otlp"]["grpcPort"]
    assert direct["otlp"]["httpPort"] == 4318


def test_the_token_is_named_and_is_not_there() -> None:
    assert "groundcover_token" not in VALUES["global"]
    assert VALUES["global"]["groundcoverPredefinedTokenSecret"]["secretName"]
