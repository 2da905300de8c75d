"""Labels of what was chosen to be labelled, from the table to the figures."""

from datetime import timedelta

import numpy as np
import pytest

from annotation.selection import Candidate, select
from monitoring.quality import accuracy, f1
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.confusion import weighted_confusion
from tests.parts.observed import Observed

LABELS = ("negative", "neutral", "positive")
ROWS, COUNT, CONTROL = 800, 120, 0.25
WEIGHTED, UNWEIGHTED = "-2", "-3"


def test_figures_of_chosen_labels_are_those_of_all_and_without_weights_are_not(
    monitoring: Monitoring,
) -> None:
    random = np.random.default_rng(1)
    answers = random.choice(LABELS, ROWS)
    unsure = random.random(ROWS) < 0.2
    wrong = random.random(ROWS) < np.where(unsure, 0.5, 0.02)
    truths = np.where(wrong, np.roll(LABELS, 1)[np.searchsorted(LABELS, answers)], answers)
    confidences = np.where(unsure, 0.4, 0.97)
    candidates = [
        Candidate(
            prediction_id=f"{row:04}",
            text=" ".join(random.choice(list("abcdefghijkl"), 30)),
            scores={"best": confidence, "other": 1 - confidence},
            drifted=False,
        )
        for row, confidence in enumerate(confidences.tolist())
    ]
    weights = {
        int(one.prediction_id): one.weight for one in select(candidates, COUNT, CONTROL, seed=1)
    }
    for hour in (WEIGHTED, UNWEIGHTED):
        monitoring.observe(
            [
                Observed(
                    time=monitoring.now + int(hour) * HOUR + timedelta(seconds=row),
                    label=str(answers[row]),
                    confidence=float(confidences[row]),
                    truth=str(truths[row]) if row in weights else None,
                    weight=weights.get(row) if hour == WEIGHTED else None,
                )
                for row in range(ROWS)
            ],
            seed=hour,
        )
    monitoring.run()

    found = monitoring.figures("slice = ''")
    right = 1 - wrong.mean()
    for hour in (WEIGHTED, UNWEIGHTED):
        row = found[hour, "1", "", "accuracy"]
        assert row["rows"] == COUNT
        assert (row["low"] <= right <= row["high"]) == (hour == WEIGHTED)
    confusion = weighted_confusion(
        (str(answers[row]), str(truths[row]), weight) for row, weight in weights.items()
    )
    for figure in (accuracy(confusion), *f1(confusion)):
        row = found[WEIGHTED, "1", "", figure.metric]
        assert (row["value"], row["low"], row["high"]) == pytest.approx(
            (figure.value, *(figure.interval or ()))
        )
    shares = [row["value"] for key, row in found.items() if key[3].startswith("confusion:")]
    assert sum(shares) == pytest.approx(2)  # 1 an hour: a pair is one row, whatever its weights
