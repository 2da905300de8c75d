"""Moves models' versions into and out of service.

    python -P -m rollout release sentiment@3                    all the traffic, once it has passed
    python -P -m rollout release sentiment@3 --canary 10        a tenth of it, until you promote it
    python -P -m rollout release sentiment@3 --steps 10,50,100 --pause 600
    python -P -m rollout promote sentiment                      the newest version gets all of it
    python -P -m rollout rollback sentiment                     back to what was before
    python -P -m rollout watch                                  follows the registry, and tidies up

PostgreSQL is found by PG*, the registry by MLFLOW_TRACKING_URI, Triton by PMESH_TRITON_ADDRESS,
PMESH_TRITON_KEY and PMESH_TRITON_REPOSITORY. A version that a server of others answers for, as
models/<name>/values.yaml says, needs PostgreSQL only; MLFLOW_TRACKING_URI, if it is there, is asked
whether the registry has the number too.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import psycopg

from contract.arguments import whole_number
from contract.settings import read
from database.connections import bounded
from rollout.options import add_release_options, add_signature
from rollout.settings import ForeignSettings, Settings
from rollout.store import ModelNotRegistered, ReleaseStore
from rollout.traffic import WHOLE, NothingToDo, promote, roll_back

if TYPE_CHECKING:
    from rollout.wiring import Parts

NICENESS = 19
"""Of a release, on a machine that serves as well."""
SomeSettings = TypeVar("SomeSettings", bound=ForeignSettings)


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of each attempt
    arguments = _parser().parse_args()
    try:
        with psycopg.connect(bounded(), autocommit=True) as connection:
            arguments.run(ReleaseStore(connection), arguments)
    except (ModelNotRegistered, NothingToDo, ValueError) as error:
        sys.exit(f"{arguments.command}: {error}")
    except psycopg.OperationalError as error:
        sys.exit(f"{arguments.command}: PostgreSQL does not answer: {error}")
    except psycopg.Error as error:
        sys.exit(f"{arguments.command}: PostgreSQL refuses: {error.diag.message_primary}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _promote(store: ReleaseStore, arguments: argparse.Namespace) -> None:
    version = promote(store, arguments.model, actor=arguments.actor, reason=arguments.reason)
    print(f"{arguments.model} {version} has all the traffic")


def _roll_back(store: ReleaseStore, arguments: argparse.Namespace) -> None:
    shares = roll_back(store, arguments.model, actor=arguments.actor, reason=arguments.reason)
    print(f"{arguments.model} is back at " + ", ".join(f"{v}: {p} %" for v, p in shares.items()))


def _release(store: ReleaseStore, arguments: argparse.Namespace) -> None:
    from inference.blocking import InferenceError
    from rollout.refusal import Refused, remedy
    from rollout.release import Busy, TakenOver
    from rollout.wiring import foreign_releaser, is_foreign

    os.nice(NICENESS)
    model, version = arguments.version
    foreign = is_foreign(model, version)
    if foreign:
        settings = _with_margin(read(ForeignSettings, os.environ), arguments)
        releaser = foreign_releaser(store, settings)
    else:
        releaser = _parts(store, _with_margin(read(Settings, os.environ), arguments)).releaser
    try:
        releaser.release(
            model,
            version,
            steps=arguments.steps or [arguments.canary or WHOLE],
            pause_s=arguments.pause,
            actor=arguments.actor,
            reason=arguments.reason,
        )
    except Refused as refusal:
        sys.exit(
            f"{model}@{version} is refused: {refusal.reason}: {refusal.detail}"
            f"\ntry: {remedy(refusal.reason, foreign=foreign)}"
        )
    except (Busy, TakenOver, InferenceError, OSError) as error:
        sys.exit(f"release: {error}")


def _with_margin(settings: SomeSettings, arguments: argparse.Namespace) -> SomeSettings:
    if arguments.margin is None:
        return settings
    return replace(settings, quality_margin=arguments.margin)


def _watch(store: ReleaseStore, arguments: argparse.Namespace) -> None:
    from rollout.watch import Watcher
    from rollout.webhook import PATH, WebhookServer, subscribe

    settings = read(Settings, os.environ)
    stop, wake = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    parts = _parts(store, settings)
    watcher = Watcher(
        store=store,
        registry=parts.registry,
        releaser=parts.releaser,
        serving=parts.serving,
        foreign=parts.foreign,
        idle_s=settings.idle_s,
    )
    secret = os.environ.get("PMESH_WEBHOOK_SECRET", "")
    with ExitStack() as stack:
        if arguments.webhook_port and secret:
            port = arguments.webhook_port
            url = f"http://127.0.0.1:{port}{PATH}"
            try:
                stack.enter_context(WebhookServer(port=port, secret=secret, heard=wake.set))
                watcher.hint = partial(subscribe, settings.tracking_uri, url=url, secret=secret)
            except OSError as error:
                logging.warning("no hints from the registry on %s: %s", url, error)
        watcher.run(stop=stop, wake=wake, poll_s=settings.poll_s)


def _parts(store: ReleaseStore, settings: Settings) -> "Parts":
    """What they import takes seconds."""
    from rollout.wiring import parts

    return parts(store, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m rollout",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    release = commands.add_parser("release", help="bring a version into service")
    add_release_options(release)
    release.set_defaults(run=_release)

    for name, run, text in (
        ("promote", _promote, "give the newest version all the traffic"),
        ("rollback", _roll_back, "go back to the split before the newest version"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("model", metavar="NAME")
        add_signature(command)
        command.set_defaults(run=run)

    watch = commands.add_parser("watch", help="follow the registry's alias, and tidy up")
    watch.add_argument(
        "--webhook-port",
        type=whole_number(1, 65535),
        metavar="PORT",
        help="where the registry may give word",
    )
    watch.set_defaults(run=_watch)
    return parser


if __name__ == "__main__":
    main()
