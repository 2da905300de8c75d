"""Deletes in Label Studio what is to be forgotten: texts of predictions that were erased or are as
old as predictions get, with what was said of them there."""

from annotation.label_studio import LabelStudio
from annotation.sending import ON_THEIR_WAY_S
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
