"""The labelling interface of a model, and what an annotation that was made with it says.

Source: https://labelstud.io/tags/choices
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

CHOICE, TEXT = "label", "text"
"""Names of the two parts, by which results refer to them."""


def label_config(labels: Sequence[str]) -> str:
    """A text with one choice among these labels. Keys 1 to 9 choose the first ones."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name=TEXT, value="$text")
    choices = ElementTree.SubElement(
        view, "Choices", name=CHOICE, toName=TEXT, choice="single-radio", required="true"
    )
    for place, label in enumerate(labels, start=1):
        choice = ElementTree.SubElement(choices, "Choice", value=label)
        if place <= 9:
            choice.set("hotkey", str(place))
    return ElementTree.tostring(view, encoding="unicode")


def result_of(label: str) -> list[dict[str, Any]]:
    """How an annotation or a pre-annotation says this label."""
    value = {"choices": [label]}
    return [{"from_name": CHOICE, "to_name": TEXT, "type": "choices", "value": value}]


def label_of(annotation: Mapping[str, Any]) -> str | None:
    """The one label that an annotation says; None where it says none, or several.

    Whoever may use the API may write anything into an annotation.
    """
    result = annotation.get("result")
    parts = result if isinstance(result, list) else ()
    said = [choice for part in parts for choice in _choices(part)]
    match said:
        case [str(label)] if is_storable(label):
            return label
    return None


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes this text."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _choices(part: Any) -> Sequence[Any]:
    match part:
        case {"from_name": name, "value": {"choices": [*choices]}} if name == CHOICE:
            return choices
    return ()
