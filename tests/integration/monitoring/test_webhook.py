"""What the webhook is told: signed, again until it is taken, with one id."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from standardwebhooks import Webhook as Reference

from database.connections import bounded
from monitoring.alerts.deliveries import deliver_due
from monitoring.alerts.webhook import Webhook, read_webhook
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import Observed
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.webhook_receiver import Receiver, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the published example's
LOCAL = ["localhost"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def webhook(receiver: Receiver) -> Webhook:
    found = read_webhook(receiver.url, secrets=[SECRET], secrets_file="", allowed_hosts=LOCAL)
    assert found is not None
    return found


def fire(monitoring: Monitoring) -> None:
    """One alert, with the text of a person in its hour."""
    monitoring.rules({"name": "failures", "metric": "failure_share", "above": 0.2})
    failed = Observed(
        time=monitoring.now - HOUR, text="Xylophonquartett", label=None, state="FAILED", reason="X"
    )
    monitoring.observe([failed] * 60)
    monitoring.run()


def deliver(monitoring: Monitoring, to: Webhook) -> int:
    """All that is due, as the job's login; how many attempts that took."""
    attempts = 0
    with psycopg.connect(bounded(monitoring.conninfo), autocommit=True) as connection:
        while deliver_due(connection, to):
            attempts += 1
    return attempts


def log(monitoring: Monitoring) -> list[tuple[int, int | None, str | None]]:
    rows = fetch(monitoring, "SELECT attempt, status, error FROM webhook_attempts ORDER BY 1")
    return [(row["attempt"], row["status"], row["error"]) for row in rows]


def fetch(monitoring: Monitoring, query: str) -> list[dict[str, Any]]:
    with monitoring.database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def make_due(monitoring: Monitoring) -> None:
    monitoring.execute("UPDATE webhook_deliveries SET next_time = clock_timestamp()")


def test_what_it_is_told_is_signed_and_holds_no_text(
    monitoring: Monitoring, receiver: Receiver
) -> None:
    fire(monitoring)
    assert deliver(monitoring, webhook(receiver)) == 1
    ((headers, body),) = receiver.received
    told = Reference(SECRET).verify(body, headers)
    (event,) = fetch(monitoring, "SELECT id::text, alert::text FROM alert_events")
    assert told["type"] == "alert.fired"
    assert told["data"]["eventId"] == headers["webhook-id"] == event["id"]
    assert told["data"]["alertId"] == event["alert"]
    assert (told["data"]["metric"], told["data"]["value"]) == ("failure_share", 1)
    assert b"Xylophon" not in body
    assert deliver(monitoring, webhook(receiver)) == 0
    assert log(monitoring) == [(1, 204, "")]


def test_it_is_told_again_later_until_it_takes_it(
    monitoring: Monitoring, receiver: Receiver
) -> None:
    fire(monitoring)
    receiver.statuses = [500, 302, 200]
    for _ in range(3):
        assert deliver(monitoring, webhook(receiver)) == 1
        assert deliver(monitoring, webhook(receiver)) == 0  # not at once
        make_due(monitoring)
    assert deliver(monitoring, webhook(receiver)) == 0
    assert len(set(receiver.ids())) == 1
    assert [body for _, body in receiver.received] == [receiver.received[0][1]] * 3
    assert log(monitoring) == [
        (1, 500, "status 500"),
        (2, 302, "a redirect, which is not followed"),
        (3, 200, ""),
    ]


def test_after_a_day_it_is_given_up(monitoring: Monitoring, receiver: Receiver) -> None:
    fire(monitoring)
    receiver.statuses = [500]
    monitoring.execute(
        "UPDATE webhook_deliveries SET attempts = 9,"
        " create_time = now() - interval '23 hours 50 min'"
    )
    assert deliver(monitoring, webhook(receiver)) == 1
    assert [row["state"] for row in fetch(monitoring, "SELECT state FROM webhook_deliveries")] == [
        "DEAD"
    ]


def test_what_is_old_when_a_webhook_is_first_set_is_not_told(
    monitoring: Monitoring, receiver: Receiver
) -> None:
    fire(monitoring)
    monitoring.execute("UPDATE webhook_deliveries SET create_time = now() - interval '25 hours'")
    deliver(monitoring, webhook(receiver))
    assert receiver.received == []
    assert log(monitoring) == [(1, None, "too old: it is not told")]


def test_of_many_that_tell_only_one_does(monitoring: Monitoring, receiver: Receiver) -> None:
    fire(monitoring)
    receiver.silent.set()
    done: list[int] = []
    first = threading.Thread(target=lambda: done.append(deliver(monitoring, webhook(receiver))))
    first.start()
    wait_until(lambda: len(receiver.received) == 1)
    assert deliver(monitoring, webhook(receiver)) == 0
    receiver.silent.clear()
    first.join()
    assert done == [1]


def process_telling(
    monitoring: Monitoring, receiver: Receiver, patch: str = "", command: str = "watch"
) -> Any:
    monitoring.variables |= {
        "PMESH_MONITORING_METRICS_PORT": str(free_port()),
        "PMESH_ALERTS_WEBHOOK_URL": receiver.url,
        "PMESH_ALERTS_WEBHOOK_SECRETS": SECRET,
        "PMESH_WEBHOOK_ALLOWED_HOSTS": "localhost",
    }
    return monitoring.process(patch, command)


KILLED_BEFORE = """
import os, signal
from monitoring.alerts import deliveries
deliveries._told = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_AFTER = """
import os, signal
from monitoring.alerts import deliveries
told = deliveries._told
def then_killed(*arguments):
    told(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
deliveries._told = then_killed
"""


def test_the_process_tells_and_one_that_is_killed_in_it_is_followed_with_the_same_id(
    monitoring: Monitoring, receiver: Receiver
) -> None:
    fire(monitoring)
    for patch in (KILLED_BEFORE, KILLED_AFTER):
        process = process_telling(monitoring, receiver, patch)
        process.communicate(timeout=100)
        assert process.returncode == -9
        (pending,) = fetch(
            monitoring,
            "SELECT state, next_time - clock_timestamp() AS lease FROM webhook_deliveries",
        )
        assert pending["state"] == "PENDING"
        assert timedelta(0) < pending["lease"] < timedelta(minutes=2)
        make_due(monitoring)
    process = process_telling(monitoring, receiver)
    wait_until(lambda: len(receiver.received) == 2)
    wait_until(lambda: log(monitoring)[-1] == (3, 204, ""))
    process.terminate()
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert SECRET not in said
    assert len(set(receiver.ids())) == 1
    assert log(monitoring)[:2] == [(1, None, None), (2, None, None)]


def test_a_run_tells_what_is_due_before_it_ends(monitoring: Monitoring, receiver: Receiver) -> None:
    receiver.statuses = [500, 204]
    fire(monitoring)
    for told in (1, 2):
        process = process_telling(monitoring, receiver, command="run")
        said, _ = process.communicate(timeout=100)
        assert process.returncode == 0, said
        assert len(receiver.received) == told
        make_due(monitoring)
    assert log(monitoring) == [(1, 500, "status 500"), (2, 204, "")]
    assert len(set(receiver.ids())) == 1


def test_a_run_begins_no_attempt_after_its_time(monitoring: Monitoring, receiver: Receiver) -> None:
    fire(monitoring)
    process = process_telling(
        monitoring, receiver, "import monitoring.__main__ as m\nm.TELL_S = 0.0", "run"
    )
    assert (process.communicate(timeout=100), process.returncode)[1] == 0
    assert receiver.received == []


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        ("watch", {"PMESH_ALERTS_WEBHOOK_SECRETS": ""}, "says what to sign with"),
        (
            "watch",
            {"PMESH_ALERTS_WEBHOOK_SECRETS": "secret"},
            "a secret is whsec_ and 24 to 64 bytes",
        ),
        ("run", {"PMESH_WEBHOOK_ALLOWED_HOSTS": ""}, "begins with https://"),
        ("run", {"PMESH_ALERTS_WEBHOOK_SECRETS_FILE": "/nowhere"}, "No such file"),
    ],
)
def test_a_webhook_that_cannot_be_told_is_said_at_the_start(
    monitoring: Monitoring, receiver: Receiver, command: str, variables: dict[str, str], said: str
) -> None:
    watch_variables = {
        "PMESH_ALERTS_WEBHOOK_URL": receiver.url,
        "PMESH_ALERTS_WEBHOOK_SECRETS": SECRET,
        "PMESH_WEBHOOK_ALLOWED_HOSTS": "localhost",
    }
    monitoring.variables |= watch_variables | variables
    process = monitoring.process("", command)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert said in output
