"""What is erased here is erased in Label Studio, and what is deleted there is known here."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from annotation.label_studio import LabelStudio, LabelStudioAway, LabelStudioRefused
from annotation.look import look
from annotation.removal import remove
from annotation.sending import send
from tests.annotation.conftest import Annotation
from tests.parts.observed import MODEL
from tests.parts.polling import wait_until

SECRET = "xylophone of Zanzibar"  # noqa: S105


def test_what_is_erased_leaves_label_studio_also_when_that_was_away(
    annotation: Annotation,
) -> None:
    erased, kept, unsent = annotation.observe(f"the {SECRET}", "a text", f"one more {SECRET}")
    annotation.choose(erased, kept)
    annotation.look()
    annotation.server.annotate(annotation.tasks()[erased].id, "positive")
    annotation.look()
    assert SECRET in annotation.server.everything()

    annotation.server.stop()
    annotation.choose(unsent)
    for one in (erased, unsent):
        annotation.execute("SELECT gateway_v1.erase(%s)", one)
    with pytest.raises(LabelStudioAway):
        annotation.look()
    annotation.server.start()
    with annotation.watching():
        wait_until(lambda: annotation.states() == {kept: "SENT"})
    assert annotation.tasks().keys() == {kept}
    assert SECRET not in annotation.server.everything()
    assert SECRET not in annotation.server.log
    # What was said of it is counted still, and not taken back by its deletion there.
    assert list(annotation.labels().values()) == ["positive"]
    assert annotation.look(full=True).withdrawn == 0


def test_an_erasure_while_the_text_is_on_its_way_is_not_overtaken(annotation: Annotation) -> None:
    (one,) = annotation.observe(f"the {SECRET}")
    annotation.choose(one)
    (outgoing,) = annotation.store.begin_sending(annotation.project, age_s=60, most=9)
    annotation.execute("SELECT gateway_v1.erase(%s)", one)
    annotation.look()
    assert annotation.states() == {one: "REMOVING"}  # it may come still, and does
    data = {"text": outgoing.text, "prediction_id": one}
    annotation.client.import_tasks(annotation.project, [{"data": data}])
    annotation.execute("UPDATE annotation_tasks SET send_time = send_time - interval '2 minutes'")
    annotation.look()
    assert (annotation.states(), annotation.tasks()) == ({}, {})
    assert SECRET not in annotation.server.everything()


def test_a_text_that_is_removed_before_it_arrives_goes_as_soon_as_it_does(
    annotation: Annotation,
) -> None:
    """All between the moment that the text is read and the one that Label Studio takes it."""
    erased, kept = annotation.observe(f"the {SECRET}", "a text")
    annotation.choose(erased, kept)

    class Late(LabelStudio):
        def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
            annotation.execute("SELECT gateway_v1.erase(%s)", erased)
            assert remove(annotation.store, annotation.client, age_s=0) == 1
            assert annotation.states() == {kept: "SENDING"}
            super().import_tasks(project, tasks)

    own = annotation.server.own
    send(annotation.store, Late(own.url, own.token), MODEL, annotation.project)
    assert (annotation.states(), annotation.tasks().keys()) == ({kept: "SENT"}, {kept})
    assert SECRET not in annotation.server.everything()


def test_a_text_that_arrives_after_all_have_gone_is_found_by_a_look_at_all(
    annotation: Annotation,
) -> None:
    erased, gone, known, unsent = annotation.observe(f"the {SECRET}", SECRET, "a text", "another")
    annotation.choose(known)
    annotation.look()
    texts = {erased: f"the {SECRET}", gone: SECRET, unsent: "another"}
    late = [{"data": {"text": text, "prediction_id": one}} for one, text in texts.items()]
    by_hand = {"data": {"text": "made by hand"}}
    annotation.client.import_tasks(annotation.project, [*late, by_hand])
    annotation.execute("SELECT gateway_v1.erase(%s)", erased)
    for table in ("predictions", "requests"):
        annotation.execute(f"DELETE FROM {table} WHERE id = %s", gone)  # noqa: S608
    pulled = annotation.look(full=True)
    assert annotation.tasks().keys() == {known, unsent, ""}
    assert pulled.foreign == 2
    assert SECRET not in annotation.server.everything()


def test_what_is_as_old_as_predictions_get_leaves_label_studio(annotation: Annotation) -> None:
    ids = annotation.observe("a text", "another")
    annotation.choose(*ids)
    annotation.look()
    assert annotation.tasks().keys() == set(ids)
    annotation.execute("ALTER TABLE models DROP CONSTRAINT models_retention_days_check")
    annotation.execute("UPDATE models SET retention_days = 0")
    annotation.look()
    assert (annotation.states(), annotation.tasks()) == ({}, {})


def test_annotations_that_are_deleted_in_bulk_are_found_by_a_look_at_all(
    annotation: Annotation,
) -> None:
    one, other = annotation.observe("a text", "another")
    annotation.choose(one, other)
    annotation.look()
    tasks = annotation.tasks()
    for task in tasks.values():
        annotation.server.annotate(task.id, "positive")
    assert annotation.look().added == 2
    annotation.server.delete_all_of(annotation.project, tasks[one].id)
    annotation.look(full=True)
    assert {prediction for prediction, _ in annotation.labels()} == {other}


def test_a_task_that_somebody_deletes_is_known_and_what_was_said_stays(
    annotation: Annotation,
) -> None:
    one, other = annotation.observe("a text", "another")
    annotation.choose(one, other)
    annotation.look()
    tasks = annotation.tasks()
    annotation.server.annotate(tasks[one].id, "positive")
    annotation.look()
    annotation.client.delete_task(tasks[one].id)
    pulled = annotation.look(full=True)
    assert (pulled.missing, pulled.withdrawn) == (1, 0)
    assert annotation.states() == {one: "REMOVED", other: "SENT"}
    assert len(annotation.labels()) == 1
    send(annotation.store, annotation.client, MODEL, annotation.project)
    assert annotation.tasks().keys() == {other}


def test_a_project_that_somebody_deletes_is_made_anew(annotation: Annotation) -> None:
    one, waiting = annotation.observe("a text", "another")
    annotation.choose(one)
    annotation.look()
    annotation.choose(waiting)
    annotation.server.ask("DELETE", f"/api/projects/{annotation.project}/")
    look(annotation.store, annotation.client, full=True)
    assert annotation.states() == {one: "REMOVED"}
    made = annotation.store.project(MODEL).id
    assert made is not None
    assert made != annotation.project
    assert annotation.client.has_project(made)


def test_it_is_closed_to_strangers(annotation: Annotation) -> None:
    assert annotation.server.status("GET", "/api/projects/") == 401
    assert annotation.server.status("GET", "/health", Host="a-page.example") == 400
    before = annotation.client.emails()
    assert annotation.server.sign_up("eve@example.org") == 403
    assert annotation.client.emails() == before
    for url in ("http://127.0.0.1:1/", "http://169.254.169.254/", "http://10.0.0.1/"):
        with pytest.raises(LabelStudioRefused):
            annotation.client.subscribe(annotation.project, url=url, headers={})
