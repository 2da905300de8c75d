"""SNS and SQS on this machine: `python -m pmesh.stack.aws_emulator PORT` runs moto on loopback.

Nothing in it is durable; a restart begins empty. moto is made for tests and spends most of a
call on work that no caller sees, the more the deeper its queues are: `_quicken` takes that out.
"""

import copy
import functools
import logging
import sys
import time

import moto.backends
import moto.sqs.models
from moto.core.utils import camelcase_to_underscores
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sqs.models import Message, SQSBackend
from werkzeug.serving import make_server


def main() -> None:
    """Serve until a signal ends the process: there is nothing to save."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each call
    _quicken()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1",
        int(sys.argv[1]),
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    server.serve_forever()


def _quicken() -> None:
    # The clock is read for every message of a queue at every call, by way of two datetimes.
    moto.sqs.models.unix_time_millis = lambda *_: time.time() * 1000  # type: ignore[attr-defined]
    # Lists moto's folders on disk, twice a call.
    modules = list(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: modules
    moto.sqs.models.camelcase_to_underscores = functools.cache(  # type: ignore[attr-defined]
        camelcase_to_underscores
    )
    # Counts the whole queue for each message received, to see if it is over four days old.
    SQSBackend.is_message_valid_based_on_retention_period = (  # type: ignore[method-assign]
        lambda *_: True
    )
    # Copies each message received down to its last string, to then replace one attribute.
    Message.__deepcopy__ = lambda message, _: copy.copy(message)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
