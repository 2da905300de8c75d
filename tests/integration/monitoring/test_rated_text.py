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
from monitoring.defaults import of_window
from monitoring.drift import is_drift
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import MODEL, Observed

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data" / "sentiment"
OWN = ROOT / "models" / "sentiment" / "data"
RUNS = 20
REFERENCE, MOVIES, TWEETS = -30, -3, -2
"""The hours that are asked in."""
LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Rated:
    """A text, how people rate it, and what a model of these tests answers."""

    text: str
    truth: str
    answer: str
    confidence: float


def read(file: Path, seed: int) -> list[Rated]:
    """All rows of a file, in an order of chance, with answers of chance."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    chance = random.Random(f"{file.name} {seed}")  # noqa: S311
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


@pytest.mark.parametrize(("folder", "rows"), [(OWN, 40), (SHARED, 200)], ids=["own", "shared"])
def test_current_movies_raise_no_alarm_and_current_tweets_do(
    monitoring: Monitoring, folder: Path, rows: int
) -> None:
    """Each run is a version: movies parted anew into its reference and its traffic, then tweets."""
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    asked: dict[tuple[str, int], list[Rated]] = {}
    for seed in range(1, RUNS + 1):
        movies = read(folder / "movies.tsv", seed)
        asked[f"{seed}", REFERENCE] = movies[rows:][: 3 * rows]
        asked[f"{seed}", MOVIES] = movies[:rows]
        asked[f"{seed}", TWEETS] = read(folder / "tweets.tsv", seed)[: 3 * rows]
    for (version, hour), rated in asked.items():
        monitoring.observe(
            [
                Observed(
                    time=monitoring.now + hour * HOUR + timedelta(seconds=second / 10),
                    text=row.text,
                    label=row.answer,
                    confidence=row.confidence,
                    truth=row.truth,
                    version=version,
                )
                for second, row in enumerate(rated)
            ],
            seed=f"{version} {hour}",
        )
    window = monitoring.window(REFERENCE, REFERENCE + 1)
    versions = {version for version, _ in asked}
    with monitoring.store() as store:
        for version in versions:
            reference = of_window(store, MODEL, version, window)
            assert reference.rows == len(asked[version, REFERENCE])
            store.set_reference(MODEL, version, reference)
    monitoring.run()
    # Then with the rules that the model comes with, an hour after the other.
    rules = [rule.as_said() for rule in read_values(model_folder(MODEL)).alerts]
    monitoring.rules(*rules, labels=LABELS)
    with monitoring.store() as store:
        for hour in range(REFERENCE + 1, 1):
            evaluate(AlertStore(store.connection), MODEL, monitoring.now + hour * HOUR)
            assert hour > TWEETS or monitoring.alerts() == []
    alerts = monitoring.alerts()
    assert {alert["hour"] for alert in alerts} == {f"{TWEETS}"}
    told = {alert["version"] for alert in alerts if alert["rule"] == "lengths-drift"}
    assert told == versions

    figures = monitoring.figures()
    drifted = {
        (version, int(hour))
        for (hour, version, _, metric), row in figures.items()
        if is_drift(metric, row["low"])
    }
    assert drifted == {(version, TWEETS) for version in versions}
    for (version, hour), rated in asked.items():
        f1 = figures[f"{hour}", version, "", "f1_macro"]
        assert (f1["value"], f1["rows"]) == (f1_macro(rated), len(rated))
    assert {row["reference"] for key, row in figures.items() if "drift" in key[3]} == {
        f"first answers of version {version}, {window}" for version in versions
    }
