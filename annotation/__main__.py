"""Makes labels of what people say in Label Studio, and deletes there what is to be forgotten.

    python -P -m annotation watch      when Label Studio calls, and now and then by itself
    python -P -m annotation pull       once, all tasks

PostgreSQL is found by PG*, Label Studio by PMESH_LABEL_STUDIO_URL and PMESH_LABEL_STUDIO_TOKEN.
"""

import argparse
import logging
import os
import signal
import sys
import threading

import psycopg

from annotation.label_studio import LabelStudio, LabelStudioAway, LabelStudioRefused
from annotation.look import look
from annotation.settings import ProgramSettings, Settings
from annotation.store import AnnotationStore
from annotation.watch import watch
from contract.heartbeat import heartbeat
from contract.settings import read
from database.connections import connect


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(
        prog="python -P -m annotation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("watch", help="again and again").set_defaults(run=_watch)
    commands.add_parser("pull", help="once, all tasks").set_defaults(run=_pull)
    try:
        parser.parse_args().run()
    except (ValueError, OSError, LabelStudioAway, LabelStudioRefused) as error:
        sys.exit(f"annotation: {error}")
    except psycopg.OperationalError as error:
        sys.exit(f"annotation: PostgreSQL does not answer: {error}")
    except psycopg.Error as error:
        sys.exit(f"annotation: PostgreSQL refuses: {error.diag.message_primary}")


def _watch() -> None:
    settings = read(ProgramSettings, os.environ)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch(settings, stop, heartbeat(os.environ))


def _pull() -> None:
    settings = read(Settings, os.environ)
    with connect() as connection:
        label_studio = LabelStudio(settings.url, settings.token)
        for model, pulled in look(AnnotationStore(connection), label_studio, full=True).items():
            print(model, f"{pulled.added} added", f"{pulled.withdrawn} withdrawn", sep="\t")


if __name__ == "__main__":
    main()
