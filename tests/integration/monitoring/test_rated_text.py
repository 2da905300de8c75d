"""Text that people rated, of three domains: what has not drifted is not said to have.

That of the shared folder where it lies beside the checkout, and always the project's own.
"""

import csv
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from modelkit.values import model_folder, read_values
from monitoring.alerts.job import evaluate
from monitoring.alerts.store import AlertStore
from monitoring.choice import choose
from monitoring.drift import is_drift
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import MODEL, Observed

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data" / "sentiment"
OWN = ROOT / "models" / "sentiment" / "data"
RUNS = 20
LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Rated:
    """A text, how people rate it, and what a model of these tests answers."""

    text: str
    truth: str
    answer: str
    confidence: float


def read(file: Path, seed: int) -> list[Rated]:
    """All rows of a file, in an order of chance."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    chance = random.Random(seed)  # noqa: S311
    chance.shuffle(rows)
    found = []
    for row in rows:
        rating = float(row["rating"]) / 4
        guess = rating + chance.gauss(0, 0.2)
        found.append(Rated(row["text"], label_of(rating), label_of(guess), min(abs(guess), 1)))
    return found


def label_of(value: float) -> str:
    return "neutral" if abs(value) <= 0.05 else "positive" if value > 0 else "negative"


def f1_macro(rows: Sequence[Rated]) -> float:
    """Straight from the rows: the mean of each label's 2 TP / (2 TP + FP + FN)."""
    right = Counter(row.truth for row in rows if row.truth == row.answer)
    seen = Counter(row.truth for row in rows) + Counter(row.answer for row in rows)
    return sum(2 * right[label] / seen[label] for label in sorted(seen)) / len(seen)


@pytest.mark.parametrize(("folder", "rows"), [(OWN, 60), (SHARED, 200)], ids=["own", "shared"])
def test_current_movies_raise_no_alarm_and_current_tweets_do(
    monitoring: Monitoring, folder: Path, rows: int
) -> None:
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    movies = read(folder / "movies.tsv", seed=1)
    half = len(movies) // 2
    hours = {-30: movies[:half]}
    for run in range(RUNS):
        chance = random.Random(run)  # noqa: S311
        hours[-3 - run] = chance.sample(movies[half:], min(rows, len(movies) - half))
    hours[-2] = read(folder / "tweets.tsv", seed=2)[: 2 * rows]
    for hour, rated in hours.items():
        monitoring.observe(
            [
                Observed(
                    time=monitoring.now + hour * HOUR + timedelta(seconds=second / 10),
                    text=row.text,
                    label=row.answer,
                    confidence=row.confidence,
                    truth=row.truth,
                )
                for second, row in enumerate(rated)
            ],
            seed=hour,
        )
    with monitoring.store() as store:
        choose(store, MODEL, monitoring.window(-30, -29))
    monitoring.run()
    # Then with the rules that the model comes with, an hour after the other.
    rules = [rule.as_said() for rule in read_values(model_folder(MODEL)).alerts]
    monitoring.rules(*rules, labels=LABELS)
    with monitoring.store() as store:
        for hour in range(-28, 1):
            evaluate(AlertStore(store.connection), MODEL, monitoring.now + hour * HOUR)
            assert hour > -2 or monitoring.alerts() == []
    assert {alert["hour"] for alert in monitoring.alerts()} == {"-2"}
    assert "lengths-drift" in {alert["rule"] for alert in monitoring.alerts()}

    figures = monitoring.figures()
    drifted = {hour for (hour, *_, metric), row in figures.items() if is_drift(metric, row["low"])}
    assert drifted == {"-2"}
    for hour, rated in hours.items():
        assert figures[str(hour), "1", "", "f1_macro"]["value"] == f1_macro(rated)
        assert figures[str(hour), "1", "", "f1_macro"]["rows"] == len(rated)
    assert {row["reference"] for key, row in figures.items() if "drift" in key[3]} == {
        f"answers, {monitoring.window(-30, -29)}"
    }
