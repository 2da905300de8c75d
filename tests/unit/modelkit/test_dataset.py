"""The data that models learn from."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from modelkit.abstract_model import Example
from modelkit.dataset import (
    InvalidDataset,
    check_truths,
    fingerprint,
    read_examples,
    split,
    write_examples,
)
from modelkit.near_duplicates import near_duplicates
from tests.unit.modelkit.counter import Counter

HEADER = "id\trating\ttext\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rows_become_examples(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", HEADER + 'movies-1\t-2.5\tA "quoted" text, with a comma\n')
    (example,) = read_examples([path])
    assert example == Example("movies-1", 'A "quoted" text, with a comma', rating=-2.5)
    assert example.domain == "movies"


def test_a_file_may_give_labels_instead_of_ratings(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "id\tlabel\ttext\nmail-1\tspam\tBuy now\n")
    (example,) = read_examples([path])
    assert example.label == "spam"
    assert math.isnan(example.rating)


@pytest.mark.parametrize(
    "row", ["movies-1\t2.5", "movies-1\tgood\ta text", "movies-1\t1\ta\ttext", ""]
)
def test_a_row_of_another_shape_is_named(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "a.tsv", f"{HEADER}movies-1\t1\ta text\n{row}\n")
    with pytest.raises(InvalidDataset, match=r"a\.tsv:3"):
        read_examples([path])


@pytest.mark.parametrize("text", ["", "rating\tid\ttext\n", "movies-1\t1\ta text\n"])
def test_a_file_without_the_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidDataset, match="the first line"):
        read_examples([write(tmp_path / "a.tsv", text)])


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no examples"):
        read_examples([write(tmp_path / "a.tsv", HEADER)])


def numbered(count: int, domain: str = "movies") -> list[Example]:
    """Different texts, no two of which are near-duplicates."""
    return [
        Example(f"{domain}-{n}", f"{n:x} film{n} tale{n} cast{n}", rating=0.0) for n in range(count)
    ]


def test_every_example_is_on_one_side() -> None:
    examples = numbered(1000)
    learned, held_out = split(examples)
    assert sorted([*learned, *held_out], key=examples.index) == examples
    assert 50 < len(held_out) < 150


def test_the_same_texts_are_held_out_of_every_data_set() -> None:
    examples = numbered(1000)
    _, held_out = split(examples)
    assert split(examples[:500])[1] == [e for e in held_out if e in examples[:500]]
    renamed = [replace(e, id=f"reviews-{n}") for n, e in enumerate(reversed(examples))]
    assert {e.text for e in split(renamed)[1]} == {e.text for e in held_out}


def test_a_text_in_another_spelling_is_on_the_same_side() -> None:
    examples = numbered(200)
    spelled = [replace(e, text=e.text.upper().replace(" ", "... ") + "!!!") for e in examples]
    _, held_out = split(examples + spelled)
    texts = {e.text for e in held_out}
    assert texts
    for one, other in zip(examples, spelled, strict=True):
        assert (one.text in texts) == (other.text in texts)


def test_sentences_of_one_source_are_on_one_side() -> None:
    examples = [
        replace(e, id=f"amazon-{n // 10}_{n % 10}") for n, e in enumerate(numbered(500, "amazon"))
    ]
    learned, held_out = split(examples)
    assert {e.id.partition("_")[0] for e in held_out}.isdisjoint(
        e.id.partition("_")[0] for e in learned
    )


def test_nothing_is_learned_that_nearly_repeats_a_held_out_text() -> None:
    examples = numbered(500)
    longer = [replace(e, text=f"{e.text} indeed") for e in examples]
    learned, held_out = split(examples + longer)
    chosen = {e.text for e in held_out}
    for one, other in zip(examples, longer, strict=True):
        if (one.text in chosen) != (other.text in chosen):
            assert one not in learned
            assert other not in learned
    assert len(learned) + len(held_out) < len(examples + longer)  # some were left out


@pytest.mark.parametrize(
    ("text", "other", "repeats"),
    [
        ("I love this feeling. :D", "I LOVE this feeling! :D", True),
        ("Cigar smell is disgusting! Gross!", "Cigar smell is so disgusting. gross gross", True),
        ("a b c d e f g", "a b c d e f x", True),
        ("a b c d e f", "a b c d e x", True),
        ("a b c d e", "a b c d x", False),
        ("a good film", "a bad film", False),
        ("...", "!!!", False),
        (":)", ":)", True),
        ("", "a", False),
    ],
)
def test_near_duplicates_share_most_of_their_words(text: str, other: str, repeats: bool) -> None:
    noise = [f"{word} and more" for word in text.split()]
    assert near_duplicates([text], of=[*noise, other]) == [repeats]
    assert near_duplicates([other, *noise], of=[text])[0] == repeats


def test_too_few_examples_cannot_be_split() -> None:
    with pytest.raises(InvalidDataset, match="too few"):
        split([Example("movies-1", "a text", rating=0.0)])


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", "one"), write(tmp_path / "b", "two")
    same = fingerprint([second, first])
    assert fingerprint([first, second]) == same
    write(first, "three")
    assert fingerprint([first, second]) != same


@pytest.mark.parametrize(
    "examples",
    [
        [Example("d-1", 'say "a, b"', rating=-1 / 3), Example("d-2", "…\u200b", rating=0.0)],
        [Example("d-1", "one", label="few"), Example("d-2", "two", label="many")],
    ],
    ids=["ratings", "labels"],
)
def test_what_is_written_is_read(tmp_path: Path, examples: list[Example]) -> None:
    path = tmp_path / "a.tsv"
    write_examples(path, examples)
    assert [repr(e) for e in read_examples([path])] == [repr(e) for e in examples]  # NaN != NaN


def test_ratings_and_labels_do_not_mix(tmp_path: Path) -> None:
    examples = [Example("d-1", "one", rating=1.0), Example("d-2", "two", label="many")]
    with pytest.raises(InvalidDataset, match="others have labels"):
        write_examples(tmp_path / "a.tsv", examples)


@pytest.mark.parametrize("label", ["none", ""])
def test_a_label_that_the_model_does_not_have_is_named(label: str) -> None:
    check_truths(Counter(), [Example("d-1", "one", label="few")])
    with pytest.raises(InvalidDataset, match=r"d-2 is .* but must be one of few, many"):
        check_truths(Counter(), [Example("d-1", "", label="few"), Example("d-2", "", label=label)])


def test_an_example_whose_truth_the_model_cannot_tell_is_named() -> None:
    class Picky(Counter):
        def truth(self, example: Example) -> str:
            return {"d": "few"}[example.domain]

    with pytest.raises(InvalidDataset, match="example other-1"):
        check_truths(Picky(), [Example("d-1", "one"), Example("other-1", "two")])
