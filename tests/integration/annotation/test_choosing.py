"""Which predictions may be sent, and that each is a candidate once; and which must go again."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from annotation.selection import Chosen
from annotation.store import AnnotationStore
from monitoring.drift import THRESHOLDS, is_drift
from tests.integration.annotation.conftest import PROJECT, Record, says
from tests.parts.observed import MODEL, Observed

DAY = timedelta(days=1)


def candidates(store: AnnotationStore, now: datetime, most: int = 100) -> list[str]:
    found = store.candidates(MODEL, now - 2 * DAY, now + DAY, most)
    return [one.prediction_id for one in found]


def test_what_is_unlabelled_finished_and_not_erased_may_be_sent_the_newest_first(
    record: Record, now: datetime
) -> None:
    def at(minutes: int, **fields: object) -> Observed:
        return Observed(time=now - timedelta(minutes=minutes), **fields)  # type: ignore[arg-type]

    old, new, labelled, erased, *_ = record.observe(
        at(9),
        at(2),
        at(3, truth="positive"),
        at(4),
        at(5, state="FAILED", label=None),
        at(6, model="genre"),
        at(60 * 24 * 3),
    )
    record.execute("SELECT gateway_v1.erase(%s)", erased)
    assert candidates(record.store, now) == [new, old]
    assert candidates(record.store, now, most=1) == [new]
    assert labelled not in candidates(record.store, now)


def test_each_is_a_candidate_once_whether_it_was_chosen_or_not(
    record: Record, now: datetime
) -> None:
    first = record.observe(*[Observed(time=now - timedelta(minutes=m)) for m in (3, 2, 1)])
    assert candidates(record.store, now) == first[::-1]
    chosen = [Chosen(first[1], "control", 3)]
    assert record.store.choose(MODEL, PROJECT, chosen, considered=max(first)) == 1
    assert candidates(record.store, now) == []
    (later,) = record.observe(Observed(time=now), seed=1)
    assert candidates(record.store, now) == [later]
    record.store.choose(MODEL, PROJECT, [], considered=min(first))  # it never goes back
    assert candidates(record.store, now) == [later]


def figures() -> Iterator[tuple[str, float]]:
    for metric, threshold in THRESHOLDS.items():
        yield from ((metric, threshold), (metric, threshold + 1e-6))
    yield from (("accuracy", 0.9), ("failure_share", 0.9))


@pytest.mark.parametrize(("metric", "low"), list(figures()))
def test_an_hour_has_drifted_as_monitoring_says(
    record: Record, now: datetime, metric: str, low: float
) -> None:
    record.observe(Observed(time=now))
    record.execute(
        "INSERT INTO quality_metrics (model, version, hour, metric, value, low, high, rows)"
        " VALUES (%s, '1', date_trunc('hour', %s, 'UTC'), %s, 1, %s, 1, 50)",
        *(MODEL, now, metric, low),
    )
    (found,) = record.store.candidates(MODEL, now - DAY, now + DAY, 10)
    assert found.drifted == is_drift(metric, low)


@pytest.mark.parametrize(
    "slice_", ["tag:app=web", "length:0-49", "script:latin", "tag:app=ios", "length:50-199"]
)
def test_of_a_drifted_slice_is_what_is_in_it(record: Record, now: datetime, slice_: str) -> None:
    record.observe(Observed(time=now, text="a text", tags={"app": "web", "day": "1"}))
    record.execute(
        "INSERT INTO quality_metrics (model, version, hour, slice, metric, value, low, high, rows)"
        " VALUES (%s, '1', date_trunc('hour', %s, 'UTC'), %s, 'label_drift', 1, 0.5, 1, 50)",
        *(MODEL, now, slice_),
    )
    (found,) = record.store.candidates(MODEL, now - DAY, now + DAY, 10)
    assert found.drifted == (slice_ in {"tag:app=web", "length:0-49", "script:latin"})


def test_what_is_erased_or_labelled_meanwhile_is_not_chosen(record: Record, now: datetime) -> None:
    erased, labelled, fine = record.observe(*[Observed(time=now)] * 3)
    record.execute("SELECT gateway_v1.erase(%s)", erased)
    record.execute(
        "INSERT INTO labels (prediction_id, model, label, source, label_time)"
        " VALUES (%s, %s, 'positive', 'PERSON', now())",
        *(labelled, MODEL),
    )
    chosen = [Chosen(one, "uncertain", 2) for one in (erased, labelled, fine)]
    assert record.store.choose(MODEL, PROJECT, chosen, considered=fine) == 1
    assert record.states() == {fine: "SENDING"}


def test_of_two_who_send_at_once_each_has_its_own(record: Record, now: datetime) -> None:
    ids = record.observe(*[Observed(time=now, text=f"text {i}") for i in range(5)])
    chosen = [Chosen(one, "control", 1) for one in ids]
    record.store.choose(MODEL, PROJECT, chosen, considered=max(ids))
    first = record.store.begin_sending(PROJECT, age_s=60, most=3)
    second = record.store.begin_sending(PROJECT, age_s=60, most=3)
    assert sorted(one.prediction_id for one in [*first, *second]) == sorted(ids)
    assert not any(one.was_tried for one in [*first, *second])
    assert record.store.begin_sending(PROJECT, age_s=60, most=3) == []
    again = record.store.begin_sending(PROJECT, age_s=0, most=9)
    assert [one.was_tried for one in again] == [True] * 5


def test_what_is_erased_or_old_is_to_be_removed(record: Record, now: datetime) -> None:
    erased, kept, old, unsent, on_its_way = record.observe(
        *[Observed(time=now - timedelta(days=days)) for days in (1, 1, 11, 1, 1)]
    )
    record.sent(erased, kept, old)
    waiting = [Chosen(one, "control", 1) for one in (unsent, on_its_way)]
    record.store.choose(MODEL, PROJECT, waiting, considered=unsent)
    record.execute(
        "UPDATE annotation_tasks SET send_time = now() WHERE prediction_id = %s", on_its_way
    )
    record.execute("UPDATE models SET retention_days = 10")
    record.store.remove_old()
    for one in (erased, unsent, on_its_way):
        record.execute("SELECT gateway_v1.erase(%s)", one)
    assert {one for one, state in record.states().items() if state != "REMOVING"} == {kept}
    due = {one for one, _ in record.store.removing(age_s=60, most=10)}
    assert due == {erased, old, unsent}
    assert record.store.begin_sending(PROJECT, age_s=0, most=9) == []
    assert record.store.take(PROJECT, 1, erased, [says("positive")]) is None
