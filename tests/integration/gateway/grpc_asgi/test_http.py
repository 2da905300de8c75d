"""What no gRPC client would send: the gateway's server at the level of HTTP/2."""

import gzip
import struct
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.integration.gateway.grpc_asgi.probe import SERVICE
from tests.parts.grpc_envoy import Envoy

_HEADERS = {"content-type": "application/grpc", "te": "trailers"}
_UNIMPLEMENTED, _INTERNAL, _RESOURCE_EXHAUSTED = "12", "13", "8"


@pytest.fixture
async def client(envoy: Envoy) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://{envoy.address}/{SERVICE}/"
    async with httpx.AsyncClient(base_url=url, http1=False, http2=True) as client:
        yield client


def frame(payload: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


_MESSAGE = StringValue(value="x" * 1000).SerializeToString()


async def test_another_method_than_post_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.get("Echo", headers=_HEADERS)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/grpc+json", "application/grpcx"]
)
async def test_another_content_type_is_refused(
    client: httpx.AsyncClient, content_type: str
) -> None:
    reply = await client.post("Echo", content=b"", headers={"content-type": content_type})
    assert reply.status_code == 415


async def test_the_proto_content_type_is_the_same_as_grpc(client: httpx.AsyncClient) -> None:
    headers = _HEADERS | {"content-type": "application/grpc+proto"}
    reply = await client.post("Echo", content=frame(_MESSAGE), headers=headers)
    assert (reply.status_code, reply.content) == (200, frame(_MESSAGE))


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (frame(_MESSAGE, flag=2), "identity", _INTERNAL),
        (frame(_MESSAGE)[:-1], "identity", _INTERNAL),
        (frame(_MESSAGE)[:3], "identity", _INTERNAL),
        (frame(_MESSAGE) + b"\0", "identity", _INTERNAL),
        (frame(b"", length=2**32 - 1), "identity", _RESOURCE_EXHAUSTED),
        (frame(_MESSAGE, flag=1), "identity", _INTERNAL),
        (frame(_MESSAGE, flag=1), "gzip", _INTERNAL),
        (frame(gzip.compress(_MESSAGE)[:-1], flag=1), "gzip", _INTERNAL),
        (frame(gzip.compress(_MESSAGE) * 2, flag=1), "gzip", _INTERNAL),
        (frame(gzip.compress(bytes(50_000_000)), flag=1), "gzip", _RESOURCE_EXHAUSTED),
        (frame(_MESSAGE), "br", _UNIMPLEMENTED),
        (b"", "identity", _UNIMPLEMENTED),
        (frame(_MESSAGE) * 2, "identity", _UNIMPLEMENTED),
    ],
    ids=[
        "unknown flag",
        "cut off in the payload",
        "cut off in the length",
        "cut off after a message",
        "absurd length",
        "compressed without encoding",
        "not gzip",
        "gzip cut off",
        "two gzip members",
        "gzip bomb",
        "unknown encoding",
        "no message",
        "two messages",
    ],
)
async def test_a_malformed_request_gets_a_clean_status(
    client: httpx.AsyncClient, body: bytes, encoding: str, code: str
) -> None:
    headers = _HEADERS | {"grpc-encoding": encoding}
    reply = await client.post("Echo", content=body, headers=headers)
    assert (reply.status_code, reply.headers["grpc-status"]) == (200, code)
    assert reply.headers["grpc-message"]


async def test_a_refused_encoding_is_told_which_ones_there_are(client: httpx.AsyncClient) -> None:
    headers = _HEADERS | {"grpc-encoding": "br"}
    reply = await client.post("Echo", content=frame(_MESSAGE), headers=headers)
    assert reply.headers["grpc-accept-encoding"] == "identity, deflate, gzip"


async def test_a_body_in_many_pieces_is_one_message(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in frame(_MESSAGE):
            yield bytes([byte])

    reply = await client.post("Echo", content=pieces(), headers=_HEADERS)
    assert reply.content == frame(_MESSAGE)


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("identity,gzip", "gzip"), ("identity", "identity")]
)
async def test_a_response_is_compressed_only_if_the_client_accepts_it(
    client: httpx.AsyncClient, accepted: str, encoding: str
) -> None:
    headers = _HEADERS | {"grpc-accept-encoding": accepted}
    reply = await client.post("EchoCompressed", content=frame(_MESSAGE), headers=headers)
    assert reply.headers["grpc-encoding"] == encoding
    payload = reply.content[5:]
    assert reply.content == frame(payload, flag=int(encoding == "gzip"))
    assert (gzip.decompress(payload) if encoding == "gzip" else payload) == _MESSAGE


@pytest.mark.parametrize("value", ["AP+A", "AP8", "AP8=", "AP+A,AP8"])
async def test_binary_metadata_is_understood_with_and_without_padding(
    client: httpx.AsyncClient, value: str
) -> None:
    headers = _HEADERS | {"x-probe-bin": value}
    reply = await client.post("EchoMetadata", content=frame(b""), headers=headers)
    decoded = {"AP+A": b"\0\xff\x80", "AP8": b"\0\xff", "AP8=": b"\0\xff"}
    expected = repr([("x-probe-bin", decoded[part]) for part in value.split(",")])
    assert StringValue.FromString(reply.content[5:]).value == expected


@pytest.mark.parametrize("value", ["A", "A-_=", "=AA", "\xff"])
async def test_binary_metadata_that_is_not_base64_gets_a_clean_status(
    client: httpx.AsyncClient, value: str
) -> None:
    headers = _HEADERS | {"x-probe-bin": value.encode("latin-1")}
    reply = await client.post("EchoMetadata", content=frame(b""), headers=headers)
    assert reply.headers["grpc-status"] == _INTERNAL
    assert reply.headers["grpc-message"] == "Metadata x-probe-bin is not base64"


@pytest.mark.parametrize("value", ["5", "S", "-1S", "123456789S", "1.5S", "1s"])
async def test_a_malformed_timeout_is_no_deadline(client: httpx.AsyncClient, value: str) -> None:
    headers = _HEADERS | {"grpc-timeout": value}
    reply = await client.post("TimeRemaining", content=frame(b""), headers=headers)
    assert StringValue.FromString(reply.content[5:]).value == "None"


@pytest.mark.parametrize(
    ("value", "seconds"), [("1H", 3600), ("2M", 120), ("3000m", 3), ("4000000u", 4)]
)
async def test_a_timeout_has_units(client: httpx.AsyncClient, value: str, seconds: int) -> None:
    headers = _HEADERS | {"grpc-timeout": value}
    reply = await client.post("TimeRemaining", content=frame(b""), headers=headers)
    remaining_s = float(StringValue.FromString(reply.content[5:]).value)
    assert seconds - 1 < remaining_s < seconds + 0.1


async def test_details_are_percent_encoded(client: httpx.AsyncClient) -> None:
    content = frame(StringValue(value="ü % \n").SerializeToString())
    reply = await client.post("SetCode", content=content, headers=_HEADERS)
    assert reply.headers["grpc-message"] == "%C3%BC %25 %0A"
    assert unquote(reply.headers["grpc-message"]) == "ü % \n"
