"""One attempt to tell a webhook something."""

import http.client
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from webhooks.addresses import PrivateAddress, Target, resolve

TIMEOUT_S = 15.0
"""For all of an attempt, however slowly the other side answers."""
_MOST_READ = 64 * 1024
"""Of an answer: what it says is of no use."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an attempt."""

    status: int | None
    """HTTP's; None if there was no answer."""
    error: str
    """Why it was not taken, in a few words; "" if it was."""


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed_hosts: Collection[str] = (),
    timeout_s: float = TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Answered:
    """POST once, to the address that was checked; redirects are not followed. Raises nothing.

    tls: what certificates are checked against; by default those that the system trusts.
    """
    connection: http.client.HTTPConnection | None = None
    late = threading.Event()
    try:
        connection = _connection(target, resolve(target, allowed_hosts), timeout_s, tls)

        def give_up() -> None:
            late.set()
            with suppress(OSError):  # it may just have ended
                if connection is not None and connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)

        deadline = threading.Timer(timeout_s, give_up)
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("POST", target.path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            answer.read(_MOST_READ)
        finally:
            deadline.cancel()
    except PrivateAddress as error:
        return Answered(None, f"refused: {error}")
    except ssl.SSLCertVerificationError as error:
        return Answered(None, f"TLS: {error.verify_message}")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return Answered(None, "too slow" if late.is_set() else _words(error))
    finally:
        if connection is not None:
            connection.close()
    return Answered(answer.status, _why(answer.status))


def _connection(
    target: Target, address: str, timeout_s: float, tls: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    """To an address, under the host's name: HTTP's Host and the certificate are of the name."""
    if target.is_tls:
        return _Https(target, address, timeout_s, tls or ssl.create_default_context())
    return _Http(target, address, timeout_s)


class _Http(http.client.HTTPConnection):
    def __init__(self, target: Target, address: str, timeout_s: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout_s)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _Https(_Http):
    default_port = http.client.HTTPS_PORT

    def __init__(self, target: Target, address: str, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(target, address, timeout_s)
        self._tls = tls

    def connect(self) -> None:
        super().connect()
        # The handshake last, so that a deadline finds the socket that it is made on.
        self.sock = self._tls.wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        self.sock.do_handshake()


def _why(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return "a redirect, which is not followed" if 300 <= status < 400 else f"status {status}"


def _words(error: Exception) -> str:
    """Without what the other side has sent."""
    if isinstance(error, TimeoutError):
        return "too slow"
    if isinstance(error, socket.gaierror):
        return "its host has no address"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"no answer of HTTP: {type(error).__name__}"
