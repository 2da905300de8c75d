"""Features in a real S3: what the hours say of them, and what S3's absence costs."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pytest

from bus.aws import CONFIG
from contract.ids import uuid7
from features.parquet import to_parquet
from features.places import object_key, place_prefix
from features.reading import FeatureReader
from monitoring import features as features_module
from monitoring.alerts.store import AlertStore
from monitoring.drift import is_drift
from monitoring.features import Features, open_features
from monitoring.job import run
from monitoring.prometheus import Quality
from monitoring.store import QualityStore
from tests.integration.monitoring.conftest import HOUR, NO_REGISTRY, Monitoring, killed
from tests.parts.observed import MODEL, Observed
from tests.parts.polling import PATIENCE_S
from tests.parts.s3 import BUCKET, KEY, S3, SECRET

WIDTH = 24
FIRST = -30
"""The hour of the version's first answers."""


def client(s3: S3) -> Any:
    return boto3.client(
        "s3",
        config=CONFIG,
        endpoint_url=s3.environment["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def rows(seed: int, count: int, shift: float = 0.0, width: int = WIDTH) -> Any:
    return np.random.default_rng(seed).normal(shift, 1, (count, width)).astype(np.float32)


class Asked:
    """Hours with features of a model, and the job that reads them."""

    def __init__(self, monitoring: Monitoring, s3: S3) -> None:
        self.monitoring = monitoring
        self.s3 = s3
        self.s3_client = client(s3)

    def hour(
        self, hour: int, matrix: Any, *, without: int = 0, version: str = "1", objects: int = 3
    ) -> list[str]:
        """Answers with these features, in a few objects, and some without; the objects' keys."""
        start = self.monitoring.now + hour * HOUR
        keys, uris = [], [""] * without
        for part in np.array_split(matrix, min(objects, len(matrix))):
            file_id = uuid7()
            keys.append(object_key(MODEL, version, file_id))
            body = to_parquet(version, [uuid7() for _ in part], part)
            self.s3_client.put_object(Bucket=BUCKET, Key=keys[-1], Body=body)
            prefix = place_prefix(BUCKET, MODEL, version, file_id)
            uris += [f"{prefix}{row}" for row in range(len(part))]
        self.observe(start, uris, version)
        return keys

    def observe(self, start: datetime, uris: Sequence[str], version: str = "1") -> None:
        self.monitoring.observe(
            [
                Observed(time=start + timedelta(seconds=n), features_uri=uri, version=version)
                for n, uri in enumerate(uris)
            ],
            seed=f"{start} {version}",
        )

    def run(self) -> None:
        with self.monitoring.store() as store, open_features(self.s3_client, BUCKET) as features:
            run(store, NO_REGISTRY, features=features)

    def figures(self, metric: str, version: str = "1") -> dict[int, dict[str, Any]]:
        """By hour."""
        found = self.monitoring.figures(f"metric = '{metric}' AND version = '{version}'")
        return {int(hour): row for (hour, *_), row in found.items()}

    def drifted(self) -> set[int]:
        found = self.figures("features_drift").items()
        return {hour for hour, row in found if is_drift("features_drift", row["low"])}

    def due(self) -> set[str]:
        with self.monitoring.database.connect() as connection:
            marks = connection.execute("SELECT hour FROM monitoring_stale").fetchall()
        return {self.monitoring.name(mark["hour"]) for mark in marks}


@pytest.fixture
def asked(monitoring: Monitoring, s3: S3) -> Asked:
    asked = Asked(monitoring, s3)
    asked.hour(FIRST, rows(0, 1_000))
    return asked


def test_hours_like_the_first_answers_raise_no_alarm_and_others_do(asked: Asked) -> None:
    """Also one of 30 rows, and one."""
    for hour in range(-20, -8):
        asked.hour(hour, rows(hour + 100, 60))
    asked.hour(-8, rows(1, 30))
    asked.hour(-7, rows(2, 1))
    asked.hour(-6, rows(3, 1, shift=50))
    asked.hour(-5, rows(4, 200, shift=1.5))
    asked.run()
    assert asked.figures("features_drift").keys() == {FIRST, *range(-20, -4)}
    assert asked.drifted() == {-5}
    drift = asked.figures("features_drift")[-5]
    assert drift["rows"] == 200
    window = asked.monitoring.window(FIRST, FIRST + 1)
    assert drift["reference"] == f"features of the first answers of version 1, {window}"
    missing = asked.figures("features_missing_share")
    assert {row["value"] for row in missing.values()} == {0}
    assert asked.due() == set()


def test_missing_broken_and_short_features_are_counted(asked: Asked) -> None:
    matrix = rows(5, 40)
    matrix[:3, 4] = np.nan
    matrix[3, 0] = np.inf
    asked.hour(-28, matrix, without=6)
    asked.hour(-27, rows(6, 10, width=WIDTH - 1))
    (broken,) = asked.hour(-26, rows(7, 10), objects=1)
    asked.s3_client.put_object(Bucket=BUCKET, Key=broken, Body=b"no Parquet")
    asked.observe(asked.monitoring.now - 25 * HOUR, [""] * 5)
    start = asked.monitoring.now - 24 * HOUR
    asked.observe(start, ["s3://elsewhere/k#row=0", "file:///etc/passwd", f"s3://{BUCKET}/k#row=x"])
    asked.run()
    missing = asked.figures("features_missing_share")
    assert missing[-28]["value"] == 10 / 46
    assert missing[-28]["rows"] == 46
    assert {missing[hour]["value"] for hour in (-27, -26, -25, -24)} == {1}
    assert asked.figures("features_drift")[-28]["rows"] == 36
    assert asked.figures("features_drift").keys() == {FIRST, -28}
    assert asked.drifted() == set()


def test_without_features_nothing_is_said_of_them(monitoring: Monitoring, s3: S3) -> None:
    asked = Asked(monitoring, s3)
    asked.observe(monitoring.now - 5 * HOUR, [""] * 40)
    asked.run()
    assert not monitoring.figures("metric LIKE 'features%%'")
    assert monitoring.figures("metric = 'volume'")


def test_while_few_have_asked_features_are_compared_with_nothing(
    monitoring: Monitoring, s3: S3
) -> None:
    asked = Asked(monitoring, s3)
    asked.hour(-5, rows(0, 50))
    asked.run()
    assert asked.figures("features_missing_share")[-5]["value"] == 0
    assert not asked.figures("features_drift")


def test_two_versions_are_each_compared_with_their_own(asked: Asked) -> None:
    asked.hour(-20, rows(1, 1_000, shift=3, width=5), version="2")
    asked.hour(-10, rows(2, 100, shift=3, width=5), version="2")
    asked.run()
    found = asked.figures("features_drift", "2")
    assert found.keys() == {-20, -10}
    assert found[-10]["low"] == 0


def test_without_s3_the_other_figures_are_made_and_the_hour_is_due(asked: Asked) -> None:
    asked.hour(-4, rows(1, 50))
    asked.s3.stop()
    try:
        asked.run()
        assert not asked.monitoring.figures("metric LIKE 'features%%'")
        assert asked.figures("volume")[-4]["value"] == 50
        assert asked.due() == {str(FIRST), "-4"}
    finally:
        asked.s3.start()
    asked.run()
    assert asked.figures("features_drift").keys() == {FIRST, -4}
    assert asked.due() == set()
    restated = asked.monitoring.figures()
    asked.monitoring.forget()
    asked.run()
    assert asked.monitoring.figures() == restated


def test_an_object_that_comes_late_is_waited_for_a_day(asked: Asked) -> None:
    young, _ = asked.hour(-4, rows(1, 20), objects=2)
    (old,) = asked.hour(-28, rows(2, 50), objects=1)
    body = asked.s3_client.get_object(Bucket=BUCKET, Key=young)["Body"].read()
    for key in (young, old):
        asked.s3_client.delete_object(Bucket=BUCKET, Key=key)
    asked.run()
    assert asked.due() == {"-4"}
    missing = asked.figures("features_missing_share")
    assert {hour: (row["value"], row["rows"]) for hour, row in missing.items()} == {
        FIRST: (0, 1_000),
        -28: (1, 50),
        -4: (0, 10),  # of those that are there
    }
    asked.s3_client.put_object(Bucket=BUCKET, Key=young, Body=body)
    asked.run()
    assert asked.figures("features_missing_share")[-4]["rows"] == 20
    assert asked.due() == set()


def test_an_hour_that_is_restated_keeps_its_figures_without_s3(asked: Asked) -> None:
    asked.run()
    before = asked.monitoring.figures("metric LIKE 'features%%'")
    with asked.monitoring.store() as store:
        store.mark(MODEL, asked.monitoring.now + FIRST * HOUR)
    asked.s3.stop()
    try:
        asked.run()
    finally:
        asked.s3.start()
    assert asked.monitoring.figures("metric LIKE 'features%%'") == before
    assert asked.due() == set()


@pytest.mark.parametrize(
    ("of", "step", "when", "nth"),
    [
        (FeatureReader, "read", "before", 1),
        (FeatureReader, "read", "after", 2),
        (QualityStore, "set_feature_reference", "before", 1),
        (QualityStore, "set_feature_reference", "after", 1),
        (Features, "of_hour", "after", 2),
    ],
)
def test_a_job_that_is_killed_while_it_reads_features_leaves_what_one_run_makes(
    asked: Asked, of: type, step: str, when: str, nth: int
) -> None:
    asked.hour(-5, rows(4, 200, shift=1.5))
    asked.hour(-4, rows(5, 60), without=6)
    asked.monitoring.variables |= {
        "PMESH_FEATURES_BUCKET": BUCKET,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        **asked.s3.environment,
    }
    process = asked.monitoring.process(killed(of, step, when, nth))
    said, _ = process.communicate(timeout=100)
    assert process.returncode == -9, said
    asked.run()
    found = asked.monitoring.figures()
    assert asked.figures("features_drift").keys() == {FIRST, -5, -4}
    assert asked.due() == set()
    asked.monitoring.forget()
    asked.run()
    assert asked.monitoring.figures() == found


def test_rules_watch_features_and_prometheus_is_told_of_them(asked: Asked) -> None:
    drift = {"name": "features-drift", "metric": "features_drift", "above": 0.1}
    missing = {"name": "features-missing", "metric": "features_missing_share", "above": 0.1}
    asked.monitoring.rules(drift, missing)
    asked.hour(-2, rows(1, 60))
    asked.run()
    assert asked.monitoring.alerts() == []
    asked.hour(-1, rows(4, 200, shift=1.5), without=100)
    asked.run()
    fired = {alert["rule"]: alert for alert in asked.monitoring.alerts()}
    assert fired.keys() == {"features-drift", "features-missing"}
    assert {alert["hour"] for alert in fired.values()} == {"-1"}
    assert fired["features-missing"]["value"] == pytest.approx(1 / 3)
    assert fired["features-drift"]["reference"].startswith("features of the first answers")
    quality = Quality()
    with asked.monitoring.store() as store:
        quality.read(store, AlertStore(store.connection).rules())
    told = {
        sample.labels["metric"]: sample.value
        for family in quality.collect()
        if family.name == "pmesh_quality_low"
        for sample in family.samples
    }
    assert told["features_drift"] == fired["features-drift"]["low"]
    assert told["features_missing_share"] == fired["features-missing"]["low"]


def test_what_is_read_is_bounded(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "MAX_OBJECTS", 4)
    monkeypatch.setattr(features_module, "SAMPLE", 100)
    asked.hour(-4, rows(1, 400), objects=40)
    asked.run()
    missing = asked.figures("features_missing_share")[-4]
    assert missing["value"] == 0
    assert 4 <= missing["rows"] < 40


@pytest.fixture
def reader(s3: S3) -> Iterator[FeatureReader]:
    with ThreadPoolExecutor(2) as executor:
        yield FeatureReader(client=client(s3), bucket=BUCKET, executor=executor)


class Slow:
    """S3, but that one object comes after all others; what is held of those then."""

    def __init__(self, s3: S3, last: str, others: int) -> None:
        self._client = client(s3)
        self._last = last
        self._others = threading.Semaphore(0)
        self._number = others
        self.held = 0

    def get_object(self, Bucket: str, Key: str) -> Any:
        if Key == self._last:
            for _ in range(self._number):
                assert self._others.acquire(timeout=PATIENCE_S)
            self.held = pa.total_allocated_bytes()
        else:
            self._others.release()
        return self._client.get_object(Bucket=Bucket, Key=Key)


def test_objects_are_held_one_for_each_thread(asked: Asked, s3: S3) -> None:
    matrix = rows(9, 8_000, width=256)
    keys = asked.hour(-3, matrix, objects=16)
    slow = Slow(s3, keys[0], others=len(keys) - 1)
    with ThreadPoolExecutor(2) as executor:
        reader = FeatureReader(client=slow, bucket=BUCKET, executor=executor)
        before = pa.total_allocated_bytes()
        found = reader.read(f"s3://{BUCKET}/{key}#row=7" for key in keys)
    assert [row.tolist() for row in found.values() if row is not None] == matrix[7::500].tolist()
    assert slow.held - before < 3 * matrix.nbytes / len(keys)


def test_rows_that_are_not_there_are_none(asked: Asked, reader: FeatureReader) -> None:
    matrix = rows(9, 4)
    (key,) = asked.hour(-3, matrix, objects=1)
    uris = [f"s3://{BUCKET}/{key}#row={row}" for row in (0, 3, 4)]
    found = reader.read([*uris, "nowhere"])
    first, last, beyond = (found[uri] for uri in uris)
    assert first is not None
    assert last is not None
    assert (first.tolist(), last.tolist()) == (matrix[0].tolist(), matrix[3].tolist())
    assert beyond is None
    assert found["nowhere"] is None
