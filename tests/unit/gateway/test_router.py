"""The router: which application a request goes to."""

import json
from typing import Any

import pytest

from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.router import Application, Router


def says(name: str) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    return application


ROUTER = Router(grpc=says("grpc"), mounts={"/v2": says("v2"), "/v2/health": says("never")})


async def ask(path: str, content_type: bytes | None = None) -> tuple[int, str]:
    events: list[Any] = []

    async def send(event: Any) -> None:
        events.append(event)

    async def receive() -> Any:
        raise AssertionError("no request is read here")

    headers = [(b"accept", b"*/*")]
    if content_type is not None:
        headers.append((b"content-type", content_type))
    await ROUTER({"type": "http", "path": path, "headers": headers}, receive, send)
    return events[0]["status"], events[1]["body"].decode()


@pytest.mark.parametrize("path", ["/predict.v1.PredictionService/Predict", "/v2", "/"])
@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto"])
async def test_grpc_is_known_by_its_content_type(path: str, kind: bytes) -> None:
    assert await ask(path, kind) == (200, "grpc")


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/models/m/infer"])
@pytest.mark.parametrize("kind", [None, b"application/json"])
async def test_other_requests_go_by_their_path(path: str, kind: bytes | None) -> None:
    assert await ask(path, kind) == (200, "v2")


@pytest.mark.parametrize("path", ["/v20", "/v", "/", "/x/v2"])
async def test_what_is_nowhere_is_not_found(path: str) -> None:
    status, body = await ask(path)
    assert status == 404
    error = json.loads(body)
    assert error["code"] == 5
    assert error["details"][0]["reason"] == "PATH_NOT_FOUND"
    assert error["details"][0]["metadata"] == {"path": path}
