"""An issuer of tokens: its keys, where they are fetched, and what it signs."""

import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry

ISSUER, AUDIENCE = "https://login.example.com/", "predict-mesh"


def new_keys() -> dict[str, Key]:
    """One of each kind, by its algorithm."""
    return {
        "ES256": ECKey.generate_key("P-256", {"kid": "es", "use": "sig", "alg": "ES256"}),
        "RS256": RSAKey.generate_key(2048, {"kid": "rs", "use": "sig", "alg": "RS256"}),
    }


@dataclass
class Issuer:
    """Signs whatever it is told to; where its keys are can be changed, too."""

    keys: dict[str, Key] = field(default_factory=new_keys)
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, it does not answer who asks for the keys."""
    status: int = 200
    """Of that answer."""
    body: bytes | None = None
    """Of it, instead of the keys."""
    asked: int = 0
    """How often the keys were asked for."""

    def jwks(self) -> bytes:
        keys = KeySet(list(self.keys.values()))
        return json.dumps(keys.as_dict(private=False)).encode()

    def token(
        self,
        *,
        algorithm: str = "ES256",
        header: dict[str, Any] | None = None,
        key: Key | None = None,
        **claims: Any,
    ) -> str:
        """A good token of somebody without a role, with what is asked for otherwise; a claim that
        is None is left out.
        """
        key = key or self.keys[algorithm]
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 600}
        head = {"alg": algorithm, "kid": key.kid, **(header or {})}
        signed = f"{_encoded(head)}.{_encoded(said | claims)}"
        signature = (
            JWSRegistry(algorithms=[algorithm]).get_alg(algorithm).sign(signed.encode(), key)
        )
        return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(values: dict[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if value is not None}
    return urlsafe_b64encode(json.dumps(kept).encode()).decode().rstrip("=")


@contextmanager
def serving(issuer: Issuer, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL at which its keys are."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            while issuer.silent.is_set() and not ended.wait(0.05):
                pass
            self.send_response(issuer.status)
            self.end_headers()
            self.wfile.write(issuer.jwks() if issuer.body is None else issuer.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who does not wait goes away in the middle."""

    ended = threading.Event()
    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        yield f"{scheme}://{host}:{server.server_address[1]}/jwks.json"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
