"""Sends what is worth a person's time. Nothing is sent twice, whenever a push is killed.

What is chosen is noted first, all at once; then each batch is tried, and confirmed. What was tried
and not confirmed is looked for in Label Studio, by its id in the task's data, and sent if it is not
there: by the next push, or by the program that watches.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from annotation.interface import result_of
from annotation.label_studio import ON_THEIR_WAY_S, LabelStudio
from annotation.projects import keep_project
from annotation.removal import remove_forgotten
from annotation.selection import Candidate, select
from annotation.store import AnnotationStore, Outgoing, Unconsidered

log = logging.getLogger(__name__)

BATCH = 50
"""Tasks of an import."""
MOST_CANDIDATES = 5_000
"""Among which to choose: the newest answers."""
SETTLE_S = 5.0
"""How long after its time an answer may still be recorded."""
_DAY = timedelta(days=1)


class NothingToSend(ValueError):
    """Nothing is to be sent; the message says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a push has chosen."""

    project: int
    candidates: int
    chosen: dict[str, int]
    """How many, by how."""


def choose(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    *,
    count: int,
    control_share: float,
    seed: int,
    settle_s: float = SETTLE_S,
) -> Choice:
    """Choose predictions of a model among those that came since the last choice.

    Each is a candidate once: a weight is one chance's. So none is one while another may still come
    before it, which would have no chance: what was there when this is called is waited for.

    settle_s: how long after its time an answer may still be recorded. Raises NothingToSend,
    LabelStudioAway, LabelStudioRefused, psycopg.Error.
    """
    _unconsidered(store, model, settle_s)  # an unknown model is told at once
    project = keep_project(store, label_studio, model)
    time.sleep(settle_s)
    where = _unconsidered(store, model, settle_s)
    while True:
        candidates = _candidates(store, model, where)
        if not candidates:
            raise NothingToSend(
                f"{model} has no answers that were not considered before"
                " and that no unfinished prediction comes before"
            )
        chosen = select(candidates, count, control_share, seed)
        newest = max(one.prediction_id for one in candidates)
        with store.transaction():
            store.hold(model)
            before, where = where, _unconsidered(store, model, settle_s)
            if where.newest == before.newest:
                store.choose(model, project, chosen, considered=newest)
                break
        # Another one has chosen meanwhile: its candidates are none any more.
    by_choice: dict[str, int] = {}
    for one in chosen:
        by_choice[one.choice] = by_choice.get(one.choice, 0) + 1
    return Choice(project, len(candidates), by_choice)


def send(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    *,
    age_s: float = ON_THEIR_WAY_S,
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Make the tasks of what is to be sent; how many are known to be there now.

    age_s: how long a try takes at most. tell: called with how many are done. Raises
    LabelStudioAway, LabelStudioRefused, psycopg.Error; what was sent before stays, and what was not
    is to be sent still.
    """
    sent = 0
    while batch := store.begin_sending(project, age_s=age_s, most=BATCH):
        tried = [one.prediction_id for one in batch if one.was_tried]
        found = _confirm(store, label_studio, model, project, tried) if tried else set()
        lacking = [one for one in batch if one.prediction_id not in found]
        if lacking:
            label_studio.import_tasks(project, [_task(model, one) for one in lacking])
            ids = [one.prediction_id for one in lacking]
            found |= _confirm(store, label_studio, model, project, ids)
        sent += len(found)
        tell(sent)
    return sent


def _unconsidered(store: AnnotationStore, model: str, settle_s: float) -> Unconsidered:
    where = store.unconsidered(model, settle_s=settle_s)
    if where is None:
        raise NothingToSend(f"there is no model {model!r}")
    return where


def _candidates(store: AnnotationStore, model: str, where: Unconsidered) -> list[Candidate]:
    """The newest, day by day backwards."""
    found: list[Candidate] = []
    end = where.end
    while end > where.start and len(found) < MOST_CANDIDATES:
        start = max(end - _DAY, where.start)
        found += store.candidates(model, start, end, MOST_CANDIDATES - len(found))
        end = start
    return found


def _confirm(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    prediction_ids: Sequence[str],
) -> set[str]:
    """Those that have a task."""
    with store.transaction():
        store.hold(model)  # a full look between reading and writing would miss them
        found = label_studio.tasks_of(project, prediction_ids)
        tasks = {task.prediction_id: task.id for task in found}
        store.confirm(project, tasks)
    remove_forgotten(store, label_studio, found)  # of what was erased while it was on its way
    return set(tasks)


def _task(model: str, answer: Outgoing) -> dict[str, Any]:
    """The task of a prediction, with the model's answer as a pre-annotation.

    Source: https://labelstud.io/guide/predictions
    """
    return {
        "data": {
            "text": answer.text,
            "prediction_id": answer.prediction_id,
            "model": model,
            "version": answer.version,
        },
        "predictions": [
            {
                "model_version": f"{model}@{answer.version}",
                "score": answer.confidence if 0 <= answer.confidence <= 1 else None,
                "result": result_of(answer.label),
            }
        ],
    }
