"""Sends what is worth a person's time. Nothing is sent twice, whenever a push is killed.

A prediction is noted before its task is made and confirmed after; what was noted and not confirmed
is looked for in Label Studio, by its id in the task's data.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from annotation.interface import result_of
from annotation.label_studio import LabelStudio
from annotation.projects import keep_project
from annotation.selection import Candidate, Chosen, select
from annotation.store import AnnotationStore, Answer

log = logging.getLogger(__name__)

BATCH = 50
"""Tasks of an import."""
MOST_CANDIDATES = 5_000
"""Among which to choose: the newest answers."""
ON_THEIR_WAY_S = 60.0
"""After so long, Label Studio has done what it was asked to do, or never will."""
_DAY = timedelta(days=1)


class CannotSend(ValueError):
    """Nothing is sent; the message says why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of what was chosen how is in Label Studio now, and from how many."""

    candidates: int
    by_choice: dict[str, int]


def send(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    *,
    count: int,
    control_share: float,
    seed: int,
    tell: Callable[[int, int], None] = lambda _, __: None,
) -> Sent:
    """Choose predictions of a model among its newest, and make their tasks.

    tell: called with how many of how many are done. Raises CannotSend, LabelStudioAway,
    LabelStudioRefused, psycopg.Error; what was sent before stays.
    """
    if store.kept_since(model) is None:
        raise CannotSend(f"there is no model {model!r}")
    project = keep_project(store, label_studio, model)
    settle(store, label_studio, model, project)
    candidates = _candidates(store, model)
    chosen = select(candidates, count, control_share, seed)
    by_choice: dict[str, int] = {}
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        sent = _send_batch(store, label_studio, model, project, batch)
        for one in batch:
            if one.prediction_id in sent:
                by_choice[one.choice] = by_choice.get(one.choice, 0) + 1
        tell(start + len(batch), len(chosen))
    return Sent(len(candidates), by_choice)


def settle(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    *,
    age_s: float = ON_THEIR_WAY_S,
) -> None:
    """Find out what became of those that a push has noted and not confirmed."""
    while ids := store.unconfirmed(project, age_s=age_s, most=BATCH):
        found = _confirm(store, label_studio, model, project, ids)
        lost = [one for one in ids if one not in found]
        store.forget_unsent(lost)
        log.info(
            "%s: %d tasks of before were found, %d are not there", model, len(found), len(lost)
        )


def _candidates(store: AnnotationStore, model: str) -> list[Candidate]:
    """The newest, day by day."""
    found: list[Candidate] = []
    for start, end in _days(store, model):
        found += store.candidates(model, start, end, MOST_CANDIDATES - len(found))
        if len(found) >= MOST_CANDIDATES:
            break
    return found


def _days(store: AnnotationStore, model: str) -> Iterator[tuple[Any, Any]]:
    """Backwards from now, to where predictions are deleted."""
    window = store.kept_since(model)
    assert window is not None
    end, oldest = window[0] + _DAY, window[1]  # a clock may be ahead
    while end > oldest:
        start = max(end - _DAY, oldest)
        yield start, end
        end = start


def _send_batch(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    chosen: list[Chosen],
) -> set[str]:
    answers = store.begin_sending(model, project, chosen)
    if not answers:
        return set()
    label_studio.import_tasks(project, [_task(model, answer) for answer in answers])
    return _confirm(store, label_studio, model, project, [one.prediction_id for one in answers])


def _confirm(
    store: AnnotationStore, label_studio: LabelStudio, model: str, project: int, ids: list[str]
) -> set[str]:
    """Those that have a task."""
    with store.transaction():
        store.hold(model)  # a full look between reading and writing would not find them
        tasks = {task.prediction_id: task.id for task in label_studio.tasks_of(project, ids)}
        found = {one: tasks[one] for one in ids if one in tasks}
        store.confirm(project, found)
    return set(found)


def _task(model: str, answer: Answer) -> dict[str, Any]:
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
