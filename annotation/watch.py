"""Looks at Label Studio again and again: when a webhook calls, and now and then by itself."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from annotation import metrics
from annotation.label_studio import LabelStudio, LabelStudioAway, LabelStudioRefused
from annotation.look import look
from annotation.settings import ProgramSettings
from annotation.store import AnnotationStore
from annotation.webhook import PATH, SECRET_HEADER, AnnotationWebhook
from database.connections import connect
from database.errors import said

log = logging.getLogger(__name__)

SETTLE_S = 0.5
"""From a webhook to the look: its annotation may not be committed yet, and others may follow."""


def watch(settings: ProgramSettings, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Until the event. What is away is waited for. Raises OSError if nothing can listen for
    webhooks.

    beat: called before each look, and each time that Label Studio is asked for something in it.
    """
    heard = threading.Event()
    label_studio = LabelStudio(settings.url, settings.token, before_each=beat)
    with ExitStack() as open_:
        if settings.webhook_secret:
            open_.enter_context(
                AnnotationWebhook(
                    settings.webhook_address,
                    settings.webhook_port,
                    secret=settings.webhook_secret,
                    heard=heard.set,
                )
            )
        subscribe = _subscriber(settings, label_studio)
        trouble = ""
        while not stop.is_set():
            heard.clear()
            beat()
            try:
                with connect() as connection:
                    store = AnnotationStore(connection)
                    metrics.read(store)  # also if Label Studio is away
                    look(store, label_studio, keep=subscribe)
                    metrics.read(store)
                    metrics.note_look()
            except (LabelStudioAway, LabelStudioRefused, psycopg.OperationalError) as error:
                if isinstance(error, psycopg.Error):
                    metrics.forget()
                told = said(error) if isinstance(error, psycopg.Error) else str(error)
                if told != trouble:  # once for an outage
                    log.warning("waiting: %s", told)
                trouble = told
            else:
                if trouble:
                    log.info("all is there again")
                trouble = ""
            _wait(heard, stop, settings.pull_s)


def _subscriber(settings: ProgramSettings, label_studio: LabelStudio) -> Callable[[int], None]:
    """Has Label Studio tell this process of a project, once for each."""
    told: set[int] = set()

    def subscribe(project: int) -> None:
        if settings.webhook_url and settings.webhook_secret and project not in told:
            label_studio.subscribe(
                project,
                url=settings.webhook_url.rstrip("/") + PATH,
                headers={SECRET_HEADER: settings.webhook_secret},
            )
            told.add(project)

    return subscribe


def _wait(heard: threading.Event, stop: threading.Event, longest_s: float) -> None:
    until = time.monotonic() + longest_s
    while not stop.is_set() and (left_s := until - time.monotonic()) > 0:
        if heard.wait(min(left_s, 0.2)):
            stop.wait(SETTLE_S)
            return
