"""Every annotation becomes a label once, whatever becomes of webhooks, processes and servers."""

import random
import time
from urllib.request import urlopen

import pytest

from annotation import label_studio
from annotation.interface import result_of
from annotation.sending import send
from tests.annotation.conftest import Annotation
from tests.parts.claims import LABELS
from tests.parts.observed import MODEL
from tests.parts.polling import wait_until

CHOICES = LABELS[MODEL]


def test_every_annotation_once_though_webhooks_are_lost_and_label_studio_restarts(
    annotation: Annotation,
) -> None:
    ids = annotation.observe(*[f"the text {number}" for number in range(12)])
    annotation.choose(*ids)
    with annotation.watching() as (process, front):
        wait_until(lambda: set(annotation.states().values()) == {"SENT"})
        users = {
            annotation.server.add_user(f"{name}-{annotation.project}@example.org"): name
            for name in ("ann", "ben", "eve")
        }
        emails = annotation.client.emails()
        tasks = annotation.tasks()
        chance = random.Random(2)  # noqa: S311
        said: dict[tuple[str, str], str] = {}
        numbers: dict[tuple[str, str], int] = {}
        changed: set[tuple[str, str]] = set()
        for step in range(60):
            key = (chance.choice(ids), emails[user := chance.choice([*users])])
            label = chance.choice(CHOICES)
            if key not in numbers:
                numbers[key] = annotation.server.annotate(tasks[key[0]].id, label, user)
                said[key] = label
            elif chance.random() < 0.6:
                annotation.server.change(numbers[key], result=result_of(label))
                said[key] = label
                changed.add(key)
            else:
                annotation.server.delete(numbers.pop(key))
                del said[key]
                changed.add(key)
            if step == 30:
                annotation.server.stop()
                time.sleep(4)  # so that the program has looked in vain
                annotation.server.start()
        wait_until(lambda: annotation.labels() == said)
        assert process.poll() is None
        assert front.dropped
        assert front.doubled
    history = "SELECT prediction_id::text, annotator, label FROM labels ORDER BY id"
    rows = annotation.execute(history)
    assert annotation.look(full=True).added == 0
    assert annotation.execute(history) == rows
    for key in said.keys() - changed:
        assert [row[2] for row in rows if row[:2] == key] == [said[key]]
    decided = annotation.execute("SELECT DISTINCT choice, weight FROM labels_v1.decided")
    assert decided == [("control", 2.0)]


def test_a_webhook_is_enough_between_two_looks(annotation: Annotation) -> None:
    (one,) = annotation.observe("a text")
    annotation.choose(one)

    def lines() -> list[str]:
        with urlopen(f"http://127.0.0.1:{annotation.metrics_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode()).splitlines()

    with annotation.watching(pull_s=3600, is_lossy=False):
        wait_until(lambda: set(annotation.states().values()) == {"SENT"})
        annotation.server.annotate(annotation.tasks()[one].id, "positive")
        wait_until(lambda: bool(annotation.labels()))
        wait_until(lambda: 'pmesh_annotation_labels_total{model="sentiment"} 1.0' in lines())
        said = lines()
    assert 'pmesh_annotation_tasks{model="sentiment",state="SENT"} 1.0' in said
    assert 'pmesh_annotation_tasks{model="sentiment",state="REMOVED"} 0.0' in said
    assert any(line.startswith("pmesh_annotation_last_look_timestamp_seconds 1") for line in said)


@pytest.mark.parametrize(
    ("step", "when"),
    [("import_tasks", "before"), ("import_tasks", "after"), ("tasks_of", "after")],
)
def test_a_push_that_is_killed_is_completed_and_sends_nothing_twice(
    annotation: Annotation, step: str, when: str
) -> None:
    ids = annotation.observe(*[f"a text {number}" for number in range(70)])
    annotation.choose(*ids)
    process = annotation.process(
        f"""
whole = LabelStudio.{step}
def killed(*given):
    if {when!r} == "after":
        whole(*given)
    os.kill(os.getpid(), signal.SIGKILL)
LabelStudio.{step} = killed
"""
    )
    assert process.wait(100) == -9
    assert set(annotation.states().values()) == {"SENDING"}
    # What it tried may be under way still; what it did not is sent now.
    send(annotation.store, annotation.client, MODEL, annotation.project)
    assert sorted(annotation.states().values()) == ["SENDING"] * 50 + ["SENT"] * 20
    annotation.execute("UPDATE annotation_tasks SET send_time = send_time - interval '2 minutes'")
    send(annotation.store, annotation.client, MODEL, annotation.project)
    assert set(annotation.states().values()) == {"SENT"}
    assert annotation.tasks().keys() == set(ids)


def test_a_task_has_the_answer_of_the_model_and_says_whose_it_is(annotation: Annotation) -> None:
    (one,) = annotation.observe("a <b>text</b> & more")
    annotation.choose(one)
    annotation.look()
    found = annotation.server.ask("GET", f"/api/tasks/{annotation.tasks()[one].id}/")
    data = {"text": "a <b>text</b> & more", "prediction_id": one, "model": MODEL, "version": "1"}
    assert found["data"] == data
    (prediction,) = found["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("sentiment@1", 0.8)
    assert prediction["result"][0]["value"] == {"choices": ["positive"]}


def test_what_was_skipped_or_made_by_hand_is_no_label_and_the_ground_truth_decides(
    annotation: Annotation,
) -> None:
    one, other = annotation.observe("a text", "another")
    annotation.choose(one, other)
    annotation.look()
    tasks = annotation.tasks()
    annotation.client.import_tasks(annotation.project, [{"data": {"text": "made by hand"}}])
    by_hand = annotation.client.tasks_after(annotation.project, tasks[other].id, 9)[-1]
    ben = annotation.server.add_user(f"judge-{annotation.project}@example.org")
    for user in (None, ben):
        annotation.server.annotate(by_hand.id, "positive", user)
    skipped = annotation.server.annotate(tasks[other].id, "positive")
    annotation.server.change(skipped, was_cancelled=True)
    for label, user in (("negative", ben), ("positive", None)):
        number = annotation.server.annotate(tasks[one].id, label, user)
        if user == ben:
            annotation.server.change(number, ground_truth=True)
    pulled = annotation.look(full=True)
    assert (pulled.added, pulled.foreign, pulled.refusals) == (2, 1, {})
    assert {prediction for prediction, _ in annotation.labels()} == {one}
    assert annotation.execute("SELECT label FROM labels_v1.decided") == [("negative",)]


def test_a_task_that_is_too_long_to_be_read_holds_up_no_other(
    annotation: Annotation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, long, last = annotation.observe("a text", "another", "a third")
    annotation.choose(first, long, last)
    annotation.look()
    tasks = annotation.tasks()
    for one in tasks.values():
        annotation.server.annotate(one.id, "positive")
    assert annotation.look().added == 3
    monkeypatch.setattr(label_studio, "MAX_ANSWER_BYTES", label_studio.MAX_TASK_BYTES)
    annotation.server.annotate(tasks[long].id, "x" * label_studio.MAX_TASK_BYTES)
    for one in (first, last):
        (said,) = annotation.tasks()[one].annotations or ()
        annotation.server.change(said["id"], result=result_of("negative"))
    for full, added in ((False, 2), (True, 0)):
        caplog.clear()
        pulled = annotation.look(full=full)
        assert (pulled.added, pulled.withdrawn, pulled.missing) == (added, 0, 0)
        assert f"task {tasks[long].id} of project {annotation.project} is too long" in caplog.text
    assert sorted(annotation.labels().values()) == ["negative", "negative", "positive"]
    annotation.execute("SELECT gateway_v1.erase(%s)", long)
    annotation.look()
    assert annotation.tasks().keys() == {first, last}


def test_labels_that_the_model_gets_are_in_the_interface_and_those_it_loses_stay(
    annotation: Annotation,
) -> None:
    annotation.execute("UPDATE models SET labels = '{negative,mixed}'")
    annotation.look()
    config = annotation.server.ask("GET", f"/api/projects/{annotation.project}/")["label_config"]
    assert all(f'value="{label}"' in config for label in ("positive", "negative", "mixed"))
    assert annotation.store.project(MODEL).id == annotation.project
