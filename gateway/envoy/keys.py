"""The public keys of the issuer of tokens: read ahead of calls, and kept while they are away."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

log = logging.getLogger("gateway")

FETCH_S = 5.0
"""How long a set is waited for, from the connection to its last byte."""
_AGAIN_S = 1.0
"""Until the next try, while there are no keys at all."""
_MOST_BYTES = 1 << 20
_NEEDED = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""Of each kind of key that is no secret: https://www.rfc-editor.org/rfc/rfc7518#section-6."""


class KeySource:
    """Where they are. `changed` is told of each other set, as JSON, from a thread of its own."""

    def __init__(
        self,
        place: str,
        read: Callable[[], str],
        *,
        refresh_s: float,
        changed: Callable[[str], None],
    ) -> None:
        """place: how it is called. read: answers with what check() lets pass, or raises."""
        self._place = place
        self._read = read
        self._refresh_s = refresh_s
        self._changed = changed
        self._keys = ""
        self._said = ""
        self._asked = threading.Event()

    def start(self) -> None:
        """Ask again and again as long as the process lives; the first answer is waited for, if it
        comes in time.
        """
        threading.Thread(target=self._ask_again, name="keys", daemon=True).start()
        self._asked.wait(FETCH_S)

    def _ask_again(self) -> None:
        while True:
            self._ask()
            self._asked.set()
            time.sleep(self._refresh_s if self._keys else min(self._refresh_s, _AGAIN_S))

    def _ask(self) -> None:
        # Whatever goes wrong, there is a next time: else no key would ever be replaced any more.
        try:
            keys = self._read()
        except Exception as error:
            self._say(f"the keys of tokens cannot be read from {self._place}: {error}")
            return
        try:
            if keys != self._keys:
                self._changed(keys)
        except Exception as error:
            self._say(f"the new keys of tokens from {self._place} cannot be used: {error}")
            return
        self._keys, self._said = keys, ""

    def _say(self, warning: str) -> None:
        """Once, not each time."""
        if warning != self._said:
            log.warning("%s", warning)
        self._said = warning


def fetch(url: str, *, within_s: float = FETCH_S) -> str:
    """A JSON Web Key Set. Raises OSError, HTTPException; ValueError for anything else there."""
    place = urlsplit(url)
    if not place.hostname:
        raise ValueError("it names no host")
    is_https = place.scheme == "https"
    kind = HTTPSConnection if is_https else HTTPConnection
    connection = kind(place.hostname, place.port)
    address = (place.hostname, connection.port)
    with socket.create_connection(address, within_s) as plain, _cut_off(plain, within_s):
        connection.sock = _by_tls(plain, place.hostname) if is_https else plain
        with closing(connection):
            # It is asked where it is said to be: a redirection is no answer.
            connection.request("GET", f"{place.path or '/'}{place.query and '?'}{place.query}")
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise ValueError(f"HTTP status {response.status}")
            keys = response.read(_MOST_BYTES).decode()
    check(keys)
    return keys


def _by_tls(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


@contextmanager
def _cut_off(connection: socket.socket, after_s: float) -> Iterator[None]:
    """End it then, however it drips: its own timeout is for each piece. Raises TimeoutError."""
    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(OSError):  # it may have ended
            same.shutdown(socket.SHUT_RDWR)

    with connection.dup() as same:
        timer = threading.Timer(after_s, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException, ValueError):
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
    if late.is_set():
        raise TimeoutError(f"it took longer than {after_s:g} s")


def check(keys: str) -> None:
    """Raise ValueError for what is no set of public keys, or an empty one."""
    try:
        found = [(key["kty"], key) for key in json.loads(keys)["keys"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("that is no JSON Web Key Set") from error
    kinds = [kind for kind, _ in found]
    if not kinds or any(kind not in tuple(_NEEDED) for kind in kinds):
        raise ValueError(f"a set of public keys is needed, not of {kinds}")
    for kind, key in found:
        for name in _NEEDED[kind]:
            if not isinstance(key.get(name), str) or not key[name]:
                raise ValueError(f"a key of kind {kind} lacks its {name}")
