"""How labelled predictions are mixed with the data that a model has had so far.

All of the old data is kept but for texts that somebody has labelled since: the label wins. Texts
are equal without case and spacing; of several predictions of one, the one labelled last counts. One
labelled text in ten is held out, decided by the text as in any data set: where the old data has it,
it stays on its side, so that no version learns from what another one was judged by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modelkit.abstract_model import AbstractModel, Example
from modelkit.dataset import InvalidDataset, check_truths, is_held_out, split, without_leaks
from modelkit.labelled import Labelled, Split
from modelkit.near_duplicates import words_of

LEAST = 50
"""Labelled texts that are worth a training: of fewer, hardly any would be held out."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A data set; the examples held out are the old ones and the labelled ones apart."""

    learned: list[Example]
    held_out: list[Example]
    labelled_held_out: list[Example] = field(default_factory=list)
    splits: list[tuple[Labelled, Split]] = field(default_factory=list)
    """What became of each labelled prediction, in their order."""

    @property
    def representative(self) -> list[Example]:
        """What is held out and tells how good a version is: without what was chosen as it is hard.

        That is for comparing versions alone.
        """
        kept = {one.example_id for one, _ in self.splits if one.is_representative}
        return [*self.held_out, *(e for e in self.labelled_held_out if e.id in kept)]


def mix(
    model: AbstractModel, old: Sequence[Example], labelled: Sequence[tuple[Labelled, str]]
) -> Mixed:
    """Add labelled predictions, each with its text, to the data that a model has had so far.

    Raises InvalidDataset where they are too few, say all the same, or what the model does not know.
    """
    counted = _one_of_each_text(labelled)
    _check(model, counted)
    sides = {words_of(example.text): is_held_out(example) for example in old}
    kept = [example for example in old if _same_text(example.text) not in counted]
    learned, held_out = split(kept)
    judged_by: list[Example] = []
    taught = learned
    for example in counted.values():
        on_side = sides.get(words_of(example.text), is_held_out(example))
        (judged_by if on_side else taught).append(example)
    taught = without_leaks(taught, [*held_out, *judged_by])
    where = dict.fromkeys((e.id for e in judged_by), Split.HELD_OUT)
    where |= dict.fromkeys((e.id for e in taught), Split.LEARNED)
    splits = [(one, where.get(one.example_id, Split.LEFT_OUT)) for one, _ in labelled]
    return Mixed(taught, held_out, judged_by, splits)


def _one_of_each_text(labelled: Sequence[tuple[Labelled, str]]) -> dict[str, Example]:
    """By text. Of those that were labelled at the same time, the newer prediction counts."""
    in_order = sorted(labelled, key=lambda one: (one[0].time, one[0].prediction))
    return {_same_text(text): one.example(text) for one, text in in_order}


def _same_text(text: str) -> str:
    return " ".join(text.split()).casefold()


def _check(model: AbstractModel, counted: Mapping[str, Example]) -> None:
    check_truths(model, list(counted.values()))
    labels = {example.label for example in counted.values()}
    if any(model.truth(example) != example.label for example in counted.values()):
        raise InvalidDataset("the model does not learn from labels: its `truth` says another")
    if len(counted) < LEAST:
        raise InvalidDataset(f"{len(counted)} labelled texts are too few; {LEAST} are the least")
    if len(labels) == 1:
        raise InvalidDataset(f"all {len(counted)} labelled texts are {labels.pop()!r}")
