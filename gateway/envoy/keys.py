"""The public keys of the issuer of tokens: fetched ahead of calls, and kept while it is away."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

log = logging.getLogger("gateway")

_FETCH_S = 5.0
_AGAIN_S = 1.0
"""Until the next try, while there are no keys at all."""
_MOST_BYTES = 1 << 20
_KINDS = ("RSA", "EC", "OKP")
"""Of keys that are no secret."""


class FetchedKeys:
    """Those at a URL. `changed` is told of each other set, as JSON, from a thread of its own."""

    def __init__(self, url: str, *, refresh_s: float, changed: Callable[[str], None]) -> None:
        self._url = url
        self._refresh_s = refresh_s
        self._changed = changed
        self._keys = ""
        self._refused = ""

    def start(self) -> None:
        """Ask once, and then again and again as long as the process lives."""
        self._ask()
        threading.Thread(target=self._ask_again, name="keys", daemon=True).start()

    def _ask_again(self) -> None:
        while True:
            time.sleep(self._refresh_s if self._keys else min(self._refresh_s, _AGAIN_S))
            self._ask()

    def _ask(self) -> None:
        try:
            keys = fetch(self._url)
            if keys != self._keys:
                self._changed(keys)
                self._keys = keys
        except (OSError, HTTPException, ValueError) as error:
            refused = f"the keys of tokens cannot be fetched from {self._url}: {error}"
            if refused != self._refused:  # said once, not each time
                log.warning("%s", refused)
            self._refused = refused
            return
        self._refused = ""


def fetch(url: str) -> str:
    """A JSON Web Key Set. Raises OSError, HTTPException; ValueError for anything else there."""
    place = urlsplit(url)
    if not place.hostname:
        raise ValueError("it names no host")
    connection = (
        HTTPSConnection(
            place.hostname, place.port, timeout=_FETCH_S, context=ssl.create_default_context()
        )
        if place.scheme == "https"
        else HTTPConnection(place.hostname, place.port, timeout=_FETCH_S)
    )
    try:
        # It is asked where it is said to be: a redirection is no answer.
        connection.request("GET", f"{place.path or '/'}{place.query and '?'}{place.query}")
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise ValueError(f"HTTP status {response.status}")
        keys = response.read(_MOST_BYTES).decode()
    finally:
        connection.close()
    check(keys)
    return keys


def check(keys: str) -> None:
    """Raise ValueError for what is no set of public keys, or an empty one."""
    try:
        kinds = [key["kty"] for key in json.loads(keys)["keys"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("that is no JSON Web Key Set") from error
    if not kinds or any(kind not in _KINDS for kind in kinds):
        raise ValueError(f"a set of public keys is needed, not of {kinds}")
