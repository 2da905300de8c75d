"""The runtime of one model as it runs: both doors, and how they are drained."""

import asyncio
import logging
import os
import signal
import sys
from concurrent.futures import Executor, ThreadPoolExecutor

import boto3
import uvloop
from botocore.config import Config
from psycopg_pool import AsyncConnectionPool

from model_runtime.answers import Answerer
from model_runtime.bus import Queue, Topic
from model_runtime.claims import Claims
from model_runtime.feature_buffer import FeatureBuffer
from model_runtime.features import DirectFeatures, FeatureStore
from model_runtime.queue_door import QueueDoor
from model_runtime.retries import Retries
from model_runtime.server import AddressInUse, serving
from model_runtime.service import InferenceService
from model_runtime.servicer import ModelRuntimeServicer
from model_runtime.settings import Settings
from model_runtime.triton import TritonModel
from model_runtime.work import Keeper

log = logging.getLogger(__name__)

THREADS = 16
"""For calls to AWS; how many may be in flight."""

# The runtime tries again by itself, with one log line for an outage.
_AWS = Config(
    max_pool_connections=THREADS,
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1, "mode": "standard"},
)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve both doors until `stop` is set, then drain. Raises AddressInUse."""
    retries = Retries(stop=stop)
    pool = AsyncConnectionPool(
        min_size=1, max_size=4, timeout=5, reconnect_timeout=5, open=False, name="claims"
    )
    with ThreadPoolExecutor(THREADS, thread_name_prefix="aws") as executor:
        features = FeatureStore(
            client=boto3.client("s3", config=_AWS),
            bucket=settings.features_bucket,
            model=settings.model,
            executor=executor,
        )
        async with (
            pool,
            TritonModel(address=settings.triton_address, model=settings.model) as triton,
            FeatureBuffer(store=features, retry=retries.features) as buffer,
            serving(
                settings.address,
                servicer=ModelRuntimeServicer(
                    model=settings.model, service=InferenceService(triton=triton, features=buffer)
                ),
                triton=triton,
                drain_s=settings.drain_s,
            ),
        ):
            log.info("serving %s on %s", settings.model, settings.address)
            direct = DirectFeatures(store=features, retry=retries.features)
            service = InferenceService(triton=triton, features=direct)
            door = _queue_door(settings, triton, service, pool, executor, retries, stop)
            await _run_until_drained(door, stop, drain_s=settings.drain_s)
    log.info("stopped")


def _queue_door(
    settings: Settings,
    triton: TritonModel,
    service: InferenceService,
    pool: AsyncConnectionPool,
    executor: Executor,
    retries: Retries,
    stop: asyncio.Event,
) -> QueueDoor:
    queue = Queue(client=boto3.client("sqs", config=_AWS), name=settings.queue, executor=executor)
    claims = Claims(
        pool=pool,
        model=settings.model,
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
    )
    keeper = Keeper(claims=claims, queue=queue, lease_s=settings.lease_s, store=retries.store)
    return QueueDoor(
        model=settings.model,
        queue=queue,
        topic=Topic(
            client=boto3.client("sns", config=_AWS), arn=settings.topic_arn, executor=executor
        ),
        claims=claims,
        keeper=keeper,
        answerer=Answerer(triton=triton, service=service, keeper=keeper, retry=retries.model),
        retries=retries,
        stop=stop,
        receive_wait_s=settings.receive_wait_s,
        lease_s=settings.lease_s,
    )


async def _run_until_drained(door: QueueDoor, stop: asyncio.Event, *, drain_s: float) -> None:
    """Run the door; once `stop` is set it has drain_s seconds."""
    running = asyncio.create_task(door.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        await asyncio.wait_for(running, drain_s)
    except TimeoutError:
        log.warning("work in flight was cut off after %s s; its leases will run out", drain_s)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("draining")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    await run(settings, stop)


def main() -> None:
    """Run until a signal has drained it; exit with one line if it cannot start."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    # The pool tells of every failed connection; the door tells once of an outage.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        uvloop.run(serve(Settings.from_env(os.environ)))
    except (ValueError, AddressInUse) as exc:
        sys.exit(f"the runtime cannot start: {exc}")
