"""Makes the figures of each hour and the reports of each day, at /metrics and /reports/.

    python -P -m monitoring run                   once: all that is due
    python -P -m monitoring watch                 now and after each hour; answers by HTTP
    python -P -m monitoring reference sentiment --from 2026-11-01T00:00 --to 2026-11-08T00:00
    python -P -m monitoring alerts        what is wrong now; ack ID, resolve ID
    python -P -m monitoring rules         the rules of alerts, for Prometheus

PostgreSQL is found by PG*, the registry by MLFLOW_TRACKING_URI and the features by
PMESH_FEATURES_BUCKET and AWS_*, which may be left out.
"""

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import boto3
import psycopg

from bus.aws import CONFIG
from contract.arguments import moment
from contract.heartbeat import heartbeat
from contract.logs import about, end, log_to_stderr
from contract.settings import InvalidSetting, read
from database.errors import said
from monitoring import metrics
from monitoring.alerts.changes import CannotChange
from monitoring.alerts.commands import add_commands
from monitoring.alerts.deliveries import deliver_all_due, telling
from monitoring.alerts.store import AlertStore
from monitoring.alerts.webhook import Webhook, read_webhook
from monitoring.choice import CannotChoose, check_model, choose, read_window
from monitoring.daily import Daily
from monitoring.defaults import Defaults
from monitoring.features import open_features
from monitoring.hours import HOUR
from monitoring.job import run
from monitoring.prometheus import Quality
from monitoring.report import ReportFailed
from monitoring.served import PREFIX, Reports
from monitoring.settings import Settings, WatchSettings
from monitoring.store import QualityStore, connect
from telemetry.metrics_server import metrics_server
from telemetry.tracing import tracing

log = logging.getLogger("monitoring")

AFTER_HOUR_S = 120.0
"""From an hour's end to its run: the last of its rows are then committed."""
TELL_S = 60.0
"""So long `run` goes on with what is due to the webhook; the next one does the rest."""
LOOK_S = 15.0
"""Between looks at what became of alerts."""
RETRY_S = 30.0
"""Between runs while PostgreSQL is away."""


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except (InvalidSetting, CannotChoose, CannotChange, OSError) as error:
        end(f"monitoring: {error}")
    except psycopg.OperationalError as error:
        end(f"monitoring: PostgreSQL does not answer: {said(error)}")
    except psycopg.Error as error:
        end(f"monitoring: PostgreSQL refuses: {said(error)}")


def _log_to_stderr() -> None:
    log_to_stderr("monitoring")
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells where it found its keys


def _run(_: argparse.Namespace) -> None:
    _log_to_stderr()
    settings = read(Settings, os.environ)
    webhook = _webhook(settings)
    with tracing("monitoring"), connect() as connection:
        _make(settings, QualityStore(connection), stop=lambda: False)
    if webhook:
        deliver_all_due(webhook, TELL_S)


def _watch(_: argparse.Namespace) -> None:
    _log_to_stderr()
    settings = read(WatchSettings, os.environ)
    webhook = _webhook(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    beat = heartbeat(os.environ)

    def is_over() -> bool:
        """Asked between two pieces of work."""
        beat()
        return stop.is_set()

    address, port = settings.metrics_address, settings.metrics_port
    quality, mounts = Quality(), {PREFIX: Reports(settings.reports)}
    with (
        tracing("monitoring") as sent,
        metrics_server(address, port, sent, quality, *metrics.COLLECTORS, mounts=mounts),
        telling(webhook, stop),
    ):
        while not is_over():
            due = time.time() + _pause_s()
            try:
                with connect() as connection:
                    store = QualityStore(connection)
                    _make(settings, store, stop=is_over)
                    alerts = AlertStore(connection)
                    quality.read(store, alerts.rules())
                    metrics.read(alerts)
                    _report(settings, store, lambda: is_over() or time.time() > due)  # noqa: B023
            except psycopg.OperationalError as error:
                log.warning("PostgreSQL does not answer: %s", said(error))
                due = time.time() + RETRY_S
            _wait(due, stop)


def _wait(due: float, stop: threading.Event) -> None:
    """Until then; what people and the webhook do to alerts meanwhile is told."""
    while not stop.wait(max(min(due - time.time(), LOOK_S), 0)) and time.time() < due:
        try:
            with connect() as connection:
                metrics.read(AlertStore(connection))
        except psycopg.OperationalError:
            metrics.forget()


def _webhook(settings: Settings) -> Webhook | None:
    return read_webhook(
        settings.webhook_url,
        secrets=settings.webhook_secrets,
        secrets_file=settings.webhook_secrets_file,
        allowed_hosts=settings.webhook_allowed_hosts,
    )


def _report(settings: WatchSettings, store: QualityStore, stop: Callable[[], bool]) -> None:
    """Write the reports of days; what keeps them from that harms no figures."""
    if settings.evidently_python:
        daily = Daily(Path(settings.evidently_python), settings.reports, settings.report_days)
        try:
            daily.write(store, stop)
        except (ReportFailed, OSError) as error:
            if not stop():
                log.warning("no reports: %s", error)


def _pause_s() -> float:
    """Until the hour that is under way is over, and a little longer."""
    hour_s = HOUR.total_seconds()
    return hour_s - (time.time() - AFTER_HOUR_S) % hour_s


def _make(settings: Settings, store: QualityStore, *, stop: Callable[[], bool]) -> None:
    """Make what is due, and say what was made."""
    begun, defaults = time.monotonic(), Defaults(settings.tracking_uri)
    with ExitStack() as stack:
        features = None
        if settings.features_bucket:
            client = boto3.client("s3", config=CONFIG)
            features = stack.enter_context(open_features(client, settings.features_bucket))
        done = run(store, defaults, features=features, stop=stop)
    metrics.note_run(time.monotonic() - begun)
    for made in done:
        metrics.count_hours(made.model, made.hours)
        if made.hours:
            with about(model=made.model):
                log.info("%s: %d figures of %d hours", made.model, made.figures, made.hours)


def _reference(arguments: argparse.Namespace) -> None:
    window = read_window(arguments.start, arguments.end, default=arguments.default)
    with connect() as connection:
        store = QualityStore(connection)
        if arguments.default:
            check_model(store, arguments.model)
            store.forget_reference(arguments.model)
        elif window:
            choose(store, arguments.model, window)
        check_model(store, arguments.model)
        for version, reference in sorted(store.references(arguments.model).items()):
            print(version or "all", reference.name, f"{reference.rows} rows", sep="\t")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m monitoring",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="make what is due").set_defaults(run=_run)
    commands.add_parser("watch", help="again and again").set_defaults(run=_watch)
    reference = commands.add_parser("reference", help="what the hours of a model are compared with")
    reference.add_argument("model", metavar="MODEL")
    reference.add_argument("--from", dest="start", type=moment, metavar="TIME", help="ISO 8601")
    reference.add_argument("--to", dest="end", type=moment, metavar="TIME", help="not in it")
    reference.add_argument("--default", action="store_true", help="forget the chosen one")
    reference.set_defaults(run=_reference)
    add_commands(commands)
    return parser


if __name__ == "__main__":
    main()
