"""What is in the images, and what they do."""

import subprocess
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from predict.v1.model_runtime_service_pb2 import PredictBatchRequest
from predict.v1.model_runtime_service_pb2_grpc import ModelRuntimeServiceStub

from tests.integration.bus_probe import TOPIC_ARN
from tests.integration.deploy.images import Container, Images
from tests.integration.deploy.standins import ROOT, mounted_packages
from tests.integration.polling import wait_until
from tests.integration.ports import free_port
from tests.integration.triton import Triton

pytestmark = pytest.mark.timeout(600)  # the first build makes a Debian to build on

COMPILERS = "cc gcc g++ clang make ld rustc go"


@pytest.fixture(scope="module")
def runtime_image(images: Images) -> str:
    return images.build("genre", "--base", "--version", "7")


@pytest.fixture(scope="module")
def runtime(images: Images, runtime_image: str) -> Container:
    return images.container(runtime_image)


@pytest.fixture(scope="module")
def training(images: Images, runtime_image: str) -> Container:
    return images.container(images.build("genre", "--target", "train"))


@pytest.fixture(scope="module")
def gpu_base(images: Images) -> str:
    """What Triton runs from."""
    image = images.build("genre", "--base", "--device", "gpu")
    return image.replace("/genre:", "/base:").replace("-runtime-gpu", "-gpu")


@pytest.fixture
def address(runtime: Container, triton: Triton) -> Iterator[str]:
    """Of a runtime that was started from its image; its gRPC door needs no bus."""
    nowhere, address = free_port(), f"127.0.0.1:{free_port()}"
    process = runtime.start(
        {
            "PMESH_RUNTIME_ADDRESS": address,
            "PMESH_TRITON_ADDRESS": triton.address,
            "PMESH_TOPIC_ARN": TOPIC_ARN,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{nowhere}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(nowhere),
        }
    )
    yield address
    runtime.stop(process)


def test_a_runtime_image_answers(address: str, released: str) -> None:
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        def serves() -> bool:
            try:
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        wait_until(serves, timeout_s=60)
        request = PredictBatchRequest(model="genre", version=released)
        request.entries.add(prediction_id="one", text="omg so happy :) @bob")
        (result,) = ModelRuntimeServiceStub(channel).PredictBatch(request, timeout=20).results
    assert MessageToDict(result.output)["label"] == "tweet"


def test_a_training_image_trains(training: Container) -> None:
    said = training.run(
        # MLflow without a server keeps artifacts in the working directory.
        *("sh", "-c", "cd /tmp && python -m model_runtime.train genre"),
        volumes=[mounted_packages()],
        variables={"MLFLOW_TRACKING_URI": "sqlite:////tmp/mlflow.db"},
    )
    assert said.splitlines()[-1] == "1"


def test_an_image_runs_as_a_user_that_can_change_nothing(
    runtime: Container, training: Container
) -> None:
    for container in (runtime, training):
        assert container.run("id", "-u").strip() == "10001"
        writable = "find / -xdev -path /tmp -prune -o -writable -not -type l -print 2>/dev/null"
        found = container.run("sh", "-c", f"{writable} || true").split()
        assert set(found) <= {"/var/tmp", "/run/lock"}  # noqa: S108


def test_an_image_has_no_compiler(runtime: Container, training: Container) -> None:
    for container in (runtime, training):
        assert container.run("sh", "-c", f"command -v {COMPILERS} || true") == ""


def test_an_image_has_no_secret(
    images: Images, runtime: Container, training: Container, runtime_image: str
) -> None:
    for container in (runtime, training):
        assert files_with("PMESH_RUNTIME_ADDRESS", container)
        assert files_with(images.secret, container) == []
    assert images.secret not in str(images.describe(runtime_image))


def test_an_image_says_what_it_is(images: Images, runtime_image: str) -> None:
    commit = subprocess.check_output(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        text=True,
    ).strip()
    assert runtime_image == f"localhost/predict-mesh/genre:{commit}-runtime-cpu"
    labels = images.describe(runtime_image)["config"]["Labels"]
    described = {name.removeprefix("org.opencontainers.image."): labels[name] for name in labels}
    assert described["title"] == "predict-mesh genre"
    assert described["revision"] == commit
    assert described["version"] == "7"
    named = images.describe("localhost/predict-mesh/genre:7-runtime-cpu")
    assert named == images.describe(runtime_image)


def test_a_runtime_image_is_small_and_has_no_model(
    images: Images, runtime: Container, runtime_image: str
) -> None:
    assert runtime.run("ls", "/app/models").split() == ["__init__.py"]
    assert not {"torch", "mlflow", "safetensors"} & packages(runtime).keys()
    assert images.size_mb(runtime_image) < 600


def test_packages_are_those_of_the_lock(runtime: Container, training: Container) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(line.partition(" ;")[0].split("==") for line in lines)
    for container in (runtime, training):
        found = packages(container)
        found.pop("torch", None)  # a stand-in
        assert found
        assert {name: locked.get(name) for name in found} == found


def test_triton_finds_what_its_models_import(images: Images, gpu_base: str) -> None:
    config = images.describe(gpu_base)["config"]
    assert config["Cmd"][0] == "tritonserver"
    assert config["User"] == "10001"
    base = images.container(gpu_base)
    assert base.run("sh", "-c", "command -v python3").strip() == "/opt/venv/bin/python3"
    base.run("python3", "-c", "import numpy, safetensors, torch", volumes=[mounted_packages()])
    assert {"numpy", "safetensors", "torch"} <= packages(base).keys()


def files_with(text: str, container: Container) -> list[str]:
    """Those that hold it, whoever may read them."""
    grep = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", text]
    run = subprocess.run(
        [*grep, container.root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    return run.stdout.decode().splitlines()


def packages(container: Container) -> dict[str, str]:
    """The versions of what is installed, by normalized name."""
    program = (
        "import importlib.metadata as m;"
        "[print(d.name.lower().replace('_', '-').replace('.', '-'), d.version)"
        " for d in m.distributions(path=['/opt/venv/lib/python3.11/site-packages'])]"
    )
    lines = container.run("python", "-c", program).splitlines()
    return dict(line.split() for line in lines)
