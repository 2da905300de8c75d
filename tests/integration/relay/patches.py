"""Python that runs before a relay, to make a fault."""

DIE = "import os, signal\ndef die(): os.kill(os.getpid(), signal.SIGKILL)\n"

DIE_BEFORE_PUBLISHING = f"""{DIE}
from bus.sns import Topic
async def publish(self, entries):
    if list(entries): die()
Topic.publish = publish
"""

DIE_AFTER_PUBLISHING = f"""{DIE}
from bus.sns import Topic
real = Topic.publish
async def publish(self, entries):
    outcome = await real(self, entries)
    if outcome.published: die()
    return outcome
Topic.publish = publish
"""

DIE_BEFORE_COMMITTING_ANSWERS = f"""{DIE}
from relay import responses
real = responses.finish
async def finish(*arguments):
    if await real(*arguments): die()
    return []
responses.finish = finish
"""

DIE_AFTER_COMMITTING_ANSWERS = f"""{DIE}
from relay.responses import Responses
real = Responses.commit
async def commit(self, received):
    done = await real(self, received)
    if received.answers: die()
    return done
Responses.commit = commit
"""

FAIL_ONCE_BEFORE_COMMITTING = """
import psycopg
from relay import publisher, responses
def failing_once(real):
    failures = [psycopg.OperationalError("of a test")]
    async def call(connection, *arguments):
        endings = await real(connection, *arguments)
        if failures: raise failures.pop()
        return endings
    return call
publisher.fail, responses.finish = map(failing_once, (publisher.fail, responses.finish))
"""

SLOW_PUBLISHING = """
import asyncio
from bus.sns import Topic
real = Topic.publish
async def publish(self, entries):
    outcome = await real(self, entries)
    if outcome.published: await asyncio.sleep(60)
    return outcome
Topic.publish = publish
"""
