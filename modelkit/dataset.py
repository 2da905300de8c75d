"""The data that models learn from: tab-separated files of `id`, `rating` or `label`, `text`."""

import csv
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelkit.abstract_model import AbstractModel, Example
from modelkit.near_duplicates import near_duplicates, words_of

RATED, LABELLED = ["id", "rating", "text"], ["id", "label", "text"]
HELD_OUT_SHARE = 10  # one example of so many


class InvalidDataset(ValueError):
    """A file does not have the shape that models learn from. The message says where."""


def read_examples(paths: Sequence[Path]) -> list[Example]:
    """All rows of all files. Raises InvalidDataset, and OSError for a file that is not there."""
    examples = [example for path in paths for example in _read_file(path)]
    if not examples:
        raise InvalidDataset("no examples in " + ", ".join(map(str, paths)))
    return examples


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write a file that `read_examples` reads. Raises InvalidDataset if not all are of one kind."""
    header = LABELLED if examples[0].label else RATED
    lines = ["\t".join(header)]
    for example in examples:
        if bool(example.label) != (header is LABELLED):
            raise InvalidDataset("some examples have ratings and others have labels")
        lines.append(f"{example.id}\t{example.label or example.rating}\t{example.text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")


def check_truths(model: AbstractModel, examples: Sequence[Example]) -> None:
    """Raises InvalidDataset for an example whose truth is none of the model's labels."""
    for example in examples:
        try:
            truth = model.truth(example)
        except (LookupError, ValueError):
            truth = ""
        if truth not in model.labels:
            said = repr(truth) if truth else "nothing"
            raise InvalidDataset(
                f"example {example.id} is {said}, but must be one of " + ", ".join(model.labels)
            )


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Examples to learn from and examples held out.

    Whether one is held out depends on nothing but itself, so it is the same in every data set,
    and no version was trained on what another is judged by. It is its text that decides, without
    case, punctuation and order of words; or, for an id such as `amazon-213_9`, its source, the
    review 213: sentences of one review stay together. What is a near-duplicate of a held-out text
    but was not chosen itself is left out of both.
    """
    learned: list[Example] = []
    held_out: list[Example] = []
    for example in examples:
        (held_out if is_held_out(example) else learned).append(example)
    learned = without_leaks(learned, held_out)
    if not learned or not held_out:
        raise InvalidDataset(f"{len(examples)} examples are too few to hold some out")
    return learned, held_out


def is_held_out(example: Example) -> bool:
    """Whether an example is to judge by, as `split` says."""
    source, separator, _ = example.id.rpartition("_")
    decides = source if separator else " ".join(sorted(words_of(example.text)))
    return zlib.crc32(decides.encode()) % HELD_OUT_SHARE == 0


def without_leaks(learned: Sequence[Example], held_out: Sequence[Example]) -> list[Example]:
    """Those to learn from that are near-duplicates of none that is held out."""
    leaks = near_duplicates([e.text for e in learned], of=[e.text for e in held_out])
    return [example for example, leaks_out in zip(learned, leaks, strict=True) if not leaks_out]


def fingerprint(paths: Sequence[Path]) -> str:
    """The SHA-256 of the files' contents, in hexadecimal; their names do not matter."""
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _read_file(path: Path) -> Iterator[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        header = next(rows, None)
        if header not in (RATED, LABELLED):
            raise InvalidDataset(
                f"{path}: the first line must be id, rating or label, and text, with tabs between"
            )
        for number, row in enumerate(rows, start=2):
            try:
                identifier, said, text = row
                if header == RATED:
                    yield Example(identifier, text, rating=float(said))
                else:
                    yield Example(identifier, text, label=said)
            except ValueError as exc:
                raise InvalidDataset(
                    f"{path}:{number}: not an id, a {header[1]} and a text"
                ) from exc
