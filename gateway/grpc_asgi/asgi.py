"""The part of ASGI that a call uses, with the events that are the same for every call.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html and extensions.html (trailers).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.grpc_asgi.metadata import Header

Event = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

CONTENT_TYPE = (b"content-type", b"application/grpc")


def start(headers: list[Header], *, trailers: bool = True, status: int = 200) -> Event:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": headers,
        "trailers": trailers,
    }


def trailers(headers: list[Header]) -> Event:
    return {"type": "http.response.trailers", "headers": headers}


PLAIN_START = start([CONTENT_TYPE])
OK_TRAILERS = trailers([(b"grpc-status", b"0")])
END = {"type": "http.response.body", "body": b"", "more_body": False}
