"""The first predictions after a start: one by each of the three ways, and what to type next."""

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path

from predict.v1.prediction_pb2 import Prediction
from rich.markup import escape

from pmesh.calls import CallFailedError
from pmesh.cli.client import GatewayClient
from pmesh.cli.options import for_home, messages
from pmesh.stack.status import StackStatus

_MODEL = "sentiment"
_TEXT = "What a wonderful surprise, thank you so much!"


def show_first_predictions(status: StackStatus, token: str, home: Path) -> bool:
    """Predict by REST, by gRPC and through the queue; whether all were answered.

    token: "" if the stack asks for none. home: its data directory.
    """
    port = status.gateway_port
    with GatewayClient(port, token) as client:
        ways: dict[str, Callable[[], tuple[str, float]]] = {
            f"REST   POST /v1/models/{_MODEL}:predict": lambda: _by_rest(port, token),
            "gRPC   Predict": lambda: _answer(client.predict(_MODEL, _TEXT)),
            "queue  CreatePrediction, WaitPrediction": lambda: _answer(
                client.wait(client.create(_MODEL, _TEXT))
            ),
        }
        messages.print(f'\n[bold]{_MODEL}[/] of "{_TEXT}"')
        answered = [_show(way, ask) for way, ask in ways.items()]
    _show_next_steps(port, home, needs_token=bool(token))
    return all(answered)


def _show(way: str, ask: Callable[[], tuple[str, float]]) -> bool:
    began = time.monotonic()
    try:
        label, confidence = ask()
    except (CallFailedError, OSError) as error:
        messages.print(f"  {way:<42} [bold red]failed[/]", escape(str(error)))
        return False
    elapsed_ms = (time.monotonic() - began) * 1000
    messages.print(f"  {way:<42} [bold green]{label}[/] {confidence:.2f}  {elapsed_ms:.0f} ms")
    return True


def _by_rest(port: int, token: str) -> tuple[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    path = f"/v1/models/{_MODEL}:predict"
    connection.request("POST", path, json.dumps({"text": _TEXT}), headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        raise CallFailedError(body.decode(errors="replace"))
    output = json.loads(body)["output"]
    return output["label"], output["confidence"]


def _answer(prediction: Prediction) -> tuple[str, float]:
    if not prediction.HasField("output"):
        raise CallFailedError(prediction.error.message)
    return prediction.output.label, prediction.output.confidence


def _show_next_steps(port: int, home: Path, *, needs_token: bool) -> None:
    header = ' -H "authorization: Bearer $(pmesh token)"' if needs_token else ""
    steps = f"""\
  pmesh predict {_MODEL} "I have seen better"
  curl -s{header} 127.0.0.1:{port}/v1/models/{_MODEL}:predict -d '{{"text": "I have seen better"}}'
  grpcurl{header} -plaintext 127.0.0.1:{port} list
  pmesh status        pmesh logs relay -f        pmesh down
"""
    messages.print("\n[bold]Next[/]")
    messages.print(for_home(steps, home), markup=False)
