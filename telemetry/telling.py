"""What an asyncio program opens to be seen: its spans, its metrics, its event loop's lag."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from prometheus_client.registry import Collector

from telemetry.loop_lag import LoopLag
from telemetry.metrics_server import metrics_server
from telemetry.tracing import tracing


@asynccontextmanager
async def telling(
    service: str, address: str, port: int, *collectors: Collector
) -> AsyncIterator[None]:
    """Within the block, metrics are at http://address:port/metrics, and spans go by OTLP.

    service: the name of the program. port: 0: no metrics. collectors: of the program's own. Raises
    OSError if nothing can listen there; ValueError, naming the variable, for wrong settings.
    """
    lag = LoopLag()
    with ExitStack() as opening:
        sent = opening.enter_context(tracing(service))
        opening.enter_context(metrics_server(address, port, sent, lag, *collectors))
        opened = opening.pop_all()
    watching = asyncio.create_task(lag.watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.to_thread(opened.close)  # it waits for threads and for the receiver
