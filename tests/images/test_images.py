"""What is in the images, and what they do."""

import subprocess
from collections.abc import Callable, Mapping

import pytest

from tests.images.images import Container, Images
from tests.images.standins import ROOT, mounted_packages

pytestmark = pytest.mark.timeout(1200)  # the first build makes a Debian to build on

COMPILERS = "cc gcc g++ clang make ld rustc go"
MODELS_ONLY = {"torch", "mlflow", "safetensors"}
"""Packages of what makes and releases models."""
MAX_MB = {"gateway": 700, "relay": 600, "features": 600}


@pytest.fixture(scope="session")
def containers(
    worker: Container, training: Container, program: Callable[[str], Container]
) -> Mapping[str, Container]:
    """All that are built on Python's slim image."""
    names = ("gateway", "relay", "features", "rollout", "monitoring", "annotation")
    return {"runtime": worker, "train": training, **{name: program(name) for name in names}}


def test_a_training_image_trains(training: Container) -> None:
    said = training.run(
        # MLflow without a server keeps artifacts in the working directory.
        *("sh", "-c", "cd /tmp && python -P -m training.train genre"),
        volumes=[mounted_packages()],
        variables={"MLFLOW_TRACKING_URI": "sqlite:////tmp/mlflow.db"},
    )
    assert said.splitlines()[-1] == "1"


def test_an_image_runs_as_a_user_that_can_change_nothing(
    containers: Mapping[str, Container],
) -> None:
    for container in containers.values():
        assert container.run("id", "-u").strip() == "10001"
        assert container.writable() <= {"/var/tmp", "/run/lock", "/spool", "/reports"}  # noqa: S108


def test_an_image_has_no_compiler(containers: Mapping[str, Container]) -> None:
    for container in containers.values():
        assert container.run("sh", "-c", f"command -v {COMPILERS} || true") == ""


def test_an_image_has_no_secret(
    images: Images, containers: Mapping[str, Container], worker_image: str
) -> None:
    for container in containers.values():
        assert files_with("PMESH_TOPIC_ARN", container)
        assert files_with(images.secret, container) == []
    assert images.secret not in str(images.describe(worker_image))


def test_an_image_says_what_it_is(images: Images, worker_image: str) -> None:
    assert worker_image == f"localhost/predict-mesh/genre:{commit()}-worker-cpu"
    labels = images.describe(worker_image)["config"]["Labels"]
    described = {name.removeprefix("org.opencontainers.image."): labels[name] for name in labels}
    assert described["title"] == "predict-mesh genre"
    assert described["revision"] == commit()
    assert described["version"] == "7"
    named = images.describe("localhost/predict-mesh/genre:7-worker-cpu")
    assert named == images.describe(worker_image)


def test_a_worker_image_is_small_and_has_no_model(
    images: Images, worker: Container, worker_image: str
) -> None:
    assert worker.run("ls", "/app/models").split() == ["__init__.py"]
    assert images.size_mb(worker_image) < 620


def test_what_serves_has_no_package_of_what_makes_models(
    containers: Mapping[str, Container],
) -> None:
    for name in ("gateway", "relay", "features", "runtime"):
        assert not MODELS_ONLY & containers[name].packages().keys()
    assert not {"boto3", "pyarrow"} & containers["gateway"].packages().keys()


@pytest.mark.parametrize("name", MAX_MB)
def test_a_programs_image_is_small_and_has_no_model(
    images: Images, program: Callable[[str], Container], name: str
) -> None:
    assert program(name).run("ls", "/app/models").split() == ["__init__.py"]
    assert images.size_mb(f"localhost/predict-mesh/{name}:{commit()}") < MAX_MB[name]


def test_packages_are_those_of_the_lock(containers: Mapping[str, Container]) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(line.partition(" ;")[0].split("==") for line in lines)
    for container in containers.values():
        found = container.packages()
        found.pop("torch", None)  # a stand-in
        assert found
        assert {name: locked.get(name) for name in found} == found


def commit() -> str:
    """What images are tagged with."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.check_output(describe, cwd=ROOT, text=True).strip()


def files_with(text: str, container: Container) -> list[str]:
    """Those that hold it, whoever may read them."""
    grep = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", text]
    run = subprocess.run(
        [*grep, container.root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    return run.stdout.decode().splitlines()
