"""How what is said in a task becomes labels, in PostgreSQL."""

from datetime import datetime, timedelta

from annotation.store import Taken
from tests.integration.annotation.conftest import PROJECT, Record, says
from tests.parts.observed import MODEL, Observed


def one_task(record: Record, now: datetime) -> str:
    (prediction,) = record.observe(Observed(time=now - timedelta(hours=1)))
    record.sent(prediction)
    return prediction


def test_to_take_a_task_again_changes_nothing(record: Record, now: datetime) -> None:
    prediction = one_task(record, now)
    said = [says("positive"), says("negative", "ben", adjudicated=True)]
    assert record.store.take(PROJECT, 1, prediction, said) == Taken(added=2)
    for _ in range(3):
        assert record.store.take(PROJECT, 1, prediction, said) == Taken()
    columns = "source, choice, weight, external_id"
    rows = record.execute(f"SELECT {columns} FROM labels ORDER BY annotator")  # noqa: S608
    expected = [("LABEL_STUDIO", "control", 4.0, one.external_id) for one in said]
    assert [tuple(row.values()) for row in rows] == expected
    assert set(record.labels()) == {("positive", "ann", False), ("negative", "ben", True)}


def test_who_changes_it_is_corrected_and_who_says_nothing_more_is_withdrawn(
    record: Record, now: datetime
) -> None:
    prediction = one_task(record, now)
    record.store.take(PROJECT, 1, prediction, [says("positive"), says("positive", "ben")])
    changed = [says("negative", minute=1)]
    assert record.store.take(PROJECT, 1, prediction, changed) == Taken(added=1, withdrawn=1)
    assert record.store.take(PROJECT, 1, prediction, changed) == Taken()
    assert record.store.take(PROJECT, 1, prediction, []) == Taken(withdrawn=1)
    assert record.store.take(PROJECT, 1, prediction, []) == Taken()
    assert record.execute("SELECT label FROM labels_v1.decided") == []
    # It comes back as it was: Label Studio has been put back, or its clock.
    assert record.store.take(PROJECT, 1, prediction, changed) == Taken(added=1)
    assert record.store.take(PROJECT, 1, prediction, changed) == Taken()
    assert record.execute("SELECT label FROM labels_v1.decided") == [{"label": "negative"}]


def test_a_label_that_the_model_has_not_is_refused_and_takes_the_one_of_before_away(
    record: Record, now: datetime
) -> None:
    prediction = one_task(record, now)
    record.store.take(PROJECT, 1, prediction, [says("positive")])
    unknown = [says("no such label", minute=1)]
    refused = Taken(withdrawn=1, refusals=("LABEL_NOT_OF_MODEL",))
    assert record.store.take(PROJECT, 1, prediction, unknown) == refused
    assert record.execute("SELECT label FROM labels_v1.decided") == []


def test_a_task_that_is_not_of_ours_makes_no_label(record: Record, now: datetime) -> None:
    prediction = one_task(record, now)
    (other,) = record.observe(Observed(time=now), seed=1)
    for project, task, named in ((PROJECT, 2, prediction), (9, 1, prediction), (PROJECT, 1, other)):
        assert record.store.take(project, task, named, [says("positive")]) is None
    assert record.store.take(PROJECT, 1, "made by hand", [says("positive")]) is None
    assert record.labels() == []


def test_a_task_that_was_thought_to_be_gone_is_taken_when_it_is_there_again(
    record: Record, now: datetime
) -> None:
    prediction = one_task(record, now)
    assert record.store.note_missing(PROJECT, after=0, last=None, tasks=[]) == 1
    assert record.states() == {prediction: "REMOVED"}
    assert record.store.take(PROJECT, 1, prediction, [says("positive")]) == Taken(added=1)
    assert record.states() == {prediction: "SENT"}
    assert record.labels() == [("positive", "ann", False)]


def test_a_project_that_was_thought_to_be_gone_leaves_its_ids_and_comes_back(
    record: Record, now: datetime
) -> None:
    """As with a Label Studio that starts without its data for a while."""
    before, after = record.observe(*[Observed(time=now)] * 2)
    record.sent(before)
    record.store.set_project(MODEL, PROJECT, ["positive"])
    record.store.forget_project(MODEL)
    assert record.states() == {before: "REMOVED"}
    record.store.set_project(MODEL, PROJECT, ["positive"])
    record.sent(after)  # as task 1 too
    assert record.states() == {before: "REMOVED", after: "SENT"}
    assert record.store.take(PROJECT, 1, after, [says("positive")]) == Taken(added=1)
    assert record.store.take(PROJECT, 1, before, [says("positive")]) == Taken(added=1)
    assert record.states() == {before: "SENT", after: "REMOVED"}
    assert record.store.take(PROJECT, 2, before, [says("negative")]) is None
    (last,) = record.observe(Observed(time=now), seed=1)
    record.sent(last)
    assert record.states() == {before: "REMOVED", after: "REMOVED", last: "SENT"}


def test_a_clock_that_is_ahead_does_not_hide_what_is_said_next(
    record: Record, now: datetime
) -> None:
    prediction = one_task(record, now)
    ahead = (now + timedelta(days=1)).isoformat()
    first = says("positive")
    for label in ("positive", "negative"):
        said = type(first)(label, "ann", False, ahead, f"{label}@{ahead}")
        assert record.store.take(PROJECT, 1, prediction, [said]) == Taken(added=1)
    assert record.execute("SELECT label FROM labels_v1.decided") == [{"label": "negative"}]
    assert record.execute("SELECT FROM labels WHERE label_time > now()") == []


def test_what_several_said_is_counted_for_their_agreement(record: Record, now: datetime) -> None:
    ids = record.observe(*[Observed(time=now)] * 4)
    record.sent(*ids)
    alike, other = ("positive", "positive"), ("positive", "negative")
    for place, labels in enumerate((alike, alike, other)):
        said = [says(label, annotator) for label, annotator in zip(labels, "ab", strict=True)]
        record.store.take(PROJECT, place + 1, ids[place], said)
    record.store.take(PROJECT, 4, ids[3], [says("negative")])
    found = [(dict(said), rows) for said, rows in record.store.said_by_several("sentiment")]
    assert sorted(found, key=str) == [({"negative": 1, "positive": 1}, 1), ({"positive": 2}, 2)]
