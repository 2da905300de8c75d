"""The program that the conformance runner starts: an Envoy with `app.py` inside, until SIGTERM.

Its input and output are messages with a length of four bytes before them.
"""

import signal
import struct
import sys

from connectrpc.conformance.v1.server_compat_pb2 import ServerCompatRequest, ServerCompatResponse

from tests.parts.grpc_envoy import Envoy

_LENGTH = struct.Struct(">I")
_DEFAULT_MAX_RECEIVE_BYTES = 4 * 1024 * 1024


def main() -> None:
    (length,) = _LENGTH.unpack(sys.stdin.buffer.read(_LENGTH.size))
    request = ServerCompatRequest.FromString(sys.stdin.buffer.read(length))
    limit = request.message_receive_limit or _DEFAULT_MAX_RECEIVE_BYTES
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    environ = {"CONFORMANCE_MAX_RECEIVE_BYTES": str(limit)}
    with Envoy("tests.connectconformance.app:app", environ=environ) as envoy:
        host, port = envoy.address.split(":")
        reply = ServerCompatResponse(host=host, port=int(port)).SerializeToString()
        sys.stdout.buffer.write(_LENGTH.pack(len(reply)) + reply)
        sys.stdout.buffer.flush()
        signal.pause()


if __name__ == "__main__":
    main()
