"""What people write by hand: FastAPI with the model in the process, served by uvicorn.

The handlers call the model inline: for work this short that beats the threads in which FastAPI
runs plain functions. BENCH_MODEL names the folder of the trained model, PG* the database.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from fastapi import FastAPI
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from benchmarks.champion import load_model
from modelkit.abstract_model import AbstractModel

CREATE_TABLE = """
CREATE TABLE answers (
    id uuid PRIMARY KEY DEFAULT uuidv7(), text text NOT NULL, label text NOT NULL,
    confidence float8 NOT NULL, scores jsonb NOT NULL, value float8 NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now())
"""
_INSERT = "INSERT INTO answers (text, label, confidence, scores, value) VALUES (%s, %s, %s, %s, %s)"


class Question(BaseModel):
    """What is asked."""

    text: str


class Answer(BaseModel):
    """What the model says."""

    label: str
    confidence: float
    scores: dict[str, float]
    value: float


def plain() -> FastAPI:
    """Answers, and keeps no record."""
    app, model = FastAPI(), _load_model()

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        return _answer(model, question.text)

    return app


def recording() -> FastAPI:
    """Answers once its row in `answers` is committed."""
    model = _load_model()
    pool = AsyncConnectionPool(kwargs={"autocommit": True}, min_size=8, max_size=8, open=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        a = _answer(model, question.text)
        row = (question.text, a.label, a.confidence, Json(a.scores), a.value)
        async with pool.connection() as connection:
            await connection.execute(_INSERT, row)
        return a

    return app


def _load_model() -> AbstractModel:
    torch.set_num_threads(1)
    return load_model(Path(os.environ["BENCH_MODEL"]))


def _answer(model: AbstractModel, text: str) -> Answer:
    scores, _, value = model.predict([text])
    assert value is not None
    best = int(scores[0].argmax())
    return Answer(
        label=model.labels[best],
        confidence=float(scores[0, best]),
        scores=dict(zip(model.labels, scores[0].tolist(), strict=True)),
        value=float(value[0]),
    )
