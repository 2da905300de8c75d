"""Hours are made from scratch, whole, once: whatever comes late, dies, or runs beside."""

import random
from datetime import timedelta

import pytest

from monitoring.choice import choose
from monitoring.job import run
from monitoring.store import QualityStore
from tests.integration.monitoring.conftest import HOUR, NO_REGISTRY, Figures, Monitoring, killed
from tests.parts.observed import MODEL, Observed, Said

LABELS = ("negative", "neutral", "positive")
STEPS = ("hold", "take", "sizes", "references", "counts", "write_hour", "set_reference")


def day(monitoring: Monitoring, *, hours: int = 4, rows: int = 60, seed: int = 0) -> list[Observed]:
    """Requests of all kinds in the hours before this one, of two versions, some labelled."""
    chance = random.Random(seed)  # noqa: S311
    found = []
    for hour in range(1, hours + 1):
        for _ in range(rows):
            label = chance.choice(LABELS)
            failed = chance.random() < 0.1
            found.append(
                Observed(
                    time=monitoring.now - hour * HOUR + timedelta(seconds=chance.uniform(0, 3599)),
                    text=" ".join(chance.choices(["good", "bad", "film", "книга"], k=5)),
                    label=None if failed else label,
                    confidence=chance.random(),
                    state="FAILED" if failed else "SUCCEEDED",
                    reason="MODEL_FAILED" if failed else "",
                    seconds=chance.random(),
                    version=chance.choice("12"),
                    tags=chance.choice([None, {"country": "de"}, {"country": "fr", "app": "ios"}]),
                    truth=None if failed else chance.choice([None, label, "neutral"]),
                    weight=chance.choice([None, 1.0, 20.0]),
                )
            )
    return found


def test_labels_that_come_late_are_corrected_or_withdrawn_leave_what_a_first_run_makes(
    monitoring: Monitoring,
) -> None:
    rows = day(monitoring, hours=72, rows=6)
    ids = monitoring.observe(rows)
    monitoring.run()
    answered = [one for one, row in zip(ids, rows, strict=True) if row.label]
    chance = random.Random(1)  # noqa: S311
    before = monitoring.figures()
    for _ in range(3):
        chosen = chance.sample(answered, 60)
        monitoring.say(*(Said(one, chance.choice([*LABELS, None])) for one in chosen))
        monitoring.run()
    restated = monitoring.figures()
    assert restated != before
    assert restated == monitoring.from_scratch()


def test_a_label_has_its_own_hour_made_anew_and_no_other(monitoring: Monitoring) -> None:
    ids = monitoring.observe(
        [Observed(time=monitoring.now - hour * HOUR, text=f"{hour}") for hour in range(5, 50)]
    )
    monitoring.run()
    monitoring.execute("UPDATE quality_metrics SET computed_at = 'epoch'")
    monitoring.say(Said(ids[30], "negative"))
    monitoring.run()
    made_anew = {hour for hour, *_ in monitoring.figures("computed_at <> 'epoch'")}
    assert made_anew == {"-35"}
    figures = monitoring.figures()
    assert figures["-35", "1", "", "accuracy"]["value"] == 0


def test_what_ends_late_has_its_hour_made_anew_until_it_has(monitoring: Monitoring) -> None:
    time = monitoring.now - 20 * HOUR
    (one,) = monitoring.observe([Observed(time=time, state="RUNNING", label=None, seconds=None)])
    monitoring.run()
    assert monitoring.figures()["-20", "1", "", "unfinished"]["value"] == 1
    with monitoring.database.connect() as connection:
        connection.execute(
            "UPDATE requests SET state = 'EXPIRED', complete_time = now() WHERE id = %s", (one,)
        )
    monitoring.run()
    figures = monitoring.figures()
    assert ("-20", "1", "", "unfinished") not in figures
    assert figures["-20", "1", "", "failure_share:EXPIRED"]["value"] == 1


def test_a_clock_that_is_behind_loses_no_row(monitoring: Monitoring) -> None:
    """A gateway whose clock is an hour back records into an hour that was made already."""
    monitoring.observe([Observed(time=monitoring.now - HOUR)])
    monitoring.run()
    monitoring.observe([Observed(time=monitoring.now - 2 * HOUR + timedelta(minutes=59))], seed=1)
    monitoring.observe([Observed(time=monitoring.now + HOUR)], seed=2)  # and one that is ahead
    monitoring.run()
    volumes = {key[0]: row["value"] for key, row in monitoring.figures("metric='volume'").items()}
    assert volumes == {"-1": 1, "-2": 1}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_job_that_is_killed_at_a_step_leaves_what_one_run_makes(
    monitoring: Monitoring, step: str, when: str
) -> None:
    """At the second hour that it comes to, since the first one must not count twice."""
    monitoring.observe(day(monitoring, rows=600))
    nth = 1 if step == "set_reference" else 2
    process = monitoring.process(killed(QualityStore, step, when, nth))
    process.communicate()
    assert process.returncode == -9
    monitoring.run()
    assert monitoring.figures() == monitoring.from_scratch()
    assert monitoring.figures("reference <> ''")


def test_two_jobs_at_once_make_what_one_makes(monitoring: Monitoring) -> None:
    monitoring.observe(day(monitoring, hours=12, rows=150))
    processes = [monitoring.process() for _ in range(3)]
    assert [(process.communicate()[0], process.returncode)[1] for process in processes] == [0] * 3
    assert monitoring.figures() == monitoring.from_scratch()


def test_a_label_that_comes_while_its_hour_is_made_is_not_missed(monitoring: Monitoring) -> None:
    (one,) = monitoring.observe([Observed(time=monitoring.now - 30 * HOUR)])
    with monitoring.store() as store:
        start = store.begin()
        with store.transaction():
            store.hold(MODEL, monitoring.now - 30 * HOUR)
            monitoring.say(Said(one, "negative"))  # it is in no state of the record that this sees
            store.take(MODEL, monitoring.now - 30 * HOUR, start)
            store.write_hour(MODEL, monitoring.now - 30 * HOUR, [], [])
        run(store, NO_REGISTRY)
    assert monitoring.figures()["-30", "1", "", "accuracy"]["value"] == 0


def test_a_first_run_that_is_stopped_goes_on_where_it_was(monitoring: Monitoring) -> None:
    monitoring.observe(day(monitoring, hours=20, rows=5))
    asked = iter([False] * 15)
    with monitoring.store() as store:
        done = run(store, NO_REGISTRY, models=[MODEL], stop=lambda: next(asked, True))
        assert done[0].hours == 15
        assert len(store.due(MODEL, store.begin())) == 5 + 1 + 4  # this one, and what may settle
    monitoring.run()
    assert monitoring.figures() == monitoring.from_scratch()


def test_hours_whose_rows_may_be_deleted_are_left_as_they_are(monitoring: Monitoring) -> None:
    monitoring.execute("UPDATE models SET retention_days = 1")
    ids = monitoring.observe(
        [Observed(time=monitoring.now - hours * HOUR) for hours in (20, 23, 24, 30)]
    )
    monitoring.run()
    assert {key[0] for key in monitoring.figures()} == {"-20"}
    monitoring.say(Said(ids[3], "negative"))
    monitoring.run()
    assert {key[0] for key in monitoring.figures()} == {"-20"}
    assert not monitoring.figures("metric = 'accuracy'")
    with monitoring.database.connect() as connection:
        assert not connection.execute("SELECT FROM monitoring_stale").fetchall()


def test_figures_outlive_their_rows_also_where_more_days_are_kept_since(
    monitoring: Monitoring,
) -> None:
    day, today = (monitoring.now - 80 * HOUR).date(), monitoring.now.date()
    answers = [Observed(time=monitoring.now - 80 * HOUR, truth="positive")] * 40
    under_way = Observed(time=monitoring.now - 80 * HOUR, state="RUNNING", label=None, seconds=None)
    *_, unfinished = monitoring.observe([*answers, under_way])
    monitoring.observe([Observed(time=monitoring.now - 5 * HOUR)] * 3, seed=1)
    monitoring.run()
    before = of_hour(monitoring, "-80")
    assert before["-80", "1", "", "volume"]["value"] == 41
    assert before["-80", "1", "", "accuracy"]["rows"] == 40
    with monitoring.database.connect() as connection:
        connection.execute("UPDATE models SET retention_days = 1")
        connection.execute("SELECT relay_v1.clear_day(%s, %s, 1000)", (day, today))
        connection.execute("UPDATE models SET retention_days = 90")
        connection.execute(
            "UPDATE requests SET state = 'EXPIRED', complete_time = now() WHERE id = %s",
            (unfinished,),
        )
        assert len(connection.execute("SELECT FROM requests").fetchall()) == 1 + 3
    with monitoring.store() as store:
        choose(store, MODEL, monitoring.window(-5, -4))  # for which all hours are made anew
    monitoring.run()
    assert {key[0] for key in monitoring.figures("reference <> ''")} == {"-5"}
    assert of_hour(monitoring, "-80") == before
    with monitoring.store() as store:
        assert monitoring.now - 80 * HOUR not in store.due(MODEL, store.begin())


def of_hour(monitoring: Monitoring, hour: str) -> Figures:
    return {key: row for key, row in monitoring.figures().items() if key[0] == hour}
