"""Which predictions may be sent, and that each is a candidate once; and which must go again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from annotation.label_studio import LabelStudio
from annotation.selection import Candidate, Chosen
from annotation.sending import Choice, NothingToSend, choose
from annotation.store import AnnotationStore
from monitoring.drift import THRESHOLDS, is_drift
from tests.integration.annotation.conftest import PROJECT, Record, says
from tests.parts.observed import MODEL, Observed

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


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


def test_no_day_before_the_newest_considered_is_looked_into(record: Record, now: datetime) -> None:
    record.execute("UPDATE models SET retention_days = 30")
    make_days(record, 4)
    where = record.store.unconsidered(MODEL, settle_s=0)
    assert where is not None
    assert where.end - where.start == 30 * DAY
    assert days_opened(record, now - 30 * DAY, now + DAY) >= {1, 2, 3, 4}
    ids = record.observe(*[Observed(time=now - days * DAY) for days in (4, 2, 0)])
    record.store.choose(MODEL, PROJECT, [], considered=ids[1])
    where = record.store.unconsidered(MODEL, settle_s=0)
    assert where is not None
    assert where.newest == ids[1]
    assert timedelta(0) <= now - 2 * DAY - where.start < timedelta(seconds=1)
    assert days_opened(record, now - 30 * DAY, now + DAY) & {1, 2, 3, 4} <= {1, 2}
    found = record.store.candidates(MODEL, now - 30 * DAY, now + DAY, 9)
    assert [one.prediction_id for one in found] == [ids[2]]


def make_days(record: Record, days: int) -> None:
    """Partitions of the days before today."""
    for age in range(1, days + 1):
        for table in ("requests", "predictions"):
            record.execute(
                f"""DO $do$ DECLARE day timestamptz := date_trunc('day', now(), 'UTC'); BEGIN
                day := day - interval '{age} days';
                EXECUTE format('CREATE TABLE {table}_{age} PARTITION OF {table}'
                    ' FOR VALUES FROM (%%L) TO (%%L)',
                    uuid_at(day), uuid_at(day + interval '1 day'));
                END $do$"""
            )


def days_opened(record: Record, start: datetime, end: datetime) -> set[int]:
    """Of those made, by their age, that the search for candidates has PostgreSQL open."""
    with record.store.transaction():
        record.store.candidates(MODEL, start, end, 9)
        rows = record.execute(
            "SELECT DISTINCT substring(relation::regclass::text FROM '^requests_([0-9])$') AS age"
            " FROM pg_locks WHERE locktype = 'relation' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    return {int(row["age"]) for row in rows if row["age"]}


def test_of_two_who_choose_at_once_the_second_has_other_candidates(
    record: Record, now: datetime
) -> None:
    record.observe(*[Observed(time=now - 2 * MINUTE, text=f"text {n}") for n in range(4)])

    class Overtaken(AnnotationStore):
        """Another one chooses between its look and its choice, and then more answers come."""

        is_overtaken = False

        def candidates(self, *given: Any) -> list[Candidate]:
            found = super().candidates(*given)
            if found and not self.is_overtaken:
                self.is_overtaken = True
                choose_all(record.store, count=2)
                record.observe(*[Observed(time=now - MINUTE)] * 3, seed=1)
            return found

    record.store.set_project(MODEL, PROJECT, record.store.labels(MODEL))
    second = Overtaken(record.store._connection)
    made = choose_all(second, count=3)
    assert (made.candidates, second.is_overtaken) == (3, True)
    assert len(record.states()) == 5
    with pytest.raises(NothingToSend):
        choose_all(record.store)


def choose_all(store: AnnotationStore, *, count: int = 99) -> Choice:
    """A push of so many, without its wait."""
    label_studio = LabelStudio("http://127.0.0.1:1", "of nobody")  # it is not asked
    return choose(store, label_studio, MODEL, count=count, control_share=1, seed=1, settle_s=0)


@pytest.mark.parametrize("state", ["ACCEPTED", "RUNNING"])
def test_what_ends_late_is_a_candidate_as_what_came_after_it(
    record: Record, now: datetime, state: str
) -> None:
    def at(minutes: int, **fields: Any) -> Observed:
        return Observed(time=now - minutes * MINUTE, **fields)

    record.store.set_project(MODEL, PROJECT, record.store.labels(MODEL))
    first, late, later, *_ = record.observe(
        at(4), at(3, state=state, label=None), at(2), at(5, model="genre", state=state, label=None)
    )
    assert choose_all(record.store).candidates == 1
    assert record.states().keys() == {first}
    with pytest.raises(NothingToSend, match="unfinished"):
        choose_all(record.store)
    record.execute("UPDATE requests SET state = 'SUCCEEDED' WHERE id = %s", late)
    record.execute(
        "INSERT INTO predictions (id, label, confidence, scores) VALUES (%s, 'positive', 1, '{}')",
        late,
    )
    assert choose_all(record.store).candidates == 2
    assert record.states().keys() == {first, late, later}


def test_what_is_unfinished_before_the_candidates_of_before_holds_up_nothing(
    record: Record, now: datetime
) -> None:
    record.store.set_project(MODEL, PROJECT, record.store.labels(MODEL))
    record.observe(Observed(time=now - 3 * MINUTE, state="ACCEPTED", label=None))
    (considered,) = record.observe(Observed(time=now - 2 * MINUTE), seed=1)
    record.store.choose(MODEL, PROJECT, [], considered=considered)
    (later,) = record.observe(Observed(time=now - MINUTE), seed=2)
    choose_all(record.store)
    assert record.states().keys() == {later}


def test_what_may_not_be_recorded_yet_is_waited_for(record: Record, now: datetime) -> None:
    where = record.store.unconsidered(MODEL, settle_s=300)
    assert where is not None
    assert where.end < now - 4 * MINUTE


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


def test_what_retention_deletes_is_to_be_removed_before_of_each_model(
    record: Record, now: datetime
) -> None:
    """Of a model that is not listed any more too, and whether it was sent or not."""
    ages = (9, 11, 12, 13, 14)
    kept, sent, gone_there, waiting, tried = record.observe(
        *[Observed(time=now - days * DAY) for days in ages]
    )
    record.sent(kept, sent, gone_there)
    record.execute("UPDATE annotation_tasks SET state = 'REMOVED' WHERE task = 3")
    chosen = [Chosen(one, "control", 1) for one in (waiting, tried)]
    record.store.choose(MODEL, PROJECT, chosen, considered=kept)
    record.execute(
        "UPDATE annotation_tasks SET send_time = now() - interval '1 day' WHERE prediction_id = %s",
        tried,
    )
    record.execute("UPDATE models SET retention_days = 10, listed = false WHERE id = %s", MODEL)
    # As the relay deletes them: by whole days, so never before they are as old.
    record.execute("DELETE FROM predictions WHERE id = %s", sent)
    record.execute("DELETE FROM requests WHERE id = %s", sent)
    record.store.remove_old()
    due = {one for one, _ in record.store.removing(age_s=60, most=10)}
    assert due == {sent, gone_there, waiting, tried}
    for one in due:
        record.store.forget_removed(one)
    assert record.states() == {kept: "SENT"}


def test_forgotten_is_what_is_erased_or_gone_and_has_no_task(record: Record, now: datetime) -> None:
    ids = record.observe(*[Observed(time=now)] * 4)
    kept, erased, erased_but_sent, gone = ids
    record.sent(erased_but_sent)
    for one in (erased, erased_but_sent):
        record.execute("SELECT gateway_v1.erase(%s)", one)
    for table in ("predictions", "requests"):
        record.execute(f"DELETE FROM {table} WHERE id = %s", gone)  # noqa: S608
    assert record.store.forgotten(ids) == {erased, gone}
    assert record.store.forgotten([kept]) == record.store.forgotten([]) == set()
