"""What is measured side by side: the stack and its floor, by REST and by gRPC, and references."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import questions
from benchmarks.checkout import MANY
from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.ports import free_port
from benchmarks.processes import Parts
from benchmarks.questions import MODEL, Verdict
from benchmarks.references import bare, create_database, fastapi
from benchmarks.stack import SERVING, SHARED, RunningStack
from benchmarks.texts import write_bodies
from benchmarks.wrk import post_json
from modelkit.abstract_model import AbstractModel
from pmesh.stack.postgres import OWNER

REST = "REST"
GRPC = "gRPC"
BARE = " bare"
"""The same hops, tables and event, and little done on the way: see benchmarks.bare."""
TEN = "gRPC, ten models"
"""Small ones, a tenth of the calls each, so that batches are small."""
TRITON = "Triton"
"""The same server and model, called by gRPC without anything between."""
PLAIN = "FastAPI"
RECORDING = "FastAPI+INSERT"
TWICE = " x2"
"""Two processes of uvicorn; the others have one, as uvicorn starts by itself."""

IN_FLIGHT = (1, 16, 64)


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
    in_flight: Sequence[int] = IN_FLIGHT
    """What it is measured at."""


@contextmanager
def contenders(stack: RunningStack, texts: list[str]) -> Iterator[list[Contender]]:
    """Start the floor and the references; give all contenders, in the order of the tables."""
    bodies = write_bodies(texts, stack.directory)
    with _bare(stack) as (floor, floor_parts), _references(stack, bodies) as references:
        yield [
            *_mesh("", stack.gateway, texts, bodies, stack.parts(*SERVING)),
            *_mesh(BARE, floor, texts, bodies, floor_parts),
            _ten_models(stack, texts),
            _grpc(TRITON, stack.triton, texts, stack.parts("triton")),
            *references,
        ]


def check(contender: Contender, model: AbstractModel, texts: list[str]) -> None:
    """Compare answers with the model's own. Raises WrongAnswerError."""
    scores = model.predict(texts).scores
    for text, row in zip(texts, scores, strict=True):
        meant = Verdict(model.labels[row.argmax()], float(row.max()))
        questions.agree(contender.name, contender.ask(text), meant)


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
    gateway = recorded
    path = questions.PREDICT if gateway else questions.INFER
    encode = questions.predict_message if gateway else questions.infer_message
    decode = questions.read_predict if gateway else questions.read_infer
    call = Call(address, path, encode(_median(texts)))
    return Contender(
        name=name,
        load=lambda in_flight, seconds: call_grpc(
            [call], in_flight=in_flight, amount=f"-D{seconds}"
        ),
        ask=lambda text: decode(questions.ask_grpc(address, path, encode(text))),
        parts=parts,
        recorded=recorded,
    )


def _ten_models(stack: RunningStack, texts: list[str]) -> Contender:
    text = _median(texts)
    calls = [
        Call(stack.gateway, questions.PREDICT, questions.predict_message(text, model=model))
        for model in MANY
    ]
    one = _grpc(TEN, stack.gateway, texts, stack.parts(*SERVING), recorded=True)
    return replace(
        one,
        load=lambda in_flight, seconds: call_grpc(
            calls, in_flight=in_flight, amount=f"-D{seconds}"
        ),
        in_flight=(max(IN_FLIGHT),),
    )


def _median(texts: list[str]) -> str:
    """The text of median length: h2load sends one message only."""
    return sorted(texts, key=len)[len(texts) // 2]


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
