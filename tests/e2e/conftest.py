"""One stack for the run: every part a real process, in a data directory of its own.

It sends spans of what callers want recorded, and of what fails or is slow.
"""

from collections.abc import Iterator

import pytest

from pmesh.stack.control import Stack
from pmesh.stack.ports import assign_ports
from tests.e2e.completions import Completions
from tests.e2e.mesh import IMPATIENT, Mesh
from tests.e2e.oracle import Oracle
from tests.parts.doors import Door
from tests.parts.otlp_receiver import OtlpReceiver, receiving_spans


@pytest.fixture(scope="session")
def spans() -> Iterator[OtlpReceiver]:
    """Where all parts send their spans."""
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory, spans: OtlpReceiver) -> Iterator[Mesh]:
    """The running stack; it trains its models first."""
    directory = tmp_path_factory.mktemp("mesh")
    port = assign_ports(directory / "gateway-port", ["gateway"])["gateway"]
    stack = Stack(directory / "home", gateway_port=port)
    stack.home.create()
    for part, variables in IMPATIENT.items():
        stack.set_environment(part, variables)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", spans.endpoint)
            environment.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
            stack.start()
        mesh = Mesh(stack)
        yield mesh
        mesh.close()
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def oracle(mesh: Mesh) -> Oracle:
    """The models, asked without the product."""
    return Oracle(mesh)


@pytest.fixture(params=["grpc", "rest"])
def door(request: pytest.FixtureRequest, mesh: Mesh) -> Door:
    """Each protocol in turn."""
    return mesh.grpc if request.param == "grpc" else mesh.rest


@pytest.fixture
def nothing_stored(mesh: Mesh) -> Iterator[None]:
    """Sees to it that the test leaves no row."""
    sizes = (
        "SELECT (SELECT count(*) FROM requests), (SELECT count(*) FROM predictions),"
        " (SELECT count(*) FROM request_ids)"
    )
    before = mesh.query(sizes)
    yield
    assert mesh.query(sizes) == before


@pytest.fixture
def completions(mesh: Mesh) -> Iterator[Completions]:
    """A subscriber to what is finished from now on."""
    completions = Completions(mesh.bus)
    yield completions
    completions.close()
