"""What is mounted beside gRPC and REST: past the filters of REST, for its own methods only."""

from typing import Any

import grpc
import httpx
import pytest
from grpc_status import rpc_status

from contract.status import error_info
from tests.integration.gateway.interceptors.conftest import Served


@pytest.fixture
def client(grpc_asgi: Served) -> Any:
    with httpx.Client(base_url=f"http://127.0.0.1:{grpc_asgi.port}", trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/readyz", "/readyz?verbose", "/readyz/below"])
def test_a_get_reaches_what_is_mounted(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, path.partition("?")[0])
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/readyz", "/readyz/below"])
def test_another_method_does_not(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path, headers={"content-type": "text/plain"})
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("path", ["/readyzz", "/ready", "/v1/readyz", "/", "//readyzz"])
def test_a_path_beside_it_is_none(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.json()["details"][0]["reason"] == "PATH_NOT_FOUND"


def test_grpc_at_such_a_path_is_an_unknown_method(grpc_asgi: Served) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{grpc_asgi.port}") as channel:
        call: Any = channel.unary_unary("/readyz").future(b"")
        assert call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert error_info(rpc_status.from_call(call)).reason == "PATH_NOT_FOUND"  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["fail", "text"])
def test_rest_is_a_call_like_any_other(grpc_asgi: Served, client: httpx.Client, text: str) -> None:
    answer = client.post("/v1/models/sentiment:predict", json={"text": text})
    request_id = answer.headers["x-request-id"]
    if text == "text":
        assert f'"id": "{request_id}"' in answer.json()["featuresUri"]
    else:
        assert answer.json()["details"][0]["reason"] == "INTERNAL"
        line = f'"message": "unexpected RuntimeError", "request_id": "{request_id}"'
        assert line in grpc_asgi.log
