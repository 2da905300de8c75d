"""Each way in which a version can be broken is refused for a reason of its own."""

import json
import shutil
import socket
import zlib
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from mlflow import MlflowClient
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from modelkit.labelled import Labelled
from rollout.refusal import Reason, Refused, refusal_name
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import (
    ALL,
    EXAMPLES,
    NAME,
    TEXTS,
    Mutation,
    Workshop,
    in_code,
    in_manifest,
)
from tests.parts.observed import Observed, observe
from tests.parts.ports import free_port

ONLY_ON_TRITON = "import sys, os\nif 'triton_python_backend_utils' in sys.modules: "


def output(index: int, **fields: object) -> Mutation:
    return in_manifest(lambda manifest: manifest["outputs"][index].update(fields))


def labels(*names: str) -> Mutation:
    return in_manifest(lambda manifest: manifest.update(labels=names))


def add_value(artifact: Path) -> None:
    """To what it declares and to what MLflow says; the version beside it has none."""
    value = {"name": "value", "type": "float32", "shape": [-1, 1]}
    in_manifest(lambda manifest: manifest["outputs"].append(value))(artifact)
    description = yaml.safe_load((artifact / "MLmodel").read_text())
    outputs = json.loads(description["signature"]["outputs"])
    spec = {"dtype": "float32", "shape": [-1, 1]}
    outputs.append({"type": "tensor", "name": "value", "tensor-spec": spec})
    description["signature"]["outputs"] = json.dumps(outputs)
    (artifact / "MLmodel").write_text(yaml.safe_dump(description))


def without_signature(artifact: Path) -> None:
    (artifact / "MLmodel").write_text("flavors: {}\n")


def other_golden_answers(artifact: Path) -> None:
    file = artifact / "golden.json"
    golden = json.loads(file.read_text())
    golden["scores"][3] = golden["scores"][3][::-1]
    golden["scores"][4] = [0.3, 0.3, 0.4]
    file.write_text(json.dumps(golden))


MUTATIONS: dict[str, tuple[ReleaseRefusal, Mutation]] = {
    "renamed output": (Reason.OUTPUT_NAME, output(0, name="probabilities")),
    "other declared type": (Reason.OUTPUT_TYPE, output(0, type="float64")),
    "other type": (Reason.OUTPUT_TYPE, in_code("0.1, np.float32)", "0.1, np.float64)")),
    "other declared shape": (Reason.OUTPUT_SHAPE, output(0, shape=[-1, 4])),
    "other shape": (
        Reason.OUTPUT_SHAPE,
        in_code("[[self._version, len(text)] for", "[[self._version, len(text), 1] for"),
    ),
    "other input": (Reason.INPUT_MISMATCH, in_manifest(lambda m: m.update(inputs=[]))),
    "dropped label": (Reason.LABEL_MISSING, labels("movie_review", "product_review")),
    "new label": (Reason.LABEL_UNKNOWN, labels(*Model.labels, "letter")),
    "swapped labels": (Reason.LABEL_ORDER, labels("product_review", "movie_review", "tweet")),
    "an output more": (
        Reason.CONFIG_MISMATCH,
        add_value,
    ),
    "no signature": (Reason.SIGNATURE_MISMATCH, without_signature),
    "no manifest": (Reason.ARTIFACT_CORRUPT, lambda a: (a / "model.json").unlink()),
    "no golden answers": (Reason.ARTIFACT_CORRUPT, lambda a: (a / "golden.json").unlink()),
    "other golden answers": (Reason.GOLDEN_MISMATCH, other_golden_answers),
    "code that cannot be imported": (
        Reason.DOES_NOT_LOAD,
        in_code("class Model(", "import nowhere\nclass Model("),
    ),
    "weights that are cut short": (
        Reason.DOES_NOT_LOAD,
        lambda a: (a / "weights.safetensors").write_bytes(b"\0" * 10),
    ),
    "an error": (
        Reason.FAILS,
        in_code("scores = np.full(", "raise ValueError\n        scores = np.full("),
    ),
    "a crash": (
        Reason.CRASHES,
        in_code("scores = np.full(", "import os; os._exit(3)\n        scores = np.full("),
    ),
    "what Triton cannot load": (
        Reason.LOAD_FAILED,
        in_code("class Model(", ONLY_ON_TRITON + "raise RuntimeError('no')\nclass Model("),
    ),
    "a crash when it is warmed up": (
        Reason.WARM_UP_FAILED,
        in_code(
            "        scores = np.full(",
            "        import sys, os\n"
            "        if 'triton_python_backend_utils' in sys.modules: os._exit(3)\n"
            "        scores = np.full(",
        ),
    ),
    "other answers on Triton": (
        Reason.GOLDEN_MISMATCH,
        in_code(
            "self._skill = float(",
            "import sys\n        if 'triton_python_backend_utils' in sys.modules:\n"
            "            weights = {'skill': [0], 'version': [0]}\n        self._skill = float(",
        ),
    ),
}


@pytest.fixture
def champion(workshop: Workshop) -> str:
    """A version that serves; whatever happens, it goes on."""
    version = workshop.register()
    workshop.release(version)
    return version


def check_refused(workshop: Workshop, champion: str, version: str, reason: ReleaseRefusal) -> str:
    """Nothing has changed but the history; answers with what it says."""
    last = workshop.last_release()
    assert (last["version"], last["state"], last["refusal"]) == (
        version,
        "REFUSED",
        refusal_name(reason),
    )
    assert last["shares"] is None
    known = reason not in (Reason.VERSION_UNKNOWN, Reason.REGISTRY_UNAVAILABLE)
    refused = {version: "REFUSED"} if known else {}
    assert workshop.states() == {champion: "SERVING"} | refused
    assert workshop.traffic() == {champion: ALL}
    assert workshop.loaded() == {champion}
    assert workshop.serving.laid(NAME) == {champion}
    scores = workshop.ask(champion, TEXTS[:3])["scores"]
    assert scores.tolist() == Model().predict(TEXTS[:3]).scores.tolist()
    return str(last["detail"])


@pytest.mark.parametrize(("reason", "mutation"), MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_broken_version_is_refused(
    workshop: Workshop, champion: str, reason: ReleaseRefusal, mutation: Mutation
) -> None:
    version = workshop.register(None, mutation)
    with pytest.raises(Refused) as refused:
        workshop.release(version)
    assert refused.value.reason == reason, refused.value.detail
    assert check_refused(workshop, champion, version, reason) == refused.value.detail


def test_a_good_version_is_accepted(workshop: Workshop, champion: str) -> None:
    version = workshop.register(Model(skill=0.95))
    workshop.release(version)
    assert workshop.traffic() == {version: ALL}
    assert workshop.states() == {champion: "SERVING", version: "SERVING"}
    assert workshop.loaded() == {champion, version}
    last = workshop.last_release()
    assert last["state"] == "DONE"
    assert (last["actor"], last["reason"]) == ("tester", "a test")
    assert f"version {version} is" in last["detail"]


def test_a_worse_version_is_refused_and_a_little_worse_one_is_not(
    workshop: Workshop, champion: str
) -> None:
    worse = workshop.register(Model(skill=0.7))
    with pytest.raises(Refused):
        workshop.release(worse)
    detail = check_refused(workshop, champion, worse, Reason.QUALITY_WORSE)
    assert "worse than version" in detail
    workshop.release(workshop.register(Model(skill=0.89)))


def test_a_version_that_nobody_registered_is_refused(workshop: Workshop, champion: str) -> None:
    with pytest.raises(Refused):
        workshop.release("999999")
    check_refused(workshop, champion, "999999", Reason.VERSION_UNKNOWN)


@pytest.mark.parametrize("damage", ["altered", "truncated", "missing"])
def test_an_artifact_that_is_not_what_was_registered_is_refused(
    workshop: Workshop, champion: str, damage: str
) -> None:
    version = workshop.register(Model(version=7))
    client = MlflowClient(workshop.tracking_uri)
    root = client.get_run(client.get_model_version(NAME, version).run_id).info.artifact_uri
    weights = Path(root.removeprefix("file://"), "model", "weights.safetensors")
    content = weights.read_bytes()
    match damage:
        case "altered":
            weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "truncated":
            weights.write_bytes(content[: len(content) // 2])
        case "missing":
            shutil.rmtree(weights.parent)
    with pytest.raises(Refused):
        workshop.release(version)
    check_refused(workshop, champion, version, Reason.ARTIFACT_CORRUPT)


@pytest.mark.parametrize("slow", [False, True], ids=["away", "slow"])
def test_a_registry_that_does_not_answer_refuses_and_serving_goes_on(
    workshop: Workshop, champion: str, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    version = workshop.register()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if slow:
            silent.listen()
        port = silent.getsockname()[1] if slow else free_port()
        with pytest.raises(Refused):
            workshop.release(version, uri=f"http://127.0.0.1:{port}")
    check_refused(workshop, champion, version, Reason.REGISTRY_UNAVAILABLE)
    workshop.release(version)  # once it is back


def test_labelled_predictions_judge_a_version_until_they_are_erased(
    workshop: Workshop, champion: str
) -> None:
    """Their texts are in the record only; on all other examples the two versions are alike."""
    luck = {text: zlib.crc32(text.encode()) % 1000 / 1000 for text in TEXTS}
    easy = [example for example in EXAMPLES if luck[example.text] < 0.3]
    labels = {text: text.partition(" ")[0] for text in TEXTS if 0.5 < luck[text] < 0.9}
    now = datetime.now(UTC)
    observed = [
        Observed(time=now, model=NAME, text=text, label=label, truth=label)
        for text, label in labels.items()
    ]
    ids = observe(workshop.connection, observed)
    labelled = [
        Labelled(UUID(one), label, "PERSON", ("anna",), "", None, now)
        for one, label in zip(ids, labels.values(), strict=True)
    ]
    version = workshop.register(Model(skill=0.4), examples=easy, labelled=labelled)
    with pytest.raises(Refused, match="worse than version"):
        workshop.release(version)
    for one in ids:
        workshop.query("SELECT gateway_v1.erase(%s)", one)
    release = workshop.release(version)
    erased = f"; {len(ids)} held-out examples have been erased"
    assert workshop.row(release)["detail"].endswith(erased)
