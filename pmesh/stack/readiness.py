"""Ways to tell that a server answers on loopback."""

import http.client
import socket
import time


def answers_http(port: int, path: str) -> bool:
    """Whether GET answers 200 within two seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def until_http(port: int, path: str, *, timeout_s: float) -> None:
    """Wait until GET answers 200; return after the timeout as well."""
    until = time.monotonic() + timeout_s
    while not answers_http(port, path) and time.monotonic() < until:
        time.sleep(0.1)


def accepts_connections(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something listens."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
