"""The worker of one model: `python -P -m model_runtime`, set up by model_runtime.settings.

SIGTERM or SIGINT has it finish what it works on; a second one ends it at once.
"""

import os
from contextlib import suppress

if __name__ == "__main__":
    # gRPC reads it when it is imported. Its event engine takes a third more CPU for each call.
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client")
    # What is woken waits for its turn: under load, half of the changes of context are saved.
    with suppress(OSError):  # some sandboxes know one policy only
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    from contract.process import run_program
    from model_runtime.settings import Settings
    from model_runtime.worker import run

    run_program("worker", Settings, run)
