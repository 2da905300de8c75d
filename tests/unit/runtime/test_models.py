"""The models that ship: what each one declares, learns and says."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from model_runtime.abstract_model import AbstractModel
from model_runtime.artifact import UnknownModel, model_class, model_directory
from model_runtime.dataset import read_examples, split
from model_runtime.train import shipped_data

NAMES = ["sentiment", "genre"]
TEXTS = ["I love it", "it works", "@anna so happy :)", "…", "\u200b", "数字 ok", "x" * 65_536]


def train(name: str) -> AbstractModel:
    model = model_class(name)()
    learned, _ = split(read_examples(shipped_data(name)))
    model.train(learned, seed=0, progress=lambda share: None)
    return model


@pytest.fixture(scope="module")
def trained() -> dict[str, AbstractModel]:
    return {name: train(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_catalog_says_what_the_class_says(name: str) -> None:
    values = yaml.safe_load((model_directory(name) / "values.yaml").read_text())
    assert values["id"] == name
    assert values["description"]
    assert tuple(values["labels"]) == model_class(name).labels


@pytest.mark.parametrize("name", ["unknown", "", "..", "sentiment.data"])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(UnknownModel):
        model_class(name)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_have_the_declared_shapes(trained: dict[str, AbstractModel], name: str) -> None:
    model = trained[name]
    scores, features, value = model.predict(TEXTS)
    assert scores.shape == (len(TEXTS), len(model.labels))
    assert features.shape == (len(TEXTS), model.feature_size)
    assert (value is not None) == model.has_value
    assert {array.dtype for array in (scores, features)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_does_not_depend_on_its_neighbours(
    trained: dict[str, AbstractModel], name: str
) -> None:
    together = trained[name].predict(TEXTS)
    alone = [trained[name].predict([text]) for text in TEXTS]
    np.testing.assert_allclose(
        together.scores, np.concatenate([a.scores for a in alone]), atol=1e-5
    )
    np.testing.assert_allclose(
        together.features, np.concatenate([a.features for a in alone]), atol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_says_the_same(
    trained: dict[str, AbstractModel], name: str, tmp_path: Path
) -> None:
    trained[name].save(tmp_path)
    loaded = model_class(name).load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(TEXTS).scores, trained[name].predict(TEXTS).scores)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights(trained: dict[str, AbstractModel], name: str) -> None:
    first, second = trained[name].weights(), train(name).weights()
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


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
    trained: dict[str, AbstractModel], text: str, label: str
) -> None:
    model = trained["sentiment"]
    scores, _, value = model.predict([text])
    assert model.labels[scores[0].argmax()] == label
    assert value is not None
    assert {"negative": value < -0.05, "neutral": abs(value) <= 0.05, "positive": value > 0.05}[
        label
    ].all()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a gripping drama with a superb cast", "movie_review"),
        ("the battery died after a month, I want a refund", "product_review"),
        ("omg so happy :) @bob http://example.com/z", "tweet"),
    ],
)
def test_genre_is_sensible_out_of_the_box(
    trained: dict[str, AbstractModel], text: str, label: str
) -> None:
    model = trained["genre"]
    assert model.labels[model.predict([text]).scores[0].argmax()] == label


def test_evaluation_tells_of_each_domain(trained: dict[str, AbstractModel]) -> None:
    examples = read_examples(shipped_data("sentiment"))
    model = trained["sentiment"]
    metrics = model.eval(examples, model.predict([example.text for example in examples]))
    assert metrics["pearson_r"] > 0.9  # most of these it has learned
    assert {f"{domain}/pearson_r" for domain in ("movies", "amazon", "tweets")} <= metrics.keys()
