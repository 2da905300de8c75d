"""Carries out releases, follows the registry's alias, and takes away what nothing uses any more.

    python -P -m rollout watch

Whoever wants a release asks the gateway: `pmesh release`, or CreateRelease of predict.v1.
PostgreSQL is found by PG*, the registry by MLFLOW_TRACKING_URI, Triton by PMESH_TRITON_REPOSITORY,
PMESH_TRITON_ADDRESS and PMESH_TRITON_KEY. Without PMESH_TRITON_REPOSITORY, only versions can be
released that servers of others answer for, as models/<name>/values.yaml says.
"""

import argparse
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import psycopg

from contract.arguments import whole_number
from contract.heartbeat import heartbeat
from contract.logs import end, log_to_stderr
from contract.settings import InvalidSetting, read
from database.errors import said
from rollout.settings import ForeignSettings, Settings
from rollout.store import ReleaseStore, connect
from telemetry.metrics_server import metrics_server
from telemetry.tracing import tracing


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    arguments = _parser().parse_args()
    log_to_stderr("rollout")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of each attempt
    try:
        _watch(arguments)
    except (InvalidSetting, OSError) as error:
        end(f"watch: {error}")
    except psycopg.OperationalError as error:
        end(f"watch: PostgreSQL does not answer: {said(error)}")
    except psycopg.Error as error:
        end(f"watch: PostgreSQL refuses: {said(error)}")


def _watch(arguments: argparse.Namespace) -> None:
    from rollout import metrics, wiring
    from rollout.bell import Bell
    from rollout.watch import Watcher

    has_triton = bool(os.environ.get("PMESH_TRITON_REPOSITORY"))
    settings = read(Settings if has_triton else ForeignSettings, os.environ)
    beat = heartbeat(os.environ)
    stop, look = threading.Event(), threading.Event()
    with ExitStack() as stack:
        sent = stack.enter_context(tracing("rollout"))
        address, port = settings.metrics_address, settings.metrics_port
        stack.enter_context(metrics_server(address, port, sent, *metrics.COLLECTORS))
        bell = Bell(stack.enter_context(connect(lock_s=1)))

        def end(*_: object) -> None:
            stop.set()
            look.set()
            bell.ring()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        hint = None
        if arguments.webhook_port and has_triton:
            hint = _listen(stack, arguments, settings.tracking_uri, heard=look.set)

        def carry_on(model: str) -> None:
            with connect(lock_s=60) as connection:
                wiring.releaser(ReleaseStore(connection), settings).carry_on(model)

        def keep_house() -> None:
            with connect(lock_s=1) as connection:
                housekeeping = wiring.housekeeping(ReleaseStore(connection), settings, hint)
                housekeeping.run(stop=stop, wake=look, poll_s=settings.poll_s)

        Watcher(
            store=ReleaseStore(stack.enter_context(connect(lock_s=1))),
            bell=bell,
            carry_on=carry_on,
            housekeeping=keep_house,
            stop=stop,
            beat=beat,
        ).run(settings.poll_s)


def _listen(
    stack: ExitStack, arguments: argparse.Namespace, tracking_uri: str, *, heard: Callable[[], None]
) -> Callable[[], None] | None:
    """Listen for the registry's word; what asks it to give it, or None if nothing can."""
    from rollout.webhook import PATH, WebhookServer, subscribe

    secret = os.environ.get("PMESH_WEBHOOK_SECRET", "")
    address, port = arguments.webhook_address, arguments.webhook_port
    url = arguments.webhook_url or f"http://{address}:{port}{PATH}"
    if not secret:
        return None
    try:
        stack.enter_context(WebhookServer(address, port, secret=secret, heard=heard))
    except OSError as error:
        logging.warning("no hints from the registry on %s: %s", url, error)
        return None
    return partial(subscribe, tracking_uri, url=url, secret=secret)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m rollout",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    watch = commands.add_parser("watch", help="carry out releases, and look after the rest")
    watch.add_argument(
        "--webhook-port",
        type=whole_number(1, 65535),
        metavar="PORT",
        help="where the registry may give word",
    )
    watch.add_argument(
        "--webhook-address", default="127.0.0.1", metavar="IP", help="to listen on for it"
    )
    watch.add_argument(
        "--webhook-url", default="", metavar="URL", help="the same as the registry reaches it"
    )
    return parser


if __name__ == "__main__":
    main()
