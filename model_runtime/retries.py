"""What the worker waits for when it is away."""

import asyncio

import psycopg

from bus.errors import BusUnavailable
from bus.outages import Retry
from features.errors import FeaturesUnavailable


class Retries:
    """One Retry for each dependency, so that their outages are told apart."""

    def __init__(self, *, stop: asyncio.Event) -> None:
        self.queue = Retry("the queue", BusUnavailable, stop=stop)
        self.topic = Retry("the topic", BusUnavailable, stop=stop)
        self.store = Retry("PostgreSQL", psycopg.OperationalError, stop=stop)
        self.features = Retry("S3", FeaturesUnavailable, stop=stop)
