"""What is measured of each checkout, by what every revision of it answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks import questions
from benchmarks.checkout import MANY
from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.mesh import Mesh
from benchmarks.questions import INFER, MODEL, PREDICT
from benchmarks.texts import write_bodies
from benchmarks.wrk import post_json

GRPC_64, REST_64, MANY_64 = "gRPC at 64", "REST at 64", "ten models at 64"
GRPC_1, REST_1 = "gRPC at 1", "REST at 1"
TRITON_64 = "Triton at 64"
"""Asked directly, one text a request, for all three outputs."""

_CHECKED = 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One kind of load."""

    name: str
    load: Callable[[Mesh, int], Load]
    """On a stack, for so many seconds."""


def lines(texts: Sequence[str], scratch: Path) -> list[Line]:
    """All of them, in turn. scratch: a folder for what the load generators read."""
    bodies = write_bodies(texts, scratch)
    text = sorted(texts, key=len)[len(texts) // 2]  # h2load sends one only

    def rest(in_flight: int) -> Callable[[Mesh, int], Load]:
        return lambda mesh, seconds: post_json(
            f"http://{mesh.gateway}/v1/models/{MODEL}:predict",
            bodies,
            in_flight=in_flight,
            seconds=seconds,
        )

    def grpc(in_flight: int, models: Sequence[str] = (MODEL,)) -> Callable[[Mesh, int], Load]:
        messages = [questions.predict_message(text, model=model) for model in models]
        return lambda mesh, seconds: call_grpc(
            [Call(mesh.gateway, PREDICT, message) for message in messages],
            in_flight=in_flight,
            amount=f"-D{seconds}",
        )

    def triton(mesh: Mesh, seconds: int) -> Load:
        call = Call(mesh.triton, INFER, questions.infer_message(text))
        return call_grpc([call], in_flight=64, amount=f"-D{seconds}")

    return [
        Line(name=GRPC_64, load=grpc(64)),
        Line(name=TRITON_64, load=triton),
        Line(name=REST_64, load=rest(64)),
        Line(name=MANY_64, load=grpc(64, MANY)),
        Line(name=GRPC_1, load=grpc(1)),
        Line(name=REST_1, load=rest(1)),
    ]


def check(mesh: Mesh, texts: Sequence[str]) -> None:
    """Compare what the gateway answers with what Triton does. Raises WrongAnswerError."""
    url = f"http://{mesh.gateway}/v1/models/{MODEL}:predict"
    for text in texts[:_CHECKED]:
        meant = questions.read_infer(
            questions.ask_grpc(mesh.triton, INFER, questions.infer_message(text))
        )
        by_grpc = questions.ask_grpc(mesh.gateway, PREDICT, questions.predict_message(text))
        questions.agree(mesh.name, questions.read_predict(by_grpc), meant)
        by_rest = questions.ask_rest(url, text)
        questions.agree(mesh.name, questions.read_rest(by_rest), meant)


def wait_until_answered(mesh: Mesh, patience_s: float = 60) -> None:
    """Until each model answers: what was stopped meanwhile may take a server for lost, which then
    starts again. Raises grpc.RpcError."""
    until = time.monotonic() + patience_s
    for model in (MODEL, *MANY):
        message = questions.predict_message("Who was stopped may rub his eyes.", model=model)
        while True:
            try:
                questions.ask_grpc(mesh.gateway, PREDICT, message)
                break
            except grpc.RpcError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
