"""One look at Label Studio: projects as they should be, texts that must go, labels that came."""

import logging
from collections.abc import Callable

from annotation.label_studio import LabelStudio, LabelStudioRefused
from annotation.projects import keep_project
from annotation.pulling import Pulled, pull
from annotation.removal import remove
from annotation.sending import send
from annotation.store import AnnotationStore
from contract.logs import about
from telemetry.spans import span

log = logging.getLogger(__name__)


def look(
    store: AnnotationStore,
    label_studio: LabelStudio,
    *,
    full: bool = False,
    keep: Callable[[int], None] = lambda _: None,
) -> dict[str, Pulled]:
    """Do all that is due, for each model.

    full: look at all tasks, not only at those that changed. keep: called for each project.
    Raises LabelStudioAway, psycopg.Error, and LabelStudioRefused where it refuses a deletion. What
    it refuses of one model besides is told, and holds up no other.
    """
    with span("look"):
        with span("remove"):
            removed = remove(store, label_studio)
        if removed:
            log.info("%d erased or old predictions are not in Label Studio any more", removed)
        pulled: dict[str, Pulled] = {}
        for model in store.models():
            with about(model=model):
                try:
                    pulled[model] = _look_at(store, label_studio, model, full, keep)
                except LabelStudioRefused as error:
                    log.error("%s: %s", model, error)
        return pulled


def _look_at(
    store: AnnotationStore,
    label_studio: LabelStudio,
    model: str,
    full: bool,
    keep: Callable[[int], None],
) -> Pulled:
    whole = full or store.project(model).is_full_look_due
    if whole:
        _forget_lost_project(store, label_studio, model)
    project = keep_project(store, label_studio, model)
    keep(project)
    with span("send", attributes={"pmesh.model": model}):
        send(store, label_studio, model, project)
    with span("pull", attributes={"pmesh.model": model}):
        pulled = pull(store, label_studio, model, project, full=whole)
    if pulled.added or pulled.withdrawn:
        came, gone = pulled.added, pulled.withdrawn
        log.info("%s: %d labels came, %d were withdrawn", model, came, gone)
    return pulled


def _forget_lost_project(store: AnnotationStore, label_studio: LabelStudio, model: str) -> None:
    known = store.project(model).id
    if known is not None and not label_studio.has_project(known):
        log.warning("%s: project %d is gone from Label Studio; another one is made", model, known)
        store.forget_project(model)
