"""What is measured side by side: the stack and its floor, by REST and by gRPC, and references."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import questions
from benchmarks.load import Load, call_grpc, post_json
from benchmarks.processes import Parts
from benchmarks.questions import MODEL, Verdict
from benchmarks.references import bare, create_database, fastapi
from benchmarks.stack import SERVING, SHARED, RunningStack, free_port
from model_runtime.abstract_model import AbstractModel
from pmesh.stack.postgres import OWNER

REST = "REST"
GRPC = "gRPC"
BARE = " bare"
"""The same hops, tables and event, and little done on the way: see benchmarks.bare."""
TRITON = "Triton"
"""The same server and model, called by gRPC without anything between."""
PLAIN = "FastAPI"
RECORDING = "FastAPI+INSERT"
TWICE = " x2"
"""Two processes of uvicorn; the others have one, as uvicorn starts by itself."""

_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to get a prediction."""

    name: str
    load: Callable[[int, int], Load]
    """Asks with so many calls in flight, for so many seconds."""
    ask: Callable[[str], Verdict]
    parts: Parts
    recorded: bool = False
    """Whether each answer is a row in `predictions`."""


class WrongAnswerError(Exception):
    """A contender does not say what the model says."""


@contextmanager
def contenders(stack: RunningStack, texts: list[str]) -> Iterator[list[Contender]]:
    """Start the floor and the references; give all contenders, in the order of the tables."""
    bodies = stack.directory / "bodies.jsonl"
    bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    with _bare(stack) as (floor, floor_parts), _references(stack, bodies) as references:
        yield [
            *_mesh("", stack.gateway, texts, bodies, stack.parts(*SERVING)),
            *_mesh(BARE, floor, texts, bodies, floor_parts),
            _grpc(TRITON, stack.triton, texts, stack.parts("triton")),
            *references,
        ]


def check(contender: Contender, model: AbstractModel, texts: list[str]) -> None:
    """Compare answers with the model's own. Raises WrongAnswerError."""
    scores = model.predict(texts).scores
    for text, row in zip(texts, scores, strict=True):
        said, meant = contender.ask(text), Verdict(model.labels[row.argmax()], float(row.max()))
        if said.label != meant.label or abs(said.confidence - meant.confidence) > _TOLERANCE:
            raise WrongAnswerError(f"{contender.name} says {said}, the model says {meant}")


def _mesh(
    suffix: str, address: str, texts: list[str], bodies: Path, parts: Parts
) -> Iterator[Contender]:
    predict = f"http://{address}/v1/models/{MODEL}:predict"
    yield _rest(REST + suffix, predict, bodies, parts, recorded=True)
    yield _grpc(GRPC + suffix, address, texts, parts, recorded=True)


def _rest(name: str, url: str, bodies: Path, parts: Parts, *, recorded: bool = False) -> Contender:
    return Contender(
        name=name,
        load=lambda in_flight, seconds: post_json(
            url, bodies, in_flight=in_flight, seconds=seconds
        ),
        ask=lambda text: questions.read_rest(questions.ask_rest(url, text)),
        parts=parts,
        recorded=recorded,
    )


def _grpc(
    name: str, address: str, texts: list[str], parts: Parts, *, recorded: bool = False
) -> Contender:
    """h2load sends one message only: the text of median length."""
    gateway = recorded
    path = questions.PREDICT if gateway else questions.INFER
    encode = questions.predict_message if gateway else questions.infer_message
    decode = questions.read_predict if gateway else questions.read_infer
    message = encode(sorted(texts, key=len)[len(texts) // 2])

    def load(in_flight: int, seconds: int) -> Load:
        reply = questions.ask_grpc(address, path, message)
        url = f"http://{address}{path}"
        return call_grpc(url, message, len(reply), in_flight=in_flight, amount=f"-D{seconds}")

    return Contender(
        name=name,
        load=load,
        ask=lambda text: decode(questions.ask_grpc(address, path, encode(text))),
        parts=parts,
        recorded=recorded,
    )


@contextmanager
def _bare(stack: RunningStack) -> Iterator[tuple[str, Parts]]:
    """Its address, and what works for it."""
    port, database = free_port(), stack.postgres.environment(OWNER)
    with bare(port=port, triton=stack.triton, version=stack.version, environment=database) as pid:
        yield f"127.0.0.1:{port}", {"bare": pid, **stack.parts(*SHARED)}


@contextmanager
def _references(stack: RunningStack, bodies: Path) -> Iterator[list[Contender]]:
    """Both kinds of FastAPI, each with one process and with two."""
    database, started = create_database(stack.postgres), []
    with ExitStack() as exits:
        for name, factory in ((PLAIN, "plain"), (RECORDING, "recording")):
            for workers, suffix in ((1, ""), (2, TWICE)):
                port = free_port()
                server = fastapi(
                    factory, workers=workers, port=port, model=stack.model, environment=database
                )
                parts = {"uvicorn": exits.enter_context(server)}
                if factory == "recording":
                    parts |= stack.parts("postgres")
                url = f"http://127.0.0.1:{port}/predict"
                started.append(_rest(name + suffix, url, bodies, parts))
        yield started
