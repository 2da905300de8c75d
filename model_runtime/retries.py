"""What the queue door waits for when it is away."""

import asyncio

import psycopg

from model_runtime.bus import BusUnavailable
from model_runtime.errors import ModelUnavailable
from model_runtime.features import FeaturesUnavailable
from model_runtime.outages import Retry


class Retries:
    """One Retry for each dependency, so that their outages are told apart."""

    def __init__(self, *, stop: asyncio.Event) -> None:
        self.queue = Retry("the queue", BusUnavailable, stop=stop)
        self.topic = Retry("the topic", BusUnavailable, stop=stop)
        self.store = Retry("PostgreSQL", psycopg.Error, stop=stop)
        self.features = Retry("S3", FeaturesUnavailable, stop=stop)
        self.model = Retry("the model", ModelUnavailable, stop=stop)
