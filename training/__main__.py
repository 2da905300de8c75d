"""Works off the trainings from labels that were asked for, by a person or an alert.

    python -P -m training run      once: all that are asked for
    python -P -m training watch    those, and whatever is asked for later

PostgreSQL is found by PG*, the registry by MLFLOW_TRACKING_URI. With PMESH_MODEL, as in the image
of a model, only those of this one.
"""

import argparse
import logging
import os
import signal
import threading

import psycopg

from contract.logs import end, log_to_stderr
from contract.settings import InvalidSetting, read
from database.connections import connect
from database.errors import said
from telemetry.metrics_server import metrics_server
from telemetry.tracing import tracing
from training import metrics
from training.retraining import work_off
from training.settings import RetrainingSettings
from training.store import TrainingStore

log = logging.getLogger("training")


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    arguments = _parser().parse_args()
    log_to_stderr("training")
    try:
        settings = read(RetrainingSettings, os.environ)
        arguments.run(settings, _stop_on_signals())
    except (InvalidSetting, OSError) as error:
        end(f"training: {error}")
    except psycopg.OperationalError as error:
        end(f"training: PostgreSQL does not answer: {said(error)}")
    except psycopg.Error as error:
        end(f"training: PostgreSQL refuses: {said(error)}")


def _run(settings: RetrainingSettings, stop: threading.Event) -> None:
    with tracing("training"), connect() as connection:
        _work_off(TrainingStore(connection), settings, stop)


def _watch(settings: RetrainingSettings, stop: threading.Event) -> None:
    address, port = settings.metrics_address, settings.metrics_port
    with tracing("training") as sent, metrics_server(address, port, sent, *metrics.COLLECTORS):
        while not stop.is_set():
            try:
                with connect() as connection:
                    store = TrainingStore(connection)
                    while not stop.is_set():
                        _work_off(store, settings, stop)
                        stop.wait(settings.poll_s)
            except psycopg.OperationalError as error:
                metrics.forget()
                log.warning("PostgreSQL does not answer: %s", said(error))
                stop.wait(settings.poll_s)


def _work_off(store: TrainingStore, settings: RetrainingSettings, stop: threading.Event) -> None:
    work_off(
        store,
        model=settings.model,
        timeout_s=settings.timeout_s,
        stop=stop.is_set,
        tell=log.info,
    )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="what is asked for now").set_defaults(run=_run)
    commands.add_parser("watch", help="and later").set_defaults(run=_watch)
    return parser


if __name__ == "__main__":
    main()
