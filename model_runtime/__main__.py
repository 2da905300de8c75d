"""The runtime of one model: `python -m model_runtime`, set up by model_runtime.settings.

SIGTERM or SIGINT drains it; a second one ends it at once.
"""

import os
from contextlib import suppress

if __name__ == "__main__":
    # gRPC reads it when it is imported. Its event engine takes a third more CPU for each call.
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
    # What is woken waits for its turn: under load, half of the changes of context are saved.
    with suppress(OSError):  # some sandboxes know one policy only
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    from model_runtime.process import main

    main()
