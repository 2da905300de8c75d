"""Random REST requests have the outcome of the same call by gRPC, read by Protobuf's own JSON.

PMESH_RANDOM_CASES sets how many; a failure shows its seed.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Parse, ParseError

from tests.integration.gateway.envoy import kinds
from tests.integration.gateway.envoy.kinds_gateway import KindsGateway
from tests.integration.gateway.envoy.random_json import INTEGERS, Node, RandomJson

CASES = int(os.environ.get("PMESH_RANDOM_CASES", "24000"))
All, Received = kinds.message("All"), kinds.message("Received")
JSON_REASONS = {"MALFORMED_JSON", "INVALID_UTF8", "UNKNOWN_FIELD", "DUPLICATE_FIELD", "WRONG_TYPE"}


@pytest.fixture(scope="module")
def whole(kinds_gateway: KindsGateway) -> Iterator[Any]:
    """The rpc, by gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{kinds_gateway.port}") as channel:
        yield channel.unary_unary(
            f"/{kinds.SERVICE}/Whole",
            request_serializer=All.SerializeToString,
            response_deserializer=Received.FromString,
        )


def random_json(seed: int) -> RandomJson:
    pool = kinds.pool()
    names = [
        "kinds.v1.All",
        "kinds.v1.Parts",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    ]
    return RandomJson(seed, [pool.FindMessageTypeByName(name) for name in names])


def read(document: bytes) -> Any:
    """The message that Protobuf's own JSON makes of it, or None."""
    try:
        json.loads(document, parse_float=finite)
        return Parse(document.decode(), All(), descriptor_pool=kinds.pool())
    # What Python makes of a few wrong values is no ParseError.
    except (ParseError, ValueError, TypeError, AttributeError, KeyError):
        return None


def finite(text: str) -> float:
    """Of a number where anything is taken, Python makes infinity, which JSON cannot say."""
    if math.isinf(number := float(text)):
        raise ValueError(text)
    return number


def assert_same(gateway: KindsGateway, whole: Any, request: tuple[Any, ...], message: Any) -> None:
    by_grpc = All.FromString(whole(message).messages[0])
    assert kinds.canonical(gateway.received(*request)) == kinds.canonical(by_grpc), request


def assert_refused(gateway: KindsGateway, request: tuple[Any, ...], reasons: set[str]) -> str:
    answer = gateway.request(*request)
    assert answer.status == 400, (request, answer)
    assert answer.reason in reasons, (request, answer, reasons)
    return answer.reason


def test_random_bodies(kinds_gateway: KindsGateway, whole: Any) -> None:
    seen = Counter[str]()
    for seed in range(CASES * 4 // 6):
        case = random_json(seed)
        node = case.message(All.DESCRIPTOR)
        reason = case.spoil(node) if seed % 2 else None
        document = node.text(case.source).encode()
        request = ("POST", "/v1/all", document)
        message = read(document)
        # Python takes a field by both of its names.
        if reason != "DUPLICATE_FIELD":
            assert (message is None) == (reason is not None), (seed, reason, document)
        if reason is None:
            assert_same(kinds_gateway, whole, request, message)
        else:
            assert_refused(kinds_gateway, request, {reason})
        seen[reason or "OK"] += 1
    assert set(seen) == {"OK", "UNKNOWN_FIELD", "DUPLICATE_FIELD", "WRONG_TYPE"}


PLAIN = {"string", "bool", "message", "map", "list", "Struct", "ListValue", "Value"}
PLAIN |= {"array", "object", "Empty"}


def is_plain(node: Node) -> bool:
    """Whether a changed byte leaves nothing that only Python takes."""
    if node.kind == "map" and node.message:
        return node.message.fields_by_name["key"].type == FieldDescriptor.TYPE_STRING
    return node.kind in PLAIN


def test_random_bytes(kinds_gateway: KindsGateway, whole: Any) -> None:
    """Documents with a byte or some changed, of the kinds that Python reads as everybody does."""
    seen = Counter[str]()
    for seed in range(CASES // 6):
        case = random_json(seed)
        node = case.message(All.DESCRIPTOR)
        while not all(map(is_plain, node.all())):
            node = case.message(All.DESCRIPTOR)
        document = bytearray(node.text(case.source).encode())
        at = case.source.randrange(len(document) + 1)
        signs = [*(bytes([c]) for c in b'"\\{}[],:0-.eE tfn\n\0\xff\xc3\x80'), b"\\ud800", b""]
        document[at : at + case.source.randrange(3)] = case.source.choice(signs)
        request = ("POST", "/v1/all", bytes(document) or b" ")
        message = read(request[2])
        if message is None:
            seen[assert_refused(kinds_gateway, request, JSON_REASONS)] += 1
        else:
            assert_same(kinds_gateway, whole, request, message)
            seen["OK"] += 1
    assert set(seen) >= {"OK", "MALFORMED_JSON", "INVALID_UTF8", "UNKNOWN_FIELD"}


# Of which a text in a path or query says the same as a token in JSON.
QUERY_KINDS = {"string", "bool", "bytes", "Timestamp", "Duration", "FieldMask", *INTEGERS}


def parameters(case: RandomJson) -> list[tuple[str, str, Any]]:
    """Names, with the text that each gives and the same in JSON."""
    found = []
    fields = [field for field in All.DESCRIPTOR.fields if case.kind(field) in QUERY_KINDS]
    for field in case.source.sample(fields, k=case.source.randrange(1, 5)):
        if field.containing_oneof and field.containing_oneof.name == "choice":
            continue
        name = case.source.choice([field.name, field.json_name])
        values = []
        for _ in range(case.source.randrange(1, 4) if field.is_repeated else 1):
            kind = case.kind(field)
            low, high = INTEGERS.get(kind, (0, 0))
            token = str(case.source.randint(low, high)) if low < high else case.token(kind)
            value = json.loads(token)
            values.append(value)
            found.append((name, token if kind == "bool" else str(value), values))
        if not field.is_repeated:
            found[-1] = (*found[-1][:2], values[0])
    return found


def test_random_queries(kinds_gateway: KindsGateway, whole: Any) -> None:
    """Parameters by their names, nested or not, and what is wrong with one."""
    wrong = {
        "UNKNOWN_FIELD": [
            "bogus=1",
            "inner.bogus=1",
            "aString.x=1",
            "many.aString=x",
            "=",
            "a%00=1",
        ],
        "DUPLICATE_FIELD": ["inner.inner.renamed=x&inner.inner.otherName=y", "text=a&number=1"],
        "WRONG_TYPE": [
            "inner.inner." + p
            for p in ("aColor=X", "aColor=9", "aDouble=0x1", "aBool=1", "anInt32=")
        ],
        "INVALID_UTF8": ["inner.inner.text=%FF", "inner.byteses=%C3", "%ED%A0%80=1", "values=%F8"],
    }
    for seed in range(CASES // 6):
        case = random_json(seed)
        given = parameters(case)
        prefix = case.source.choice(["", "inner.", "inner.message."])
        pairs = [f"{prefix}{name}={quote(text, safe='')}" for name, text, _ in given]
        reason = case.source.choice(sorted(wrong)) if seed % 2 else None
        if reason is None:
            document: Any = {name: value for name, _, value in given}
            for name in reversed(prefix.split(".")[:-1]):
                document = {name: document} if given else {}
            message = read(json.dumps(document).encode())
            assert message is not None, (seed, document)
            assert_same(kinds_gateway, whole, ("GET", f"/v1/all?{'&'.join(pairs)}"), message)
        else:
            pairs.insert(case.source.randrange(len(pairs) + 1), case.source.choice(wrong[reason]))
            assert_refused(kinds_gateway, ("GET", f"/v1/all?{'&'.join(pairs)}"), {reason})


def test_random_paths(kinds_gateway: KindsGateway) -> None:
    for seed in range(CASES // 6):
        case = random_json(seed)
        # A NUL in a path Envoy refuses, and these segments have a meaning of their own.
        texts = [case.text().replace("\0", "") for _ in range(3)]
        texts = [text for text in texts if text not in {"", ".", ".."}]
        segments = [quote(text, safe="") for text in texts if "/" not in text]
        tree = "/".join(["trees", *segments])
        expected = All(a_string="/".join(["trees", *(text for text in texts if "/" not in text)]))
        assert kinds_gateway.received("GET", f"/v1/{tree}") == expected
        for text in texts:
            body = {"anInt32": seed}
            received = kinds_gateway.received("PUT", f"/v1/all/{quote(text, safe='')}", body)
            assert received == All(an_int32=seed, inner=All(a_string=text))
