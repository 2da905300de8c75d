"""What hours are compared with: the window that was chosen, held-out data, or first answers."""

import json
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import mlflow as mlflow_client
import pytest

from monitoring.choice import CannotChoose, choose
from monitoring.defaults import Defaults
from monitoring.job import run
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.mlflow_server import MlflowServer
from tests.parts.observed import MODEL, Observed
from tests.parts.ports import free_port

TEXTS = ["a good film", "a bad film", "so long", "and thanks for all the fish"] * 25


def hour(monitoring: Monitoring, number: int, rows: int = 100, version: str = "1") -> None:
    time = monitoring.now + number * HOUR
    texts = [TEXTS[i % len(TEXTS)] for i in range(rows)]
    observed = [Observed(time=time, text=text, version=version) for text in texts]
    monitoring.observe(observed, seed=f"{number} {version}")


def references(monitoring: Monitoring) -> dict[str, set[str]]:
    """Of the figures that tell drift, by hour."""
    found: dict[str, set[str]] = {}
    for key, row in monitoring.figures("metric LIKE '%drift'").items():
        found.setdefault(key[0], set()).add(row["reference"])
    return found


def register_version(
    registry: MlflowServer,
    folder: Path,
    name: str,
    labelled: Iterable[tuple[str, str, str, float | None]] = (),
) -> str:
    """A version with what training writes of its held-out examples; its number.

    labelled: predictions, each with its split, choice and weight.
    """
    rows = "".join(f"movies-{i}\t0.0\t{text}\n" for i, text in enumerate(TEXTS))
    (folder / "evaluation.tsv").write_text("id\trating\ttext\n" + rows)
    confusion = {"labels": ["negative", "positive"], "counts": [[30, 20], [0, 50]]}
    (folder / "confusion.json").write_text(json.dumps(confusion))
    counts = {"counts": [0] * 5 + [20] * 5}
    (folder / "reliability.json").write_text(json.dumps(counts))
    names = ("prediction", "split", "choice", "weight")
    lines = [json.dumps(dict(zip(names, one, strict=True))) for one in labelled]
    if lines:
        (folder / "labels.jsonl").write_text("\n".join(lines) + "\n")
    client = mlflow_client.MlflowClient(registry.uri)
    run_id = client.create_run(client.create_experiment(f"of-{name}-{uuid4()}")).info.run_id
    client.log_artifacts(run_id, str(folder), "evaluation")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    tags = {"labels_sha256": "of-its-file"} if lines else {}
    version = client.create_model_version(name, f"runs:/{run_id}/model", run_id, tags=tags)
    return str(version.version)


def test_what_is_chosen_holds_for_all_hours_those_made_too(monitoring: Monitoring) -> None:
    for number in (-8, -7, -2):
        hour(monitoring, number)
    hour(monitoring, -2, version="2")
    monitoring.run()
    assert references(monitoring) == {}
    for window in (monitoring.window(-8, -7), monitoring.window(-8, -6)):
        with monitoring.store() as store:
            found = choose(store, MODEL, window)
        assert found.name == f"answers, {window}"
        monitoring.run()
        assert references(monitoring) == {name: {found.name} for name in ("-8", "-7", "-2")}
    with monitoring.store() as store:
        store.forget_reference(MODEL)
    monitoring.run()
    assert references(monitoring) == {}


def test_a_window_without_answers_is_none_to_choose(monitoring: Monitoring) -> None:
    hour(monitoring, -8)
    with monitoring.store() as store:
        with pytest.raises(CannotChoose, match="no answers of 20"):
            choose(store, MODEL, monitoring.window(-3, -2))
        with pytest.raises(CannotChoose, match="ends before it begins"):
            choose(store, MODEL, monitoring.window(-8, -9))
        with pytest.raises(CannotChoose, match="no model 'nobody'; one of: genre, sentiment"):
            choose(store, "nobody", monitoring.window(-8, -7))
        assert store.references(MODEL) == {}


def test_by_default_a_version_is_compared_with_its_first_answers(monitoring: Monitoring) -> None:
    for number, rows in ((-9, 400), (-8, 400), (-7, 400), (-2, 100)):
        hour(monitoring, number, rows)
    hour(monitoring, -2, version="2")  # of which there are too few yet
    monitoring.run()
    name = f"first answers of version 1, {monitoring.window(-9, -6)}"
    assert references(monitoring) == {hour: {name} for hour in ("-9", "-8", "-7", "-2")}
    assert not [key for key in monitoring.figures("version = '2'") if "drift" in key[3]]
    for number in range(-40, -30):  # what comes to light of a time before changes it no more
        hour(monitoring, number, 200)
    monitoring.run()
    assert references(monitoring)["-2"] == {name}


def test_held_out_data_of_the_training_comes_before_first_answers(
    monitoring: Monitoring, mlflow: MlflowServer, tmp_path: Path
) -> None:
    version = register_version(mlflow, tmp_path, MODEL)
    for number in (-9, -2):
        hour(monitoring, number, 1000, version)
        hour(monitoring, number, 1000, "7")  # made elsewhere: the registry does not know it
    with monitoring.store() as store:
        run(store, Defaults(mlflow.uri))
        found = store.references(MODEL)
    assert {one: reference.name for one, reference in found.items()} == {
        version: f"held-out data of version {version}",
        "7": f"first answers of version 7, {monitoring.window(-9, -8)}",
    }
    profile = found[version].profiles[""]
    assert profile.labels == {"negative": 30, "positive": 70}
    assert profile.confidences == {str(bin_): 20 for bin_ in range(5, 10)}
    assert sum(profile.lengths.values()) == len(TEXTS)
    figures = monitoring.figures(f"version = '{version}' AND slice = ''")
    assert figures["-2", version, "", "length_drift"]["value"] == 0
    assert figures["-2", version, "", "unknown_words"]["value"] == 0
    assert figures["-2", version, "", "label_drift"]["low"] > 0.1


def test_a_registry_that_is_away_has_hours_wait_for_their_reference(
    monitoring: Monitoring,
) -> None:
    hour(monitoring, -9, 1000)
    with monitoring.store() as store:
        run(store, Defaults(f"http://127.0.0.1:{free_port()}"))
        assert store.references(MODEL) == {}
    assert monitoring.figures()["-9", "1", "", "volume"]["value"] == 1000


def test_of_first_answers_that_are_deleted_no_reference_is_made(monitoring: Monitoring) -> None:
    hour(monitoring, -50, 1000)
    with monitoring.store() as store:
        run(store, Defaults(f"http://127.0.0.1:{free_port()}"))  # which could have had one
    monitoring.execute("DELETE FROM predictions; DELETE FROM requests")
    hour(monitoring, -2)
    monitoring.run()
    assert monitoring.figures()["-2", "1", "", "volume"]["value"] == 100
    with monitoring.store() as store:
        assert store.references(MODEL) == {}


def test_held_out_predictions_are_counted_by_their_ids(
    monitoring: Monitoring, mlflow: MlflowServer, tmp_path: Path
) -> None:
    long = " ".join(f"unheard{n}" for n in range(100))
    observed = [Observed(time=monitoring.now - 5 * HOUR, text=long, truth="positive")] * 7
    learned, held_out, control, erased, unlabelled, *hard = monitoring.observe(observed)
    monitoring.execute(f"UPDATE requests SET text = '' WHERE id = '{erased}'")  # noqa: S608
    monitoring.execute(f"DELETE FROM labels WHERE prediction_id = '{unlabelled}'")  # noqa: S608
    version = register_version(
        mlflow,
        tmp_path,
        MODEL,
        [
            (learned, "LEARNED", "", None),
            (control, "HELD_OUT", "control", 5.0),
            *((one, "HELD_OUT", "", None) for one in (held_out, erased, unlabelled)),
            *((one, "HELD_OUT", "uncertain", 1.5) for one in hard),
        ],
    )
    hour(monitoring, -2, 100, version)
    with monitoring.store() as store:
        run(store, Defaults(mlflow.uri))
        reference = store.references(MODEL)[version]
    assert reference.profiles[""].lengths.total() == len(TEXTS) + 2
    assert reference.profiles[""].lengths["9"] == 2  # 2^9 characters and more
    assert reference.vocabulary is not None
    known = sum(byte.bit_count() for byte in reference.vocabulary.bits)
    assert 100 < known < 120
