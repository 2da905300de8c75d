"""Moves models' versions into and out of service.

    python -m rollout release sentiment@3                    all the traffic, once it has passed
    python -m rollout release sentiment@3 --canary 10        a tenth of it, until you promote it
    python -m rollout release sentiment@3 --steps 10,50,100 --pause 600
    python -m rollout promote sentiment                      the newest version gets all of it
    python -m rollout rollback sentiment                     back to what was before
    python -m rollout watch                                  follows the registry, and tidies up

PostgreSQL is found by PG*, the registry by MLFLOW_TRACKING_URI, Triton by PMESH_TRITON_HTTP and
PMESH_TRITON_REPOSITORY.
"""

import argparse
import getpass
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from rollout.settings import Settings
from rollout.store import ReleaseStore, UnknownModel
from rollout.traffic import WHOLE, NothingToDo, promote, roll_back
from rollout.version_name import VersionName

if TYPE_CHECKING:
    from model_runtime.registry import Registry
    from rollout.release import Releaser
    from rollout.serving import Serving


NICENESS = 19
"""Of a release, on a machine that serves as well."""
LOCK_WAIT_S = 30.0
"""For what another process does with the same model; tidying up takes seconds."""


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of each attempt
    arguments = _parser().parse_args()
    try:
        with psycopg.connect(autocommit=True) as connection:
            arguments.run(ReleaseStore(connection), arguments)
    except (UnknownModel, NothingToDo, ValueError) as error:
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
    from rollout.refusal import REMEDIES, Refused
    from rollout.release import Busy, TakenOver
    from triton_repo.control import TritonError

    os.nice(NICENESS)
    settings = Settings.from_env(os.environ)
    if arguments.margin is not None:
        settings = replace(settings, quality_margin=arguments.margin)
    model, version = arguments.version
    steps = arguments.steps or [arguments.canary or WHOLE]
    _, _, releaser = _wire(store, settings)
    try:
        releaser.release(
            model,
            version,
            steps=steps,
            pause_s=arguments.pause,
            actor=arguments.actor,
            reason=arguments.reason,
        )
    except Refused as refusal:
        sys.exit(
            f"{model}@{version} is refused: {refusal.reason}: {refusal.detail}"
            f"\ntry: {REMEDIES[refusal.reason]}"
        )
    except (Busy, TakenOver, TritonError, OSError) as error:
        sys.exit(f"release: {error}")


def _watch(store: ReleaseStore, arguments: argparse.Namespace) -> None:
    from rollout.watch import Watcher
    from rollout.webhook import PATH, WebhookServer, subscribe

    settings = Settings.from_env(os.environ)
    stop, wake = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    registry, serving, releaser = _wire(store, settings)
    watcher = Watcher(
        store=store,
        registry=registry,
        releaser=releaser,
        serving=serving,
        drain_s=settings.drain_s,
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
        watcher.run(stop=stop, wake=wake, poll_s=arguments.poll)


def _wire(store: ReleaseStore, settings: Settings) -> "tuple[Registry, Serving, Releaser]":
    """The parts of a release. What they import takes seconds."""
    from model_runtime.registry import Registry
    from rollout.gate import Gate
    from rollout.release import Releaser
    from rollout.serving import Serving
    from triton_repo.control import Triton

    registry = Registry(settings.tracking_uri)
    serving = Serving(
        repository=settings.repository,
        triton=Triton(settings.triton_address),
        device=settings.device,
    )
    gate = Gate(registry=registry, serving=serving, margin=settings.quality_margin)
    releaser = Releaser(
        store=store,
        gate=gate,
        serving=serving,
        drain_s=settings.drain_s,
        patience_s=LOCK_WAIT_S,
        tell=logging.getLogger("rollout").info,
    )
    return registry, serving, releaser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rollout",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument("--actor", default=getpass.getuser(), help="who, for the history")
    signed.add_argument("--reason", default="", help="why, for the history")

    release = commands.add_parser("release", parents=[signed], help="bring a version into service")
    release.add_argument("version", type=_version, metavar="NAME@VERSION")
    share = release.add_mutually_exclusive_group()
    share.add_argument("--canary", type=_percent, help="percent of the traffic; default: all")
    share.add_argument("--steps", type=_steps, help="rising percents, such as 10,50,100")
    release.add_argument(
        "--margin", type=_number, help="how much of the primary metric it may lose; default: 0.02"
    )
    release.add_argument("--pause", type=_number, default=60.0, help="seconds between steps")
    release.set_defaults(run=_release)

    for name, run, text in (
        ("promote", _promote, "give the newest version all the traffic"),
        ("rollback", _roll_back, "go back to the split before the newest version"),
    ):
        command = commands.add_parser(name, parents=[signed], help=text)
        command.add_argument("model", metavar="NAME")
        command.set_defaults(run=run)

    watch = commands.add_parser("watch", help="follow the registry's alias, and tidy up")
    watch.add_argument("--poll", type=float, default=5.0, help="seconds between looks")
    watch.add_argument("--webhook-port", type=int, help="where the registry may give word")
    watch.set_defaults(run=_watch)
    return parser


def _version(text: str) -> VersionName:
    try:
        return VersionName.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _percent(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= WHOLE:
        raise argparse.ArgumentTypeError("a share is 1 to 100 percent")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError("it must be a number, at least 0")
    return number


def _steps(text: str) -> "Sequence[Any]":
    steps = [_percent(part) for part in text.split(",")]
    if steps != sorted(set(steps)):
        raise argparse.ArgumentTypeError("steps rise, such as 10,50,100")
    return steps


if __name__ == "__main__":
    main()
