"""Label Studio's project of each model: made once, with an interface of the model's labels."""

import logging

from annotation.interface import label_config
from annotation.label_studio import LabelStudio
from annotation.store import AnnotationStore

log = logging.getLogger(__name__)

MAX_TITLE = 50
"""Of Label Studio, which takes no title under 3 characters either."""


def keep_project(store: AnnotationStore, label_studio: LabelStudio, model: str) -> int:
    """The id of a model's project, made if there is none; its interface has all labels.

    Raises LabelStudioAway, LabelStudioRefused, psycopg.Error.
    """
    with store.transaction():
        store.hold(model)  # of two who come together, one makes it
        project, labels = store.project(model), store.labels(model)
        if project.id is None:
            title = f"Predict Mesh {model}"[:MAX_TITLE]
            made = label_studio.create_project(title, label_config(labels))
            log.info("%s: project %d was made", model, made)
            store.set_project(model, made, labels)
            return made
        # A label that was taken away stays: it is what people have said of older versions.
        known = [*labels, *(label for label in project.labels if label not in labels)]
        if known != project.labels:
            label_studio.set_label_config(project.id, label_config(known))
            log.info("%s: the interface has %d labels", model, len(known))
            store.set_project(model, project.id, known)
        return project.id
