"""The models that ship: what each one declares, learns and says."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from modelkit.abstract_model import AbstractModel, Example
from modelkit.artifact import UnknownModel, model_class, model_directory
from modelkit.dataset import read_examples, split
from models.sentiment.text import WordCache, bags, pieces
from training.train import shipped_data

NAMES = ["sentiment", "genre"]
SENTIMENT = [("sentiment", "model"), ("sentiment", "encoder")]
VARIANTS = [*SENTIMENT, ("genre", "model")]
TEXTS = [
    "I love it",
    "it works",
    "",
    "@anna so happy :)",
    "not good. " * 60,
    "…",
    "\u200b",
    "数字 ok",
    "x" * 65_536,
    "a b " * 16_384,
]

Variant = tuple[str, str]
Trained = dict[Variant, AbstractModel]


def train(name: str, variant: str, *, seed: int = 0) -> AbstractModel:
    model = model_class(name, variant)()
    learned, _ = split(read_examples(shipped_data(name)))
    model.train(learned, seed=seed, progress=lambda share: None)
    return model


@pytest.fixture(scope="module")
def trained() -> Trained:
    return {variant: train(*variant) for variant in VARIANTS}


@pytest.mark.parametrize("name", NAMES)
def test_the_catalog_says_what_the_class_says(name: str) -> None:
    values = yaml.safe_load((model_directory(name) / "values.yaml").read_text())
    assert values["id"] == name
    assert values["description"]
    assert tuple(values["labels"]) == model_class(name).labels


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_a_model_can_take_each_others_place(variant: Variant) -> None:
    name, _ = variant
    first, other = model_class(name), model_class(*variant)
    assert other.labels == first.labels
    assert other.has_value == first.has_value
    assert other.primary_metric == first.primary_metric


@pytest.mark.parametrize("name", NAMES)
def test_a_label_that_somebody_gave_is_what_is_learnt(name: str) -> None:
    """Of a labelled prediction nothing else is known: no rating, and no domain of this model's."""
    model = model_class(name)()
    texts = {label: f"a text that is {label.partition('_')[0]}" for label in model.labels}
    examples = [
        Example(f"labelled-{n}", texts[label], label=label) for n in range(20) for label in texts
    ]
    assert [model.truth(example) for example in examples] == [e.label for e in examples]
    old, _ = split(read_examples(shipped_data(name)))
    model.train([*examples, *old], seed=0, progress=lambda share: None)
    metrics = model.eval([*examples, *old], model.predict([e.text for e in (*examples, *old)]))
    assert all(map(math.isfinite, metrics.values()))
    answers = model.predict(list(texts.values())).scores.argmax(axis=1)
    assert [model.labels[n] for n in answers] == list(texts)


@pytest.mark.parametrize("name", ["unknown", "", "..", "sentiment.data"])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(UnknownModel):
        model_class(name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_predictions_have_the_declared_shapes(trained: Trained, variant: Variant) -> None:
    model = trained[variant]
    scores, features, value = model.predict(TEXTS)
    assert scores.shape == (len(TEXTS), len(model.labels))
    assert features.shape == (len(TEXTS), model.feature_size)
    assert (value is not None) == model.has_value
    assert {array.dtype for array in (scores, features)} == {np.dtype(np.float32)}
    assert np.isfinite(features).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_answer_does_not_depend_on_its_neighbours(trained: Trained, variant: Variant) -> None:
    model = trained[variant]
    together = model.predict(TEXTS)
    alone = [model.predict([text]) for text in TEXTS]
    for name in ("scores", "features", "value") if model.has_value else ("scores", "features"):
        np.testing.assert_allclose(
            getattr(together, name),
            np.concatenate([getattr(answer, name) for answer in alone]),
            atol=1e-5,
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_model_says_the_same(trained: Trained, variant: Variant, tmp_path: Path) -> None:
    trained[variant].save(tmp_path)
    loaded = model_class(*variant).load(tmp_path)
    for said, saved in zip(trained[variant].predict(TEXTS), loaded.predict(TEXTS), strict=True):
        np.testing.assert_array_equal(said, saved)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_seed_gives_the_same_weights(trained: Trained, variant: Variant) -> None:
    first, second = trained[variant].weights(), train(*variant).weights()
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


@pytest.mark.parametrize("variant", VARIANTS)
def test_another_seed_gives_other_weights(trained: Trained, variant: Variant) -> None:
    first, second = trained[variant].weights(), train(*variant, seed=1).weights()
    assert any(not np.array_equal(array, second[key]) for key, array in first.items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_computes_on_its_device(variant: Variant) -> None:
    """All but the last step: the device "meta" computes shapes and has no numbers to give."""
    model = model_class(*variant)(device="meta")
    with pytest.raises(NotImplementedError, match="no data"):
        model.predict(TEXTS)


@pytest.mark.parametrize("variant", SENTIMENT)
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love it", "positive"),
        ("great product, works well", "positive"),
        ("this is terrible", "negative"),
        ("not good", "negative"),
        ("the box is blue", "neutral"),
    ],
)
def test_sentiment_is_sensible_out_of_the_box(
    trained: Trained, variant: Variant, text: str, label: str
) -> None:
    model = trained[variant]
    scores, _, _ = model.predict([text])
    assert model.labels[scores[0].argmax()] == label


@pytest.mark.parametrize("variant", SENTIMENT)
def test_the_label_follows_the_value(trained: Trained, variant: Variant) -> None:
    model = trained[variant]
    scores, _, value = model.predict([e.text for e in read_examples(shipped_data("sentiment"))])
    assert value is not None
    assert (np.abs(value) <= 1).all()
    expected = np.where(value < -0.05, 0, np.where(value > 0.05, 2, 1))
    assert set(expected) == {0, 1, 2}
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)


@pytest.mark.parametrize("variant", SENTIMENT)
def test_evaluation_tells_of_each_domain(trained: Trained, variant: Variant) -> None:
    examples = read_examples(shipped_data("sentiment"))
    model = trained[variant]
    metrics = model.eval(examples, model.predict([example.text for example in examples]))
    assert metrics["pearson_r"] > 0.9  # most of these it has learned
    assert {f"{domain}/pearson_r" for domain in ("movies", "amazon", "tweets")} <= metrics.keys()


def words_in(text: str) -> set[int]:
    """The buckets of the words of a text, without those of its pairs and letters."""
    ids, sizes = bags([text], WordCache())
    return set(ids[: sizes[0] : 2].tolist())


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("not good", True),
        ("isn't at all good", True),
        ("never a b c d good", True),
        ("never a b c d e good", False),
        ("not bad. good", False),
        ("good, not bad", False),
    ],
)
def test_a_word_behind_a_negation_is_another_word(text: str, negated: bool) -> None:
    (good,) = words_in("good") - words_in("")
    assert (good not in words_in(text)) == negated


def test_a_negation_ends_with_its_text() -> None:
    together, alone = bags(["not", "good"], WordCache()), bags(["good"], WordCache())
    words, others = together.sizes[0], alone.sizes[0]
    np.testing.assert_array_equal(together.ids[words : words + others], alone.ids[:others])


def test_only_the_beginning_of_a_long_text_is_read_word_by_word() -> None:
    cache = WordCache()
    long, short = (pieces(["good " * count], cache, max_words=128) for count in (16_384, 127))
    assert long.words.tolist() == [128]
    np.testing.assert_array_equal(long.ids, short.ids)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a gripping drama with a superb cast", "movie_review"),
        ("the battery died after a month, I want a refund", "product_review"),
        ("omg so happy :) @bob http://example.com/z", "tweet"),
    ],
)
def test_genre_is_sensible_out_of_the_box(trained: Trained, text: str, label: str) -> None:
    model = trained["genre", "model"]
    assert model.labels[model.predict([text]).scores[0].argmax()] == label
