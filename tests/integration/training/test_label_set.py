"""The data set that labels make: which predictions, with which label, on which side."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from modelkit.abstract_model import Example
from modelkit.dataset import InvalidDataset, is_held_out, read_examples, split
from modelkit.labelled import Labelled, Split, read_labels
from models.genre.model import Model
from tests.integration.training.labelling import DAY, MODEL, NOW, Labelling
from tests.parts.postgres import Database
from training.labels import LabelSet, read_label_set, write_provenance
from training.mixing import LEAST, mix
from training.train import shipped_data

OLD = read_examples(shipped_data(MODEL))


@pytest.fixture
def labelling(database: Database) -> Labelling:
    return Labelling.of(database)


def said(labels: LabelSet) -> dict[str, str]:
    return {str(one.prediction): one.label for one, _ in labels.labelled}


def read(labelling: Labelling, since: timedelta | None = None) -> LabelSet:
    with labelling.store() as store:
        return read_label_set(store, MODEL, None if since is None else NOW - since)


def labelled(
    text: str, label: str, number: int, choice: str = "", weight: float | None = None
) -> tuple[Labelled, str]:
    return Labelled(UUID(int=number), label, "PERSON", ("anna",), choice, weight, NOW), text


def enough(*others: tuple[Labelled, str]) -> list[tuple[Labelled, str]]:
    """So many that a training is worth it, with these among them."""
    names = [f"word{n} other{n} third{n} fourth{n}" for n in range(LEAST)]
    labels = Model.labels
    filling = [labelled(text, labels[n % 3], 10_000 + n) for n, text in enumerate(names)]
    return [*filling, *others]


def test_the_label_that_counts_is_learnt_with_all_who_labelled(labelling: Labelling) -> None:
    late, corrected, withdrawn, split_up, judged, unlabelled, old = labelling.predicted(
        "late", "corrected", "withdrawn", "several", "adjudicated", "none", "old", time=NOW - DAY
    )
    (ancient,) = labelling.predicted("ancient", time=NOW - 5 * DAY, seed=1)
    labelling.say(late, "tweet", time=NOW + timedelta(hours=71))
    for hours, label in enumerate(("tweet", "movie_review", "product_review")):
        labelling.say(corrected, label, time=NOW + timedelta(hours=hours))
    labelling.say(withdrawn, "tweet")
    labelling.say(withdrawn, None)
    for annotator, label in {"a": "tweet", "b": "tweet", "c": "movie_review"}.items():
        labelling.say(split_up, label, annotator)
        labelling.say(judged, label, annotator)
    labelling.say(judged, "product_review", "the judge")
    labelling.execute("UPDATE labels SET adjudicated = true WHERE annotator = 'the judge'")
    labelling.execute(
        "UPDATE labels SET choice = 'uncertain', weight = 4 WHERE prediction_id = %s", late
    )
    labelling.say(ancient, "tweet")
    labelling.say(old, "tweet")
    labelling.erase(old)

    found = read(labelling)
    expected = {
        ancient: "tweet",
        late: "tweet",
        corrected: "product_review",
        split_up: "tweet",
        judged: "product_review",
    }
    assert said(found) == expected
    assert found.gone == 1
    by_id = {str(one.prediction): (one, text) for one, text in found.labelled}
    assert by_id[judged][0].annotators == ("a", "b", "c", "the judge")
    assert (by_id[late][0].choice, by_id[late][0].weight, by_id[late][1]) == (
        "uncertain",
        4,
        "late",
    )
    assert unlabelled not in by_id
    assert said(read(labelling, since=2 * DAY)) == {
        k: label for k, label in expected.items() if k != ancient
    }


def test_it_says_where_nobody_has_labelled_anything(labelling: Labelling) -> None:
    labelling.predicted("a text")
    with pytest.raises(InvalidDataset, match=r"^no prediction of genre has a label$"):
        read(labelling)
    with pytest.raises(InvalidDataset, match="of those asked for since 2"):
        read(labelling, since=DAY)


def test_training_reads_no_text_that_nobody_labelled(labelling: Labelling) -> None:
    (seen, unseen) = map(UUID, labelling.predicted("labelled", "not labelled"))
    labelling.say(str(seen), "tweet")
    with labelling.store() as store:
        assert store.texts([seen, unseen]) == {seen: "labelled"}
    labelling.erase(str(seen))
    with labelling.store() as store:
        assert store.texts([seen]) == {}


def test_old_rows_stay_and_labelled_ones_come_to_their_side() -> None:
    learned, held_out = split(OLD)
    rows = enough()
    mixed = mix(Model(), OLD, rows)
    assert [e.id for e in mixed.held_out] == [e.id for e in held_out]
    assert {e.id for e in learned} <= {e.id for e in mixed.learned}
    sides = {one.example_id: side for one, side in mixed.splits}
    for one, text in rows:
        side = Split.HELD_OUT if is_held_out(one.example(text)) else Split.LEARNED
        assert sides[one.example_id] is side
    assert {Split.HELD_OUT, Split.LEARNED} == set(sides.values())
    assert {e.id for e in mixed.labelled_held_out} == {
        name for name, side in sides.items() if side is Split.HELD_OUT
    }


def test_what_was_chosen_as_it_is_hard_does_not_tell_how_good_a_version_is() -> None:
    kinds = [("", None), ("control", 5.0), ("uncertain", 1.5), ("drifted", 2.0), ("", 3.0)]
    rows = [
        labelled(f"a{n} b{n} c{n} d{n}", "tweet", n, choice, weight)
        for kind, (choice, weight) in enumerate(kinds)
        for n in range(1 + 100 * kind, 100 + 100 * kind)
    ]
    mixed = mix(Model(), OLD, enough(*rows))
    kind_of = {one.example_id: (one.choice, one.weight) for one, _ in mixed.splits}
    assert {kind_of[e.id] for e in mixed.labelled_held_out} == set(kinds)
    counted = mixed.representative[len(mixed.held_out) :]
    assert mixed.representative[: len(mixed.held_out)] == mixed.held_out
    assert counted == [e for e in mixed.labelled_held_out if kind_of[e.id] in kinds[:2]]


def test_a_label_wins_over_an_equal_old_text_and_stays_on_its_side() -> None:
    for side in (True, False):
        old = next(e for e in OLD if is_held_out(e) is side)
        one, text = labelled(f"  {old.text.upper()} ", "product_review", 1)
        mixed = mix(Model(), OLD, enough((one, text)))
        everything = [*mixed.learned, *mixed.held_out]
        assert old.id not in {e.id for e in everything}
        assert one.example_id in {
            e.id for e in (mixed.labelled_held_out if side else mixed.learned)
        }


def test_the_side_of_an_old_text_is_that_of_its_source() -> None:
    """A sentence of a held-out review is not learnt because traffic brought it alone."""
    sentences = [Example(f"amazon-1{n}_{n}", f"sentence {n} of review {n}") for n in range(400)]
    torn = next(e for e in sentences if is_held_out(e) and not is_held_out(Example("", e.text)))
    one, text = labelled(torn.text, "tweet", 1)
    mixed = mix(Model(), [*OLD, *sentences], enough((one, text)))
    assert one.example_id in {e.id for e in mixed.labelled_held_out}


def test_of_one_text_the_last_label_counts() -> None:
    first, second = labelled("Just one", "tweet", 1), labelled("just  ONE", "movie_review", 2)
    mixed = mix(Model(), OLD, enough(second, first))
    sides = {one.prediction.int: side for one, side in mixed.splits}
    assert sides[1] is Split.LEFT_OUT
    assert sides[2] is not Split.LEFT_OUT


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (enough()[1:], f"{LEAST - 1} labelled texts are too few; {LEAST} are the least"),
        ([labelled(f"text {n}", "tweet", n) for n in range(LEAST)], "texts are 'tweet'"),
        (enough(labelled("spam", "spam", 1)), "is 'spam', but must be one of movie_review, "),
    ],
)
def test_what_is_hardly_worth_a_training_is_refused(
    rows: list[tuple[Labelled, str]], problem: str
) -> None:
    with pytest.raises(InvalidDataset, match=problem):
        mix(Model(), OLD, rows)


def test_a_model_that_does_not_learn_from_labels_is_refused() -> None:
    class Stubborn(Model):
        def truth(self, example: Example) -> str:
            return "tweet"

    with pytest.raises(InvalidDataset, match="does not learn from labels"):
        mix(Stubborn(), OLD, enough())


def test_the_provenance_has_ids_and_counts_and_no_texts(tmp_path: Path) -> None:
    mixed = mix(Model(), OLD, enough(labelled("a SECRET text", "tweet", 1)))
    write_provenance(tmp_path, LabelSet(NOW, NOW, enough(), 3), mixed.splits)
    assert read_labels(tmp_path / "labels.jsonl") == mixed.splits
    summary = json.loads((tmp_path / "labels.json").read_text())
    assert summary["gone"] == 3
    assert sum(summary["splits"].values()) == len(mixed.splits) == LEAST + 1
    assert summary["sources"] == {"PERSON": LEAST + 1}
    assert summary["annotators"] == {"anna": LEAST + 1}
    assert not any("SECRET" in file.read_text() for file in tmp_path.iterdir())
