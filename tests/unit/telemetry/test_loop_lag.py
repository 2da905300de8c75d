"""How long the event loop was not heard of, as somebody reads it who is not in it."""

import asyncio
import time

from telemetry.loop_lag import LoopLag


def silent_s(lag: LoopLag) -> float:
    (value,) = (
        sample.value
        for metric in lag.collect()
        for sample in metric.samples
        if sample.name == "pmesh_event_loop_silent_seconds"
    )
    return float(value)


def test_a_loop_that_hangs_is_seen_while_it_does() -> None:
    async def hang() -> tuple[float, float]:
        lag = LoopLag()
        watching = asyncio.create_task(lag.watch())
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - it hangs
        first = silent_s(lag)
        time.sleep(0.3)  # noqa: ASYNC251
        second = silent_s(lag)
        await asyncio.sleep(0.1)
        watching.cancel()
        return first, second - silent_s(lag)

    hung, came_round = asyncio.run(hang())
    assert hung >= 0.2
    assert came_round > 0
