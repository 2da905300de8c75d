"""Evidently's reports of a version's day, made in Evidently's own environment, which has 700 MB.

Reads {"folder", "current", "reference", "labelled"} from stdin: each of the last three is columns
by name, as lists of text, or null. Writes drift.html and quality.html into the folder, those that
there are columns for, and prints the numbers in them: {"drift.html": {"label": 0.1, ...}, ...}.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

DISTANCE = "jensenshannon"
THRESHOLD = 0.1


def main() -> None:
    """Do it, after whoever else wants the processor."""
    os.nice(10)
    given: dict[str, Any] = json.load(sys.stdin)
    folder = Path(given["folder"])
    written = {}
    if given["reference"]:
        written["drift.html"] = drift(folder / "drift.html", given["current"], given["reference"])
    if given["labelled"]:
        written["quality.html"] = quality(folder / "quality.html", given["labelled"])
    json.dump(written, sys.stdout)


def drift(file: Path, current: dict[str, Any], reference: dict[str, Any]) -> dict[str, float]:
    """Write the report; column -> its distance from the reference."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset
    from pandas import DataFrame

    names = list(current)
    definition = DataDefinition(categorical_columns=names)
    now, then = (
        Dataset.from_pandas(DataFrame(columns), data_definition=definition)
        for columns in (current, reference)
    )
    preset = DataDriftPreset(columns=names, cat_method=DISTANCE, cat_threshold=THRESHOLD)
    done = Report([preset], include_tests=True).run(now, then)
    done.save_html(str(file))
    return {
        metric["config"]["column"]: float(metric["value"])
        for metric in done.dict()["metrics"]
        if metric["metric_name"].startswith("ValueDrift(")
    }


def quality(file: Path, labelled: dict[str, Any]) -> dict[str, float]:
    """Write the report; accuracy and f1_macro. labelled: the columns `label` and `truth`."""
    from evidently import DataDefinition, Dataset, MulticlassClassification, Report
    from evidently.presets import ClassificationPreset
    from pandas import DataFrame

    roles = [MulticlassClassification(target="truth", prediction_labels="label")]
    definition = DataDefinition(categorical_columns=["label", "truth"], classification=roles)
    rows = Dataset.from_pandas(DataFrame(labelled), data_definition=definition)
    done = Report([ClassificationPreset()]).run(rows, None)
    done.save_html(str(file))
    names = {"Accuracy": "accuracy", "F1Score": "f1_macro"}
    found = {metric["metric_name"].partition("(")[0]: metric for metric in done.dict()["metrics"]}
    return {ours: float(found[theirs]["value"]) for theirs, ours in names.items()}


if __name__ == "__main__":
    main()
