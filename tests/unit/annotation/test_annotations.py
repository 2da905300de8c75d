"""What the annotations of a task say, and the interface that they are made with."""

from typing import Any
from xml.etree import ElementTree

import pytest

from annotation.interface import label_config, label_of, result_of
from annotation.label_studio import LabelStudio
from annotation.pulling import said_in
from contract.settings import InvalidSetting

EMAILS = {1: "ann@example.org", 2: "ben@example.org"}


def annotation(
    number: int, user: int, label: str | None, minute: int, **fields: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "completed_by": user,
        "result": [] if label is None else result_of(label),
        "was_cancelled": False,
        "ground_truth": False,
        "updated_at": f"2026-11-27T08:{minute:02}:00.000000Z",
        **fields,
    }


def said(*annotations: dict[str, Any]) -> dict[str, tuple[str, bool, str]]:
    return {
        one.annotator: (one.label, one.adjudicated, one.external_id)
        for one in said_in(annotations, EMAILS)
    }


def test_annotators_are_kept_apart() -> None:
    found = said(annotation(1, 1, "positive", 1), annotation(2, 2, "negative", 2))
    assert {name: label for name, (label, *_) in found.items()} == {
        "ann@example.org": "positive",
        "ben@example.org": "negative",
    }


def test_the_last_that_an_annotator_changed_counts_in_whatever_order_they_come() -> None:
    old, new = annotation(1, 1, "positive", 5), annotation(2, 1, "negative", 9)
    expected = {"ann@example.org": ("negative", False, "2@2026-11-27T08:09:00.000000Z")}
    assert said(old, new) == said(new, old) == expected


def test_what_was_skipped_or_says_no_single_label_says_nothing() -> None:
    two = annotation(3, 1, None, 3, result=[*result_of("positive"), *result_of("negative")])
    other = annotation(4, 1, None, 3, result=[{"from_name": "comment", "value": {"text": ["x"]}}])
    skipped = annotation(1, 1, "positive", 1, was_cancelled=True)
    assert said(skipped, annotation(2, 2, None, 2), two, other) == {}


def test_the_ground_truth_is_an_adjudicators_and_a_user_that_is_gone_has_a_name() -> None:
    found = said(annotation(1, 9, "positive", 1, ground_truth=True))
    assert found == {"user 9": ("positive", True, "1@2026-11-27T08:01:00.000000Z")}


def test_the_interface_has_all_labels_whatever_is_in_them() -> None:
    labels = ['a "quoted" <label> & more', "b", *map(str, range(9))]
    choices = ElementTree.fromstring(label_config(labels)).findall("./Choices/Choice")  # noqa: S314
    assert [choice.get("value") for choice in choices] == labels
    assert [choice.get("hotkey") for choice in choices][:10] == [*map(str, range(1, 10)), None]
    assert label_of({"result": result_of(labels[0])}) == labels[0]


@pytest.mark.parametrize(
    "result",
    [
        None,
        "text",
        7,
        [None],
        [[]],
        [{"from_name": "label", "value": None}],
        [{"from_name": "label", "value": {"choices": "positive"}}],
        [{"from_name": "label", "value": {"choices": [7]}}],
        result_of("no \0 in PostgreSQL"),
        result_of("half a \ud83d pair"),
    ],
)
def test_whatever_is_written_by_the_api_does_no_harm(result: Any) -> None:
    assert label_of({"result": result}) is None


@pytest.mark.parametrize(
    "url",
    [
        *("", "label-studio:8080", "ftp://host", "http://host/path", "http://"),
        *("http://user:geheim@host", "http://[", "http://host:geheim"),
    ],
)
def test_where_label_studio_cannot_be_is_said(url: str) -> None:
    with pytest.raises(InvalidSetting, match="Label Studio is at") as refused:
        LabelStudio(url, "token")
    assert "geheim" not in str(refused.value)
