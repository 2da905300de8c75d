"""Ships a spool of feature rows to S3: `python -P -m features`, set up by features.settings.

It stands beside the program that appends to the spool. SIGTERM or SIGINT ends it once what is
whole has been shipped, or S3 is away; a second one ends it at once.
"""

import asyncio
import logging
from contextlib import suppress

import boto3

from bus.aws import CONFIG, open_threads
from bus.outages import OutageMetric, Retry, Stopping, repeat
from contract.process import run_program
from features.errors import FeaturesUnavailable
from features.metrics import SHIPPED_OBJECTS, SHIPPED_ROWS, SpoolFigures
from features.objects import FeatureObjects
from features.settings import Settings
from features.shipper import Shipper
from telemetry.telling import telling

log = logging.getLogger("features")

PAUSE_S = 0.2
"""Between looks at the folder."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Ship until `stop` is set, and then what is there."""
    metrics = (SHIPPED_ROWS, SHIPPED_OBJECTS, SpoolFigures(settings.spool), OutageMetric("S3"))
    async with telling("features", settings.metrics_address, settings.metrics_port, *metrics):
        await _ship(settings, stop)
    log.info("stopped")


async def _ship(settings: Settings, stop: asyncio.Event) -> None:
    with open_threads() as executor:
        shipper = Shipper(
            settings.spool,
            objects=FeatureObjects(
                client=boto3.client("s3", config=CONFIG), bucket=settings.bucket, executor=executor
            ),
            patiently=Retry("S3", FeaturesUnavailable, stop=stop),
        )
        log.info("shipping %s to %s", settings.spool, settings.bucket)
        await repeat(shipper.step, name="shipping", stop=stop, pause_s=PAUSE_S)
        with suppress(Stopping):
            await shipper.step()


if __name__ == "__main__":
    run_program("features", Settings, run)
