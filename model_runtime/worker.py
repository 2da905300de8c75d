"""The worker of one model as it runs: what it is made of, and how it ends."""

import asyncio
import logging
from concurrent.futures import Executor
from contextlib import suppress

import boto3
from psycopg_pool import AsyncConnectionPool

from bus import aws
from bus.metrics import BUS_METRICS
from bus.outages import OutageMetric, Stopping
from bus.sns import Topic
from bus.sqs import Queue
from bus.topology import Names
from contract.logs import about, end
from database.connections import bounded, tell_pool
from features.objects import FeatureObjects
from model_runtime.answering import Answerer
from model_runtime.availability import Availability
from model_runtime.claims import Claims
from model_runtime.keeper import Keeper
from model_runtime.metrics import WORKER_METRICS, begin
from model_runtime.publication import Publication
from model_runtime.queue_worker import QueueWorker
from model_runtime.retries import Retries
from model_runtime.servers import Servers
from model_runtime.settings import Settings
from telemetry.capacity import CAPACITY
from telemetry.telling import telling

log = logging.getLogger(__name__)

DEPENDENCIES = ("PostgreSQL", "S3", "queue", "topic")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish what has begun."""
    pool = AsyncConnectionPool(
        bounded(), min_size=1, max_size=4, timeout=5, reconnect_timeout=5, open=False
    )
    tell_pool(pool)
    metrics = (*BUS_METRICS, *WORKER_METRICS, CAPACITY, OutageMetric(*DEPENDENCIES))
    begin(settings.model)
    telling_of_it = telling("worker", settings.metrics_address, settings.metrics_port, *metrics)
    with aws.open_threads() as threads, about(model=settings.model):
        async with telling_of_it, pool, Servers() as servers:
            claims = Claims(pool=pool, lease_s=settings.lease_s, max_attempts=settings.max_attempts)
            retries = Retries(stop=stop)
            with suppress(Stopping):
                _check_login(settings, await retries.store(claims.model))
            worker = _wire(settings, claims, retries, servers, threads, stop)
            log.info("working for %s", settings.model)
            await _run_until_finished(worker, stop, finish_s=settings.finish_s)
    log.info("stopped")


def _check_login(settings: Settings, own: str) -> None:
    """End the process if its login is that of another model, whose requests it would claim."""
    if own != settings.model:
        end(f"PMESH_MODEL is {settings.model}, but the login to the database is for {own}")


def _wire(
    settings: Settings,
    claims: Claims,
    retries: Retries,
    servers: Servers,
    threads: Executor,
    stop: asyncio.Event,
) -> QueueWorker:
    queue = Queue(
        client=boto3.client("sqs", config=aws.CONFIG),
        name=Names(settings.bus_prefix).model_queue(settings.model),
        executor=threads,
    )
    topic = Topic(
        client=boto3.client("sns", config=aws.CONFIG), arn=settings.topic_arn, executor=threads
    )
    features = FeatureObjects(
        client=boto3.client("s3", config=aws.CONFIG),
        bucket=settings.features_bucket,
        executor=threads,
    )
    keeper = Keeper(
        model=settings.model,
        claims=claims,
        queue=queue,
        lease_s=settings.lease_s,
        store=retries.store,
    )
    answerer = Answerer(
        model=settings.model,
        servers=servers,
        availability=Availability(model=settings.model, servers=servers, stop=stop),
        features=features,
        keeper=keeper,
        retries=retries,
    )
    return QueueWorker(
        model=settings.model,
        queue=queue,
        claims=claims,
        keeper=keeper,
        answerer=answerer,
        publication=Publication(topic=topic, retry=retries.topic),
        retries=retries,
        stop=stop,
        receive_wait_s=settings.receive_wait_s,
        lease_s=settings.lease_s,
    )


async def _run_until_finished(worker: QueueWorker, stop: asyncio.Event, *, finish_s: float) -> None:
    """Run the worker; once `stop` is set it has finish_s seconds."""
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        await asyncio.wait_for(running, finish_s)
    except TimeoutError:
        log.warning("work in flight was cut off after %s s; its leases will run out", finish_s)
