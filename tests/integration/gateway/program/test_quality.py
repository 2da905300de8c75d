"""What the monitoring job has made, read through both doors of the gateway's program."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1.monitoring_service_pb2 import (
    GetReferenceRequest,
    ListQualityMetricsRequest,
    ListReferencesRequest,
)
from predict.v1.quality_metric_pb2 import QualityMetric

from database.logins import MONITORING
from gateway.pages import encode_token
from gateway.quality import MetricFilter
from monitoring.choice import choose
from monitoring.defaults import Defaults
from monitoring.hours import Window
from monitoring.job import run
from monitoring.store import QualityStore, connect
from tests.integration.gateway.program.running import Running
from tests.parts.catalog import login_conninfo
from tests.parts.doors import Door
from tests.parts.observed import Observed, observe
from tests.parts.refusals import check

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
CHOSEN = f"answers, {Window(NOW - 6 * HOUR, NOW - 5 * HOUR)}"


@pytest.fixture(scope="module", autouse=True)
def hours(gateway: Running) -> None:
    """Of two versions, with labels and tags, made by the job as its own login."""
    with gateway.database.connect() as connection:
        for hour, seed in ((-6, 1), (-3, 2), (-2, 3)):
            rows = [
                Observed(
                    time=NOW + hour * HOUR + timedelta(seconds=n),
                    text=f"text number {n}",
                    label=("positive", "negative", "neutral")[n * seed % 3],
                    confidence=(n + 1) / 60,
                    version=("12", "9")[n % 2],
                    truth=("positive", "negative")[n % 2] if n % 3 else None,
                    tags={"country": "de"} if n % 2 else None,
                )
                for n in range(50)
            ]
            observe(connection, rows, seed=seed)
    with connect(login_conninfo(gateway.database, MONITORING)) as connection:
        store = QualityStore(connection)
        choose(store, "sentiment", Window(NOW - 6 * HOUR, NOW - 5 * HOUR))
        run(store, Defaults(""))


@pytest.fixture(params=["grpc", "rest"])
def door(gateway: Running, request: pytest.FixtureRequest) -> Door:
    found: Door = getattr(gateway, request.param)
    return found


def asked(door: Door, **fields: Any) -> list[QualityMetric]:
    """All pages of a list."""
    return [metric for page in pages(door, **fields) for metric in page]


def pages(door: Door, **fields: Any) -> Iterator[list[QualityMetric]]:
    token, fields = "", {"model": "sentiment", "page_size": 1000, **fields}
    while True:
        request = ListQualityMetricsRequest(page_token=token, **fields)
        message = door.call("ListQualityMetrics", request).message
        yield list(message.quality_metrics)
        if not (token := message.next_page_token):
            return


def stored(gateway: Running, where: str = "slice = ''") -> list[dict[str, Any]]:
    with gateway.database.connect() as connection:
        query = f"SELECT * FROM quality_metrics WHERE {where} ORDER BY hour DESC, version, slice, metric"  # noqa: E501, S608
        rows: list[dict[str, Any]] = connection.execute(query.encode()).fetchall()
    return rows


def as_row(metric: QualityMetric) -> dict[str, Any]:
    return {
        "model": metric.model,
        "version": metric.version,
        "hour": metric.hour.ToDatetime(UTC),
        "slice": metric.slice,
        "metric": metric.metric,
        "value": metric.value,
        "low": metric.low if metric.HasField("low") else None,
        "high": metric.high if metric.HasField("high") else None,
        "rows": metric.rows,
        "reference": metric.reference,
        "computed_at": metric.compute_time.ToDatetime(UTC),
    }


def test_the_figures_are_those_of_the_database_to_the_last_digit(
    gateway: Running, door: Door
) -> None:
    of_all = asked(door)
    assert [as_row(metric) for metric in of_all] == stored(gateway)
    assert {metric.reference for metric in of_all} == {"", CHOSEN}
    assert {"accuracy", "f1_macro", "label_drift", "volume"} <= {m.metric for m in of_all}
    with_slices = asked(door, with_slices=True)
    assert [as_row(metric) for metric in with_slices] == stored(gateway, "true")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"version": "9"}, "slice = '' AND version = '9'"),
        ({"slice": "tag:country=de"}, "slice = 'tag:country=de'"),
        ({"slice": "tag:country=de", "with_slices": True}, "slice = 'tag:country=de'"),
        ({"metric_prefix": "f1"}, "slice = '' AND metric LIKE 'f1%%'"),
        ({"metric_prefix": "%"}, "false"),
        ({"start_time": NOW - 3 * HOUR}, f"slice = '' AND hour >= '{NOW - 3 * HOUR}'"),
        ({"end_time": NOW - 3 * HOUR}, f"slice = '' AND hour < '{NOW - 3 * HOUR}'"),
    ],
)
def test_conditions_choose(
    gateway: Running, door: Door, fields: dict[str, Any], where: str
) -> None:
    for name in ("start_time", "end_time"):
        if name in fields:
            fields = {name: Timestamp(seconds=int(fields[name].timestamp()))}
    found = [as_row(metric) for metric in asked(door, **fields)]
    assert found == stored(gateway, where)
    assert bool(found) is (where != "false")


def test_pages_are_the_whole_list_once(gateway: Running, door: Door) -> None:
    all_pages = list(pages(door, page_size=7, with_slices=True))
    assert {len(page) for page in all_pages[:-1]} == {7}
    found = [as_row(metric) for page in all_pages for metric in page]
    assert found == stored(gateway, "true")


@pytest.mark.parametrize(
    "key", ["", "7", "[]", '["x","1","",""]', "[7,8,9,10]", '["2026-01-01T00:00Z","\\u0000","",""]']
)
def test_a_token_that_is_made_up_is_refused(door: Door, key: str) -> None:
    token = encode_token(key, MetricFilter(model="sentiment"))
    request = ListQualityMetricsRequest(model="sentiment", page_token=token)
    check(door.call("ListQualityMetrics", request), 3, "INVALID_PAGE_TOKEN", "page_token")
    digest = hashlib.sha256(repr(("references", "sentiment")).encode()).digest()[:8]
    token = base64.urlsafe_b64encode(digest + b"1\0").decode()
    references = ListReferencesRequest(model="sentiment", page_token=token)
    check(door.call("ListReferences", references), 3, "INVALID_PAGE_TOKEN", "page_token")


@pytest.mark.parametrize(
    ("fields", "code", "reason", "field"),
    [
        ({"model": "nosuch"}, 5, "MODEL_NOT_FOUND", None),
        ({"model": "No such"}, 3, "INVALID_ID", "model"),
        ({"version": "0"}, 3, "INVALID_ID", "version"),
        ({"page_size": -1}, 3, "OUT_OF_RANGE", "page_size"),
        ({"slice": "x" * 257}, 3, "OUT_OF_RANGE", "slice"),
        ({"metric_prefix": "a\0"}, 3, "TEXT_HAS_NUL", "metric_prefix"),
    ],
)
def test_a_bad_request_is_refused_alike(
    gateway: Running, fields: dict[str, Any], code: int, reason: str, field: str | None
) -> None:
    request = ListQualityMetricsRequest(**{"model": "sentiment", **fields})
    answers = [door.call("ListQualityMetrics", request) for door in (gateway.grpc, gateway.rest)]
    for answer in answers:
        check(answer, code, reason, *([field] if field else []))
    by_grpc, by_rest = (json_format.MessageToDict(answer.status) for answer in answers)
    assert by_grpc == by_rest


def test_a_version_has_the_chosen_reference_before_its_own(gateway: Running, door: Door) -> None:
    gateway.requests.execute(
        "INSERT INTO monitoring_references (model, version, name, rows, profiles)"
        " SELECT 'sentiment', v, 'held-out data', 7, '{}' FROM unnest(%s::text[]) AS v"
        " ON CONFLICT DO NOTHING",
        (["12", "9"],),
    )
    listed, token = [], ""
    for _ in range(3):
        request = ListReferencesRequest(model="sentiment", page_size=1, page_token=token)
        message = door.call("ListReferences", request).message
        listed += message.references
        token = message.next_page_token
    assert token == ""
    assert [(r.version, r.name) for r in listed] == [
        ("", CHOSEN),
        ("9", "held-out data"),
        ("12", "held-out data"),
    ]
    request = GetReferenceRequest(model="sentiment", version="9")
    assert door.call("GetReference", request).message.reference == listed[0]
    assert listed[0].rows == 50
