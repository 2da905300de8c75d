"""The relay process: `python -P -m relay`, set up by the variables of relay.settings.

Any number of relays may run side by side.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import cache, partial

import boto3
from psycopg_pool import AsyncConnectionPool

from bus import aws
from bus.metrics import BUS_METRICS
from bus.outages import OutageMetric, repeat
from bus.sns import Topic
from bus.sqs import Queue
from bus.topology import Names
from contract.process import run_program
from database.connections import tell_pool
from features.aging import FeatureAging
from features.erasure import FeatureErasure
from relay.connections import make_pool
from relay.dead_letters import DeadLetters
from relay.erasures import Erasures
from relay.figures import PAUSE_S, RelayFigures
from relay.listener import listen
from relay.metrics import RELAY_METRICS
from relay.publisher import Publisher
from relay.responses import Responses
from relay.retention import Retention
from relay.settings import Settings
from relay.sweeps import Sweeps
from relay.upkeep import Upkeep
from telemetry.capacity import CAPACITY
from telemetry.telling import telling

log = logging.getLogger(__name__)

UPKEEP_S = 3600.0
RETENTION_S = 30.0
ERASURES_S = 1.0
DEPENDENCIES = ("PostgreSQL", "queue", "topic")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Relay until `stop` is set, then end what has begun."""
    with aws.open_threads() as threads:
        pool, open_queue = make_pool(), _queues(threads)
        figures = RelayFigures(pool=pool, names=Names(settings.bus_prefix), open_queue=open_queue)
        tell_pool(pool)
        metrics = (*BUS_METRICS, *RELAY_METRICS, CAPACITY, figures, OutageMetric(*DEPENDENCIES))
        async with (
            telling("relay", settings.metrics_address, settings.metrics_port, *metrics),
            pool,
            asyncio.TaskGroup() as tasks,
        ):
            listener = _start(settings, pool, threads, open_queue, figures, stop, tasks)
            log.info("relaying to %s", settings.topic_arn)
            await stop.wait()
            listener.cancel()
    log.info("stopped")


def _queues(threads: Executor) -> Callable[[str], Queue]:
    """Opens each queue once."""
    sqs = boto3.client("sqs", config=aws.CONFIG)

    @cache
    def open_queue(name: str) -> Queue:
        return Queue(client=sqs, name=name, executor=threads)

    return open_queue


def _start(
    settings: Settings,
    pool: AsyncConnectionPool,
    threads: Executor,
    open_queue: Callable[[str], Queue],
    figures: RelayFigures,
    stop: asyncio.Event,
    tasks: asyncio.TaskGroup,
) -> asyncio.Task[None]:
    """Wire the parts up and start their loops; the answer is the one that must be cancelled."""
    sns, s3 = boto3.client("sns", config=aws.CONFIG), boto3.client("s3", config=aws.CONFIG)
    names = Names(settings.bus_prefix)
    publisher = Publisher(
        pool=pool,
        topic=Topic(client=sns, arn=settings.topic_arn, executor=threads),
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
    erasures = Erasures(pool=pool, features=FeatureErasure(client=s3, executor=threads))
    retention = Retention(
        features=FeatureAging(client=s3, bucket=settings.features_bucket, executor=threads)
    )

    def start(name: str, step: Callable[[], Awaitable[None]], pause_s: float) -> asyncio.Task[None]:
        return tasks.create_task(repeat(step, name=name, stop=stop, pause_s=pause_s))

    start("publisher", publisher.step, 0)
    answering = start("responses", responses.step, 0)
    answering.add_done_callback(lambda _: responses.let_go())
    start("sweeps", sweeps.step, settings.sweep_s)
    start("dead letters", dead_letters.step, settings.dead_letters_s)
    start("upkeep", Upkeep(pool=pool).step, UPKEEP_S)
    start("erasures", erasures.step, ERASURES_S)
    start("retention", retention.step, RETENTION_S)
    start("figures", figures.step, PAUSE_S)
    return start("listener", partial(listen, publisher.wake), 0)


if __name__ == "__main__":
    run_program("relay", Settings, run)
