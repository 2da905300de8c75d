"""Who may do more than ask a model: nobody without the key, and nobody else on this machine."""

import base64
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.blocking import infer
from inference.repository import KEY_HEADER, KeyRefused, Loaded, RepositoryApi
from tests.parts.parrot.model import Model
from tests.parts.polling import wait_until
from tests.parts.triton import Triton

RESTRICTED = [
    ("RepositoryIndex", service_pb2.RepositoryIndexRequest()),
    ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name="parrot")),
    ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name="parrot")),
    ("ModelConfig", service_pb2.ModelConfigRequest(name="parrot")),
    ("ModelStatistics", service_pb2.ModelStatisticsRequest(name="parrot")),
    ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest()),
    (
        "SystemSharedMemoryRegister",
        service_pb2.SystemSharedMemoryRegisterRequest(name="x", key="/x", byte_size=8),
    ),
    ("SystemSharedMemoryUnregister", service_pb2.SystemSharedMemoryUnregisterRequest()),
    ("CudaSharedMemoryStatus", service_pb2.CudaSharedMemoryStatusRequest()),
    ("TraceSetting", service_pb2.TraceSettingRequest()),
    ("LogSettings", service_pb2.LogSettingsRequest()),
]


EVIL_CONFIG = {
    "backend": "python",
    "max_batch_size": 1,
    "input": [{"name": "text", "data_type": "TYPE_STRING", "dims": [1]}],
    "output": [{"name": "scores", "data_type": "TYPE_FP32", "dims": [-1]}],
}


def code_that_touches(path: Path) -> bytes:
    """A model that leaves a trace when it is loaded."""
    return f"open({str(path)!r}, 'w').close()\n".encode()


@pytest.fixture(scope="module")
def triton() -> Iterator[Triton]:
    triton = Triton()
    triton.add("parrot", "1", Model(version=1))
    with triton:
        yield triton


@pytest.mark.parametrize("key", [None, "", "another-key"])
@pytest.mark.parametrize(("method", "request_"), RESTRICTED, ids=[name for name, _ in RESTRICTED])
def test_what_is_no_question_needs_the_key(
    triton: Triton, method: str, request_: Any, key: str | None
) -> None:
    metadata = () if key is None else ((KEY_HEADER, key),)
    with grpc.insecure_channel(triton.address) as channel:
        call = getattr(GRPCInferenceServiceStub(channel), method)
        with pytest.raises(grpc.RpcError, match="protocol is restricted"):
            call(request_, timeout=5, metadata=metadata)
    assert triton.control.loaded() == [Loaded("parrot", "1")]


def test_the_code_of_a_stranger_is_not_run(triton: Triton, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    request = service_pb2.RepositoryModelLoadRequest(model_name="evil")
    request.parameters["config"].string_param = json.dumps(EVIL_CONFIG)
    request.parameters["file:1/model.py"].bytes_param = code_that_touches(ran)
    with grpc.insecure_channel(triton.address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="protocol is restricted"):
            stub.RepositoryModelLoad(request, timeout=20)
        assert not ran.exists()
        # The same with the key runs it: this is what the key keeps out.
        with pytest.raises(grpc.RpcError):
            stub.RepositoryModelLoad(request, timeout=20, metadata=((KEY_HEADER, triton.key),))
        assert ran.exists()


def test_a_web_page_has_no_code_run(triton: Triton, tmp_path: Path) -> None:
    """It may send text/plain to every port of this machine without being asked."""
    ran = tmp_path / "ran"
    wait_until(lambda: triton.metrics_port in listening_ports(triton.pid))
    file = base64.b64encode(code_that_touches(ran)).decode()
    body = {"parameters": {"config": json.dumps(EVIL_CONFIG), "file:1/model.py": file}}
    for port in listening_ports(triton.pid):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v2/repository/models/evil/load",
            content=json.dumps(body),
            headers={"content-type": "text/plain", "origin": "https://page.example"},
            timeout=20,
        )
        assert answer.status_code in (404, 405)
    assert triton.control.loaded() == [Loaded("parrot", "1")]
    assert not ran.exists()


def test_another_key_is_told_apart_from_an_outage(triton: Triton) -> None:
    with pytest.raises(KeyRefused):
        RepositoryApi(triton.address, key="another-key").loaded()


def test_a_question_needs_no_key(triton: Triton) -> None:
    assert infer(triton.address, "parrot", "1", ["good"])["value"].tolist() == [[4]]


def test_nothing_of_the_server_but_its_metrics_listens_on_the_network(triton: Triton) -> None:
    """A web page reaches every port of the loopback interface, and no socket."""
    wait_until(lambda: triton.metrics_port in listening_ports(triton.pid))  # it comes last
    assert listening_ports(triton.pid) == [triton.metrics_port]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_the_machine_reaches_nothing(triton: Triton) -> None:
    """Though anybody may read the key in the command line of the server."""
    path = triton.address.removeprefix("unix:")
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    command = [*nobody, "/usr/bin/python3", "-c", program, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def listening_ports(pid: int) -> list[int]:
    """The TCP ports that a process listens on."""
    links = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(handle.readlink()))
    sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]
    ]
    listens = "0A"
    return sorted(
        int(row[1].partition(":")[2], 16) for row in rows if row[3] == listens and row[9] in sockets
    )
