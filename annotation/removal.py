"""Deletes in Label Studio what is to be forgotten: texts of predictions that were erased or are as
old as predictions get, with what was said of them there."""

from collections.abc import Iterable

from annotation.label_studio import ON_THEIR_WAY_S, LabelStudio, Task
from annotation.store import AnnotationStore

BATCH = 50


def remove(
    store: AnnotationStore, label_studio: LabelStudio, *, age_s: float = ON_THEIR_WAY_S
) -> int:
    """Delete them; how many predictions are now forgotten.

    age_s: those that a push has not confirmed are left until it must have ended.
    Raises LabelStudioAway, LabelStudioRefused, psycopg.Error; what is left is due still.
    """
    store.remove_old()
    removed = 0
    while due := store.removing(age_s=age_s, most=BATCH):
        by_project: dict[int, list[str]] = {}
        for prediction_id, project in due:
            by_project.setdefault(project, []).append(prediction_id)
        for project, ids in by_project.items():
            for task in label_studio.tasks_of(project, ids):
                label_studio.delete_task(task.id)
            for prediction_id in ids:
                store.forget_removed(prediction_id)
        removed += len(due)
    return removed


def remove_forgotten(
    store: AnnotationStore, label_studio: LabelStudio, tasks: Iterable[Task]
) -> int:
    """Delete those of predictions that are erased or gone and have no row here; how many.

    So is what Label Studio took in only after the deletion had looked for it in vain.
    Raises LabelStudioAway, LabelStudioRefused, psycopg.Error.
    """
    named = [task for task in tasks if task.prediction_id]
    forgotten = store.forgotten({task.prediction_id for task in named})
    removed = [task.id for task in named if task.prediction_id in forgotten]
    for task in removed:
        label_studio.delete_task(task)
    return len(removed)
