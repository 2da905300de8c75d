"""Triton's own spans, at a real receiver, and a receiver that is away."""

import asyncio
import os
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.blocking import infer
from inference.tensors import SCORES, infer_request
from telemetry.trace_context import TraceContext, new_trace_id
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.parrot.model import Model
from tests.parts.ports import free_port
from tests.parts.triton import Triton

CALLER = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
CANARY = "a canary, good"


def parrot(triton: Triton) -> None:
    triton.add("parrot", "1", Model(version=1))
    triton.load("parrot")


async def ask(triton: Triton, *traceparents: str) -> None:
    request = infer_request("parrot", "1", [CANARY], [SCORES])
    async with grpc.aio.insecure_channel(triton.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        for traceparent in traceparents:
            metadata = (("traceparent", traceparent),) if traceparent else ()
            await stub.ModelInfer(request, metadata=metadata)


def test_a_call_with_a_traceparent_is_part_of_its_trace_and_no_other_is_recorded() -> None:
    """Headers, such as MLflow wants one, are read by Triton's exporter itself."""
    with receiving_spans() as receiver:
        headers = {"OTEL_EXPORTER_OTLP_HEADERS": "x-mlflow-experiment-id=0"}
        with Triton(**receiver.environment, **headers) as triton:
            parrot(triton)
            asyncio.run(ask(triton, "", CALLER.traceparent, ""))
            receiver.wait_for("InferRequest", "parrot", "compute")
        spans = receiver.of_trace(CALLER.trace_id)
        by_id = {span.span_id: span.name for span in spans}
        assert {span.name: by_id.get(span.parent_id, span.parent_id) for span in spans} == {
            "InferRequest": CALLER.span_id,
            "parrot": "InferRequest",
            "compute": "parrot",
        }
        assert {span.service for span in spans} == {"triton"}
        assert spans == receiver.spans
        assert all(CANARY.encode() not in body for body in receiver.bodies)


@pytest.mark.parametrize("fault", ["down", "slow", "full"])
def test_it_starts_and_serves_though_the_receiver_takes_nothing(fault: str) -> None:
    with receiving_spans() as receiver:
        endpoint = receiver.endpoint
        if fault == "down":
            endpoint = f"http://127.0.0.1:{free_port()}"
        elif fault == "slow":
            receiver.silent.set()
        else:
            receiver.status = 503
        with Triton(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as triton:
            parrot(triton)
            many = [TraceContext(new_trace_id(), CALLER.span_id, True) for _ in range(3000)]
            asyncio.run(ask(triton, *(one.traceparent for one in many)))
            before = _resident_bytes(triton.pid)
            asyncio.run(ask(triton, *(one.traceparent for one in many)))
            assert infer(triton.address, "parrot", "1", ["good"])["value"].tolist() == [[4]]
            assert _resident_bytes(triton.pid) - before < 50 << 20  # it queues 2048, then drops


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
