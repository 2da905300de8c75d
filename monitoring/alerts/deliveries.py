"""Tells the webhook what became of alerts, each until it was taken or a day has passed.

An attempt is noted before it is made: whoever is killed in it has it made again, with the same
webhook-id, by which the other side knows what it has had.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg

from database import named_sql
from database.connections import UNPREPARED, bounded
from database.errors import said
from monitoring.alerts.webhook import Webhook
from webhooks.post import TIMEOUT_S, Answered, post
from webhooks.schedule import LIFE, pause
from webhooks.signature import signed_headers

log = logging.getLogger(__name__)

_SQL = named_sql.load("monitoring.alerts")

LEASE = timedelta(seconds=4 * TIMEOUT_S)
"""After which an attempt that nothing was heard of is made again."""
POLL_S = 5.0
"""Between looks at what there is to tell."""


def deliver_all_due(webhook: Webhook, within_s: float) -> None:
    """Make the attempts that are due; none begins after so many seconds. Raises psycopg.Error."""
    until = time.monotonic() + within_s
    with psycopg.connect(bounded(), autocommit=True, **UNPREPARED) as connection:
        while time.monotonic() < until and deliver_due(connection, webhook):
            pass


def deliver_due(connection: "psycopg.Connection[Any]", webhook: Webhook) -> bool:
    """Make one attempt that is due; False if none is. Raises psycopg.Error.

    connection: with autocommit.
    """
    claimed = connection.execute(_SQL["claim_delivery"], {"lease": LEASE}).fetchone()
    if claimed is None:
        return False
    id_, body, attempt, age = claimed
    answered = (
        _told(webhook, id_, body) if age < LIFE else Answered(None, "too old: it is not told")
    )
    state, wait = _outcome(answered, attempt, age)
    with connection.transaction():
        given = {"id": id_, "attempt": attempt}
        connection.execute(
            _SQL["note_attempt"], {**given, "status": answered.status, "error": answered.error}
        )
        connection.execute(_SQL["note_delivery"], {**given, "state": state, "pause": wait})
    if answered.error:
        log.warning("webhook %s, attempt %d: %s", id_, attempt, answered.error)
    return True


def _told(webhook: Webhook, id_: str, body: str) -> Answered:
    content = body.encode()
    signed = signed_headers(webhook.keys, message_id=id_, timestamp=int(time.time()), body=content)
    headers = {**signed, "Content-Type": "application/json", "User-Agent": "predict-mesh"}
    return post(
        webhook.target,
        content,
        headers,
        allowed_hosts=webhook.allowed_hosts,
        tls=webhook.tls,
    )


def _outcome(answered: Answered, attempt: int, age: timedelta) -> tuple[str, timedelta | None]:
    """What becomes of a delivery, and when it is tried again."""
    if not answered.error:
        return "DELIVERED", None
    wait = pause(attempt)
    if wait is None or age + wait > LIFE:
        return "DEAD", None
    return "PENDING", wait


@contextmanager
def telling(webhook: Webhook | None, stop: threading.Event) -> Iterator[None]:
    """Tell what is due, in a thread, for the length of the block; sets `stop` at its end.

    webhook: None tells nobody.
    """
    if webhook is None:
        yield
        return
    thread = threading.Thread(target=_deliver, args=(webhook, stop), name="webhook")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _deliver(webhook: Webhook, stop: threading.Event) -> None:
    """Until the event is set; waits for a database that is away."""
    while not stop.is_set():
        try:
            with psycopg.connect(bounded(), autocommit=True, **UNPREPARED) as connection:
                while not stop.is_set():
                    if not deliver_due(connection, webhook):
                        stop.wait(POLL_S)
        except psycopg.OperationalError as error:
            log.warning("PostgreSQL does not answer: %s", said(error))
            stop.wait(POLL_S)
