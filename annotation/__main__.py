"""Makes labels of what people say in Label Studio, and deletes there what is to be forgotten.

    python -P -m annotation watch      when Label Studio calls, and now and then by itself
    python -P -m annotation pull       once, all tasks

PostgreSQL is found by PG*, Label Studio by PMESH_LABEL_STUDIO_URL and PMESH_LABEL_STUDIO_TOKEN.
"""

import argparse
import os
import signal
import threading

import psycopg

from annotation import metrics
from annotation.label_studio import LabelStudio, LabelStudioAway, LabelStudioRefused
from annotation.look import look
from annotation.settings import ProgramSettings, Settings
from annotation.store import AnnotationStore
from annotation.watch import watch
from contract.heartbeat import heartbeat
from contract.logs import end, log_to_stderr
from contract.settings import InvalidSetting, read
from database.connections import connect
from database.errors import said
from telemetry.metrics_server import metrics_server
from telemetry.tracing import tracing


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -P -m annotation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("watch", help="again and again").set_defaults(run=_watch)
    commands.add_parser("pull", help="once, all tasks").set_defaults(run=_pull)
    arguments = parser.parse_args()
    log_to_stderr("annotation")
    try:
        arguments.run()
    except (InvalidSetting, OSError, LabelStudioAway, LabelStudioRefused) as error:
        end(f"annotation: {error}")
    except psycopg.OperationalError as error:
        end(f"annotation: PostgreSQL does not answer: {said(error)}")
    except psycopg.Error as error:
        end(f"annotation: PostgreSQL refuses: {said(error)}")


def _watch() -> None:
    settings = read(ProgramSettings, os.environ)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    beat = heartbeat(os.environ)
    address, port = settings.metrics_address, settings.metrics_port
    with tracing("annotation") as sent, metrics_server(address, port, sent, *metrics.COLLECTORS):
        watch(settings, stop, beat)


def _pull() -> None:
    settings = read(Settings, os.environ)
    with connect() as connection:
        label_studio = LabelStudio(settings.url, settings.token)
        for model, pulled in look(AnnotationStore(connection), label_studio, full=True).items():
            print(model, f"{pulled.added} added", f"{pulled.withdrawn} withdrawn", sep="\t")


if __name__ == "__main__":
    main()
