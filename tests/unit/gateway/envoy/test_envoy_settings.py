"""Where Envoy listens, from the environment."""

from pathlib import Path

import pytest

from contract.settings import read
from gateway.envoy.front import Front


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read(Front, {}) == Front()


def test_every_variable_sets_its_field() -> None:
    environ = {
        "PMESH_GATEWAY_ADDRESS": "0.0.0.0",  # noqa: S104
        "PMESH_GATEWAY_PORT": "18080",
        "PMESH_GATEWAY_ADMIN_PORT": "19901",
        "PMESH_GATEWAY_CORS_ORIGINS": "https://a.example.com, https://b.example.com",
        "PMESH_GATEWAY_MAX_CONNECTIONS": "10",
        "PMESH_GATEWAY_DRAIN_DELAY_S": "1.5",
        "PMESH_GATEWAY_DRAIN_S": "2.5",
        "PMESH_GATEWAY_ACCESS": "/etc/predict-mesh/access.json",
        "PMESH_GATEWAY_ACCESS_LOG": "/dev/stdout",
        "PMESH_GATEWAY_CALLER_HEADER": "x-forwarded-user",
    }
    assert read(Front, environ) == Front(
        address="0.0.0.0",  # noqa: S104
        port=18080,
        admin_port=19901,
        cors_origins=("https://a.example.com", "https://b.example.com"),
        max_connections=10,
        drain_delay_s=1.5,
        drain_s=2.5,
        access=Path("/etc/predict-mesh/access.json"),
        access_log=Path("/dev/stdout"),
        caller_header="x-forwarded-user",
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PMESH_GATEWAY_PORT", "http"),
        ("PMESH_GATEWAY_PORT", "0"),
        ("PMESH_GATEWAY_PORT", "65536"),
        ("PMESH_GATEWAY_ADMIN_PORT", "-1"),
        ("PMESH_GATEWAY_PORT", "0.5"),
        ("PMESH_GATEWAY_MAX_CONNECTIONS", "0.5"),
        ("PMESH_GATEWAY_DRAIN_S", "nan"),
        ("PMESH_GATEWAY_DRAIN_S", "inf"),
        ("PMESH_GATEWAY_DRAIN_DELAY_S", "-1"),
    ],
)
def test_a_bad_number_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        read(Front, {variable: value})
