"""The relay process: `python -m gateway.relay`, set up by the variables of gateway.relay.settings.

Any number of relays may run side by side.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache, partial

import boto3
import psycopg
import uvloop
from botocore.config import Config
from psycopg_pool import AsyncConnectionPool

from gateway.bus.sns import Topic
from gateway.bus.sqs import Queue
from gateway.bus.topology import Names
from gateway.relay.dead_letters import DeadLetters
from gateway.relay.listener import listen
from gateway.relay.loops import repeat
from gateway.relay.publisher import Publisher
from gateway.relay.responses import Responses
from gateway.relay.settings import Settings
from gateway.relay.sweeps import Sweeps
from gateway.relay.upkeep import Upkeep

log = logging.getLogger(__name__)

THREADS = 12
"""For calls to AWS; how many may be in flight."""
UPKEEP_S = 3600.0

# The relay's own loops try again, after a delay and with a log line.
_AWS = Config(
    max_pool_connections=THREADS,
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1, "mode": "standard"},
)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Relay until `stop` is set, then end what has begun."""
    pool = AsyncConnectionPool(min_size=2, max_size=6, timeout=5, reconnect_timeout=5, open=False)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="aws") as executor:
        async with pool, asyncio.TaskGroup() as tasks:
            listener = _start(settings, pool, executor, stop, tasks)
            log.info("relaying to %s", settings.topic_arn)
            await stop.wait()
            listener.cancel()
    log.info("stopped")


def _start(
    settings: Settings,
    pool: AsyncConnectionPool,
    executor: Executor,
    stop: asyncio.Event,
    tasks: asyncio.TaskGroup,
) -> asyncio.Task[None]:
    """Wire the parts up and start their loops; the answer is the one that must be cancelled."""
    sqs = boto3.client("sqs", config=_AWS)
    names = Names(settings.bus_prefix)

    @cache
    def open_queue(name: str) -> Queue:
        return Queue(client=sqs, name=name, executor=executor)

    publisher = Publisher(
        pool=pool,
        topic=Topic(
            client=boto3.client("sns", config=_AWS), arn=settings.topic_arn, executor=executor
        ),
        max_in_flight=settings.max_in_flight,
        poll_s=settings.poll_s,
    )
    responses = Responses(
        pool=pool,
        queue=open_queue(names.gateway_queue),
        features_bucket=settings.features_bucket,
        receive_wait_s=settings.receive_wait_s,
        on_finished=publisher.wake,
    )
    sweeps = Sweeps(
        pool=pool,
        responses=open_queue(names.gateway_queue),
        model_queue=lambda model: open_queue(names.model_queue(model)),
        max_attempts=settings.max_attempts,
        rearm_after_s=settings.rearm_after_s,
        lost_after_s=settings.lost_after_s,
        on_rearmed=publisher.wake,
    )
    dead_letters = DeadLetters(
        pool=pool, names=names, open_queue=open_queue, responses=responses, sweeps=sweeps
    )

    def start(name: str, step: Callable[[], Awaitable[None]], pause_s: float) -> asyncio.Task[None]:
        return tasks.create_task(repeat(step, name=name, stop=stop, pause_s=pause_s))

    start("publisher", publisher.step, 0)
    start("responses", responses.step, 0)
    start("sweeps", sweeps.step, settings.sweep_s)
    start("dead letters", dead_letters.step, settings.sweep_s)
    start("upkeep", Upkeep(pool=pool).step, UPKEEP_S)
    return start("listener", partial(listen, publisher.wake), 0)


async def serve(settings: Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    await run(settings, stop)


def main() -> None:
    """Run the process; exit with one line if it cannot."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    # The pool tells of every failed connection; the loops tell once of an outage.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        settings = Settings.from_env(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    try:
        uvloop.run(serve(settings))
    except ExceptionGroup as errors:
        unfit = [e for e in errors.exceptions if isinstance(e, psycopg.ProgrammingError)]
        if not unfit:
            raise
        sys.exit(f"the database is not of this version: {unfit[0].diag.message_primary}")


if __name__ == "__main__":
    main()
