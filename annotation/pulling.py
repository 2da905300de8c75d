"""Makes labels of what people said in Label Studio, from what its tasks say now.

Webhooks are believed nothing but that there is something to see. So none that is lost, doubled or
out of order can do harm, and to look again changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from annotation import metrics
from annotation.interface import label_of
from annotation.label_studio import LabelStudio, Task
from annotation.removal import remove_forgotten
from annotation.store import AnnotationStore, Said

log = logging.getLogger(__name__)

PAGE = 100
OVERLAP = timedelta(minutes=1)
"""How much later a change may be seen than another one with a greater time."""


@dataclass
class Pulled:
    """What was done with a model's tasks."""

    tasks: int = 0
    """That were looked at."""
    added: int = 0
    withdrawn: int = 0
    foreign: int = 0
    """Tasks of the project that are not of ours, as those made by hand."""
    missing: int = 0
    """Tasks that somebody has deleted."""
    refusals: "Counter[str]" = field(default_factory=Counter)


def pull(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    *,
    full: bool,
) -> Pulled:
    """Take what has changed since the last pull, or all.

    Raises LabelStudioAway, LabelStudioRefused, psycopg.Error; what was taken before stays, and what
    was not is taken the next time.
    """
    emails = label_studio.emails()
    pulled = Pulled()
    if full:
        _pull_all(store, label_studio, model, project, emails, pulled)
    else:
        _pull_newest(store, label_studio, model, project, emails, pulled)
    for reason, times in pulled.refusals.items():
        log.warning("%s: %d labels of Label Studio are refused: %s", model, times, reason)
    return pulled


def _pull_newest(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    emails: Mapping[int, str],
    pulled: Pulled,
) -> None:
    """What changes meanwhile comes to the front, and is seen by the next pull."""
    through = store.project(model).through
    newest: datetime | None = None
    page = 1
    while True:
        with store.transaction():
            store.hold(model)
            tasks = label_studio.newest_tasks(project, page, PAGE)
            fresh = [t for t in tasks if through is None or t.updated_at > through - OVERLAP]
            before = pulled.added
            _take(store, project, fresh, emails, pulled)
        metrics.count_labels(model, pulled.added - before)  # now: what follows may end the look
        if page == 1 and tasks:
            newest = tasks[0].updated_at
        if len(fresh) < PAGE:
            break
        page += 1
    if newest is not None:
        store.set_through(model, newest)


def _pull_all(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    project: int,
    emails: Mapping[int, str],
    pulled: Pulled,
) -> None:
    newest = label_studio.newest_tasks(project, 1, 1)
    after = 0
    while True:
        with store.transaction():
            store.hold(model)
            tasks = label_studio.tasks_after(project, after, PAGE)
            before = pulled.added
            foreign = _take(store, project, tasks, emails, pulled)
            is_last = len(tasks) < PAGE
            last = None if is_last else tasks[-1].id
            pulled.missing += store.note_missing(
                project, after=after, last=last, tasks=[task.id for task in tasks]
            )
        metrics.count_labels(model, pulled.added - before)
        pulled.foreign -= remove_forgotten(store, label_studio, foreign)
        if last is None:
            break
        after = last
    store.note_full_look(model, newest[0].updated_at if newest else None)


def _take(
    store: AnnotationStore,
    project: int,
    tasks: Sequence[Task],
    emails: Mapping[int, str],
    pulled: Pulled,
) -> list[Task]:
    """Those that are foreign."""
    foreign: list[Task] = []
    for task in sorted(tasks, key=lambda task: task.prediction_id):  # as all lock their rows
        pulled.tasks += 1
        if task.annotations is None:
            log.error(
                "task %d of project %d is too long to be read: left as it was", task.id, project
            )
            continue
        said = said_in(task.annotations, emails)
        taken = store.take(project, task.id, task.prediction_id, said)
        if taken is None:
            pulled.foreign += 1
            foreign.append(task)
            continue
        pulled.added += taken.added
        pulled.withdrawn += taken.withdrawn
        pulled.refusals.update(taken.refusals)
    return foreign


def said_in(annotations: Iterable[Mapping[str, Any]], emails: Mapping[int, str]) -> list[Said]:
    """What each annotator says in a task now.

    Of several annotations of one annotator, the last changed counts. One that was skipped says
    nothing, and neither does one without just one label. What is marked as the ground truth is an
    adjudicator's.
    """
    said: dict[str, Said] = {}
    for annotation in sorted(annotations, key=lambda one: str(one["updated_at"])):
        label = label_of(annotation)
        if annotation["was_cancelled"] or label is None:
            continue
        user = annotation["completed_by"]
        annotator = emails.get(user, "") or f"user {user}"
        said[annotator] = Said(
            label=label,
            annotator=annotator,
            adjudicated=bool(annotation["ground_truth"]),
            label_time=str(annotation["updated_at"]),
            external_id=f"{annotation['id']}@{annotation['updated_at']}",
        )
    return list(said.values())
