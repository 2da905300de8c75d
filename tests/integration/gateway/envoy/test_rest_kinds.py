"""The REST front filter against a field of every kind, and against random JSON."""

import json
import random
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.gateway.envoy.all_kinds import all_kinds
from tests.integration.gateway.envoy.rest_front_alone import RestFrontAlone

ACCEPTED = [
    {"text": ""},
    {"flag": True},
    {"flag": False},
    {"small": -(2**31)},
    {"small": 2**31 - 1},
    {"small": "7"},
    {"small": 1e2},
    {"small": 1.0},
    {"count": 2**32 - 1},
    {"big": "-9223372036854775808"},
    {"big": 5},
    {"sizeBytes": "18446744073709551615"},
    {"size_bytes": 0},
    {"ratio": -1.5e-300},
    {"ratio": 3},
    {"ratio": "NaN"},
    {"ratio": "-Infinity"},
    {"color": "COLOR_RED"},
    {"color": 1},
    {"delay": "0s"},
    {"delay": "-315576000000.999999999s"},
    {"time": "0001-01-01T00:00:00Z"},
    {"time": "9999-12-31T23:59:59.999999999Z"},
    {"time": "2000-02-29T00:00:00-23:59"},
    {"numbers": []},
    {"numbers": [1, "2", -3]},
    {"scores": {}},
    {"scores": {"a": 1, "b": "Infinity", "": 0}},
    {"inner": {"inner": {"many": [{"text": "a"}, {}]}}},
    dict.fromkeys(["text", "flag", "small", "color", "time", "numbers", "scores", "inner"]),
]
REFUSED = [
    # body, field
    ({"flag": "true"}, "flag"),
    ({"flag": 1}, "flag"),
    ({"small": 2**31}, "small"),
    ({"small": 1.5}, "small"),
    ({"small": "x"}, "small"),
    ({"small": ""}, "small"),
    ({"small": " 1"}, "small"),
    ({"small": "0x10"}, "small"),
    ({"count": -1}, "count"),
    ({"big": 1e19}, "big"),
    ({"sizeBytes": -1}, "size_bytes"),
    ({"ratio": "one"}, "ratio"),
    ({"ratio": True}, "ratio"),
    ({"color": "RED"}, "color"),
    ({"color": 2}, "color"),
    ({"delay": "1"}, "delay"),
    ({"delay": "1.s"}, "delay"),
    ({"delay": 1}, "delay"),
    ({"delay": {"seconds": 1}}, "delay"),
    ({"time": "0000-01-01T00:00:00Z"}, "time"),
    ({"time": "1900-02-29T00:00:00Z"}, "time"),
    ({"time": "2026-04-31T00:00:00Z"}, "time"),
    ({"time": "2026-01-01T00:00:60Z"}, "time"),
    ({"time": "2026-01-01T00:00:00.Z"}, "time"),
    ({"time": "2026-01-01T00:00:00+24:00"}, "time"),
    ({"time": 0}, "time"),
    ({"numbers": 1}, "numbers"),
    ({"numbers": [1, "x"]}, "numbers[1]"),
    ({"numbers": [[1]]}, "numbers[0]"),
    ({"numbers": [None]}, "numbers[0]"),
    ({"scores": []}, "scores"),
    ({"scores": {"a": {}}}, "scores.a"),
    ({"scores": {"a": None}}, "scores.a"),
    ({"many": [{}, {"inner": {"small": {}}}]}, "many[1].inner.small"),
]
QUERIES = [
    # query, whether it passes
    ("numbers=1&numbers=2", True),
    ("numbers=1&numbers=x", False),
    ("flag=true", True),
    ("flag=True", False),
    ("ratio=1e3&color=1&big=-1&delay=1s", True),
    (f"time={quote('2026-01-01T00:00:00+01:00')}", True),
    ("inner=1", False),
    ("scores=1", False),
]
SAMPLES = 2000


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestFrontAlone]:
    with RestFrontAlone(all_kinds(), directory=tmp_path_factory.mktemp("front")) as front:
        yield front
    assert "[lua]" not in front.log


@pytest.mark.parametrize("body", ACCEPTED, ids=str)
def test_a_value_of_its_kind_passes(front: RestFrontAlone, body: dict[str, Any]) -> None:
    assert front.refusal("POST", "/v1/all", json.dumps(body).encode()) is None


@pytest.mark.parametrize(("body", "field"), REFUSED, ids=str)
def test_a_value_of_another_kind_is_refused(
    front: RestFrontAlone, body: dict[str, Any], field: str
) -> None:
    refusal = front.refusal("POST", "/v1/all", json.dumps(body).encode())
    assert refusal is not None
    assert (refusal["reason"], refusal["metadata"]["field"]) == ("WRONG_TYPE", field)


@pytest.mark.parametrize(("query", "passes"), QUERIES)
def test_query_parameters_have_their_kinds(front: RestFrontAlone, query: str, passes: bool) -> None:
    refusal = front.refusal("GET", f"/v1/all?{query}")
    assert (refusal is None) == passes


def test_random_json_is_accepted_exactly_where_python_accepts_it(front: RestFrontAlone) -> None:
    source = random.Random(20261123)  # noqa: S311
    accepted = 0
    for _ in range(SAMPLES):
        document = random_document(source)
        refusal = front.refusal("POST", "/v1/all", document)
        is_json = refusal is None or refusal["reason"] != "MALFORMED_JSON"
        assert is_json == python_accepts(document), (document, refusal)
        accepted += is_json
    # Both kinds came often enough to mean something.
    assert SAMPLES * 0.2 < accepted < SAMPLES * 0.8


def random_document(source: random.Random) -> bytes:
    """JSON of every kind and spelling, two times of three with a byte changed."""
    separators = source.choice([(",", ":"), (", ", ": "), (" ,\n", "\t:\r ")])
    text = json.dumps(
        random_value(source, 4), ensure_ascii=source.random() < 0.5, separators=separators
    )
    document = bytearray(text.encode())
    if source.random() < 2 / 3:
        at = source.randrange(len(document) + 1)
        change = source.choice([b"", *(bytes([c]) for c in b'"\\{}[],:0-.eE tfn\n\0'), b"\\u"])
        document[at : at + source.randrange(3)] = change
    return bytes(document) or b" "


def random_value(source: random.Random, depth: int) -> Any:
    size = source.randrange(4)
    match source.randrange(8 if depth else 6):
        case 0:
            return source.choice([True, False, None])
        case 1:
            return source.randrange(-(10**6), 10**6)
        case 2:
            return source.uniform(-1, 1) * 10 ** source.randrange(-300, 300)
        case 3 | 4 | 5:
            return random_text(source)
        case 6:
            return [random_value(source, depth - 1) for _ in range(size)]
        case _:
            return {random_text(source): random_value(source, depth - 1) for _ in range(size)}


def random_text(source: random.Random) -> str:
    alphabet = string.printable + '\0\x1f\x7féß你😀\u2028"\\/'
    return "".join(source.choices(alphabet, k=source.randrange(12)))


def python_accepts(document: bytes) -> bool:
    """Whether the document is JSON for Python, without the constants that only Python knows."""
    try:
        json.loads(document.decode(errors="surrogateescape"), parse_constant=refuse_constant)
    except ValueError:
        return False
    return True


def refuse_constant(name: str) -> None:
    raise ValueError(name)
