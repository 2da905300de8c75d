"""The life of alerts: from the figures of hours to who has seen to it, once for each."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from predict.events.v1.events_pb2 import AlertChange, AlertChanged

from monitoring.alerts.changes import CannotChange, acknowledge, resolve
from monitoring.alerts.job import evaluate
from monitoring.alerts.store import AlertStore, OpenAlert
from monitoring.job import make_hour
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import MODEL, Observed, Said

FAILURES = {"name": "failures", "metric": "failure_share", "above": 0.2, "clear": 0.1}
ACCURACY = {"name": "accuracy", "metric": "accuracy", "below": 0.5}
FIRED, RESOLVED = ("FIRED", "monitoring"), ("RESOLVED", "monitoring")


def hour_of(
    monitoring: Monitoring, hour: int, *, failed: int = 0, rows: int = 60, **said: Any
) -> list[str]:
    """Record an hour in which so many of its requests failed."""
    time = monitoring.now + hour * HOUR
    well = [Observed(time=time, **said)] * (rows - failed)
    badly = [
        Observed(time=time, label=None, state="FAILED", reason="DEADLINE_EXCEEDED", **said)
    ] * failed
    return monitoring.observe(well + badly, seed=f"{hour} {failed} {rows} {said}")


def change(monitoring: Monitoring, what: Any, alert: str, actor: str) -> None:
    with monitoring.store() as store:
        what(AlertStore(store.connection), alert, actor)


def test_an_alert_fires_once_and_is_over_when_the_figure_is_good(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -3, failed=30)
    hour_of(monitoring, 0, failed=60)  # under way: it says nothing yet
    monitoring.run()
    monitoring.run()
    (alert,) = monitoring.alerts()
    assert (alert["state"], alert["rule"], alert["version"]) == ("FIRING", "failures", "1")
    assert (alert["hour"], alert["value"], alert["rows"]) == ("-3", 0.5, 60)
    assert alert["low"] > 0.2
    hour_of(monitoring, -2, failed=14)  # neither bad nor good
    monitoring.run()
    assert monitoring.alerts()[0]["state"] == "FIRING"
    hour_of(monitoring, -1)
    monitoring.run()
    (alert,) = monitoring.alerts()
    assert (alert["state"], alert["resolved_by"]) == ("RESOLVED", "monitoring")
    assert monitoring.life() == [FIRED, RESOLVED]


def test_each_version_has_its_own_alert(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -1, failed=30, version="1")
    hour_of(monitoring, -1, version="2")
    monitoring.run()
    assert [alert["version"] for alert in monitoring.alerts()] == ["1"]
    hour_of(monitoring, -2, failed=40, version="2")
    monitoring.run()
    assert [alert["version"] for alert in monitoring.alerts()] == ["1"]  # the newer hour is good


def test_a_slice_has_rules_of_its_own(monitoring: Monitoring) -> None:
    monitoring.rules({**FAILURES, "slice": "tag:app=ios"}, {**FAILURES, "name": "all"})
    hour_of(monitoring, -1, failed=30, rows=40, tags={"app": "ios"})
    hour_of(monitoring, -1, rows=300)
    monitoring.run()
    (alert,) = monitoring.alerts()
    assert (alert["rule"], alert["terms"]["slice"], alert["rows"]) == (
        "failures",
        "tag:app=ios",
        40,
    )


@pytest.mark.parametrize(
    "hours",
    [
        {},
        {-1: {"failed": 29, "rows": 29}},
        {-1: {"failed": 1, "rows": 1}},
        {-2: {"failed": 60}, -1: {}},
        {0: {"failed": 60}},
    ],
)
def test_what_says_nothing_fires_nothing(
    monitoring: Monitoring, hours: Mapping[int, Mapping[str, int]]
) -> None:
    drift = {"name": "drift", "metric": "label_drift", "above": 0.1}  # there is no reference
    monitoring.rules(FAILURES, ACCURACY, drift)
    for hour, said in hours.items():
        hour_of(monitoring, hour, **said)
    monitoring.run()
    assert monitoring.alerts() == []


def test_an_empty_hour_resolves_nothing(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -4, failed=30)
    hour_of(monitoring, -2, rows=5)
    monitoring.run()
    assert [alert["state"] for alert in monitoring.alerts()] == ["FIRING"]


def test_an_alert_of_an_hour_that_was_corrected_is_over_and_may_come_again(
    monitoring: Monitoring,
) -> None:
    monitoring.rules(ACCURACY)
    ids = hour_of(monitoring, -5, truth="negative")
    monitoring.run()
    assert monitoring.alerts()[0]["hour"] == "-5"
    monitoring.say(*(Said(id_, "positive") for id_ in ids))
    monitoring.run()
    monitoring.run()
    assert monitoring.life() == [FIRED, RESOLVED]
    monitoring.say(*(Said(id_, "negative") for id_ in ids))
    monitoring.run()
    assert monitoring.life() == [FIRED, RESOLVED, FIRED]
    monitoring.say(*(Said(id_, None) for id_ in ids))  # nobody says anything any more
    monitoring.run()
    assert monitoring.life() == [FIRED, RESOLVED, FIRED, RESOLVED]


def test_who_has_seen_it_and_who_says_that_it_is_dealt_with(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -2, failed=30)
    monitoring.run()
    (alert,) = monitoring.alerts()
    change(monitoring, acknowledge, alert["id"], "maria")
    change(monitoring, acknowledge, alert["id"], "jo")
    monitoring.run()
    (alert,) = monitoring.alerts()
    assert (alert["state"], alert["acknowledged_by"]) == ("ACKNOWLEDGED", "maria")
    change(monitoring, resolve, alert["id"], "jo")
    change(monitoring, resolve, alert["id"], "maria")
    hour_of(monitoring, -1, failed=40)  # known before it was said to be dealt with
    monitoring.run()
    (alert,) = monitoring.alerts()
    assert (alert["state"], alert["resolved_by"]) == ("RESOLVED", "jo")
    assert monitoring.life() == [FIRED, ("ACKNOWLEDGED", "maria"), ("RESOLVED", "jo")]
    with pytest.raises(CannotChange, match="is over"):
        change(monitoring, acknowledge, alert["id"], "jo")
    hour_of(monitoring, 0, failed=40)
    with monitoring.store() as store:
        monitoring.run()
        evaluate(AlertStore(store.connection), MODEL, monitoring.now + HOUR)
    assert [found["hour"] for found in monitoring.alerts()] == ["-2", "0"]


@pytest.mark.parametrize(
    ("alert", "actor", "problem"),
    [
        ("7", "jo", "'7' is no id"),
        ("0199f2d0-0000-7000-8000-000000000001", "jo", "there is no alert 0199f2d0"),
        ("0199f2d0-0000-7000-8000-000000000001", "", "has a name"),
        ("0199f2d0-0000-7000-8000-000000000001", "a\x00b", "has a name"),
    ],
)
def test_what_cannot_be_changed_is_said(
    monitoring: Monitoring, alert: str, actor: str, problem: str
) -> None:
    for what in (acknowledge, resolve):
        with pytest.raises(CannotChange, match=problem):
            change(monitoring, what, alert, actor)


def test_a_clock_that_went_back_changes_nothing(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -2)
    hour_of(monitoring, -1, failed=30)
    monitoring.run()
    with monitoring.store() as store:
        for hours in (1, 2, 0):
            evaluate(AlertStore(store.connection), MODEL, monitoring.now - hours * HOUR)
    assert monitoring.life() == [FIRED]


def test_an_alert_from_before_the_days_that_are_looked_at_holds_until_it_is_clear(
    monitoring: Monitoring,
) -> None:
    monitoring.rules({**FAILURES, "for": 2})
    hour_of(monitoring, -4)
    for hour in (-3, -2):
        hour_of(monitoring, hour, failed=30)
    monitoring.run()
    with monitoring.store() as store:
        alerts = AlertStore(store.connection)
        for later in (timedelta(days=7) - 2 * HOUR, timedelta(days=7), timedelta(days=30)):
            evaluate(alerts, MODEL, monitoring.now + later)
            assert monitoring.life() == [FIRED]


def test_an_alert_whose_rule_was_taken_away_is_over(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -1, failed=30)
    monitoring.run()
    monitoring.rules({**FAILURES, "above": 0.9})  # says something else now
    monitoring.run()
    assert monitoring.life() == [FIRED, RESOLVED]
    monitoring.rules(FAILURES)
    monitoring.run()
    monitoring.rules()
    monitoring.run()
    assert monitoring.life() == [FIRED, RESOLVED] * 2


def test_rules_of_a_newer_release_stop_no_figures(monitoring: Monitoring) -> None:
    hour_of(monitoring, -1, failed=30)
    monitoring.execute('UPDATE models SET alert_rules = \'[{"metric": "new"}]\'')
    monitoring.run()
    assert monitoring.figures()["-1", "1", "", "volume"]["value"] == 60
    assert monitoring.alerts() == []


def test_many_jobs_at_once_fire_one_alert(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES, {**FAILURES, "name": "more", "retrain": True})
    hour_of(monitoring, -1, failed=30)
    monitoring.run()
    monitoring.execute("DELETE FROM alerts; DELETE FROM retrainings; DELETE FROM outbox")

    def once(_: int) -> None:
        with monitoring.store() as store:
            evaluate(AlertStore(store.connection), MODEL, monitoring.now)

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(once, range(6)))
    assert [alert["rule"] for alert in monitoring.alerts()] == ["failures", "more"]
    assert len(events(monitoring)) == 2


def test_what_a_person_says_while_the_job_looks_is_not_lost(monitoring: Monitoring) -> None:
    monitoring.rules(FAILURES)
    hour_of(monitoring, -2, failed=30)
    monitoring.run()
    hour_of(monitoring, -1)
    (alert,) = monitoring.alerts()

    class Interrupted(AlertStore):
        """After it has seen what is open, somebody resolves it."""

        def open(self, model: str) -> dict[tuple[str, str], OpenAlert]:
            found = super().open(model)
            if found:
                change(monitoring, resolve, alert["id"], "jo")
            return found

    with monitoring.store() as store:
        for hour in store.due(MODEL, store.begin()):
            make_hour(store, MODEL, hour, store.begin())
        evaluate(Interrupted(store.connection), MODEL, monitoring.now)
    assert monitoring.life() == [FIRED, ("RESOLVED", "jo")]


@pytest.mark.parametrize("step", ["hold", "fire"])
def test_a_job_that_is_killed_in_its_midst_has_done_nothing(
    monitoring: Monitoring, step: str
) -> None:
    monitoring.rules({**FAILURES, "retrain": True})
    hour_of(monitoring, -1, failed=30)
    patch = f"""
import os, signal
from monitoring.alerts.store import AlertStore
real = AlertStore.{step}
def killed(*arguments):
    real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
AlertStore.{step} = killed
"""
    process = monitoring.process(patch)
    process.communicate()
    assert process.returncode == -9
    assert monitoring.life() == []
    monitoring.run()
    assert monitoring.life() == [FIRED, ("RETRAINING_REQUESTED", "monitoring")]
    assert len(events(monitoring)) == 1


def test_an_alert_may_ask_for_a_training_which_its_life_tells(monitoring: Monitoring) -> None:
    monitoring.rules({**FAILURES, "retrain": True}, {**FAILURES, "name": "too", "retrain": True})
    hour_of(monitoring, -1, failed=30)
    monitoring.run()
    with monitoring.database.connect() as connection:
        (asked,) = connection.execute("SELECT * FROM retrainings").fetchall()
        told = connection.execute(
            "SELECT detail FROM alert_events WHERE change = 'RETRAINING_REQUESTED' ORDER BY id"
        ).fetchall()
    first, _ = monitoring.alerts()
    assert (asked["model"], str(asked["alert"]), asked["actor"]) == (MODEL, first["id"], "alert")
    assert asked["state"] == "REQUESTED"
    assert [row["detail"] for row in told] == [
        f"training {asked['id']}",
        "one was asked for already",
    ]


def test_each_change_is_on_the_bus(monitoring: Monitoring) -> None:
    monitoring.rules({**FAILURES, "message": "Look at this.", "severity": "critical"})
    hour_of(monitoring, -2, failed=30)
    monitoring.run()
    (alert,) = monitoring.alerts()
    change(monitoring, acknowledge, alert["id"], "maria")
    hour_of(monitoring, -1)
    monitoring.run()
    fired, seen, over = events(monitoring)
    assert [event.change for event in (fired, seen, over)] == [
        AlertChange.ALERT_CHANGE_FIRED,
        AlertChange.ALERT_CHANGE_ACKNOWLEDGED,
        AlertChange.ALERT_CHANGE_RESOLVED,
    ]
    assert [event.actor for event in (fired, seen, over)] == ["monitoring", "maria", "monitoring"]
    assert (fired.alert_id, fired.model, fired.version) == (alert["id"], MODEL, "1")
    assert (fired.rule, fired.severity, fired.message) == ("failures", "critical", "Look at this.")
    assert (fired.metric, fired.above, fired.value, fired.rows) == ("failure_share", 0.2, 0.5, 60)
    assert fired.low == alert["low"]
    assert fired.hour.ToDatetime() == (monitoring.now - 2 * HOUR).replace(tzinfo=None)
    assert len({event.event_id for event in (fired, seen, over)}) == 3


def events(monitoring: Monitoring) -> list[AlertChanged]:
    """What the relay will publish."""
    with monitoring.database.connect() as connection:
        rows = connection.execute(
            "SELECT id::text, model, payload FROM outbox WHERE event = 'alert_changed' ORDER BY id"
        ).fetchall()
    return [
        json_format.Parse(json.dumps(row["payload"] | {"eventId": row["id"]}), AlertChanged())
        for row in rows
    ]
