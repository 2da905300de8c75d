"""What an asyncio program opens to be seen, and how it ends."""

import asyncio

import pytest

from telemetry.spans import span
from telemetry.telling import telling
from telemetry.trace_context import TraceContext
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.ports import free_port

SAMPLED = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)


async def test_the_event_loop_goes_on_while_a_receiver_hangs_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds = 0

    async def go_round() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0.01)

    with receiving_spans() as receiver:
        receiver.silent.set()
        for name, value in receiver.environment.items():
            monkeypatch.setenv(name, value)
        async with telling("relay", "127.0.0.1", free_port()):
            with span("send events", parent=SAMPLED):
                pass
            going = asyncio.create_task(go_round())
            await asyncio.sleep(0)
            before = rounds
        assert rounds > before + 10
        going.cancel()
