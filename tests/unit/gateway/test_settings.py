"""The gateway's settings from the environment."""

from pathlib import Path

import pytest

from contract.settings import read
from gateway.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read(Settings, {}) == Settings()


@pytest.mark.parametrize(
    "variable",
    [
        "PMESH_GATEWAY_MAX_BATCH",
        "PMESH_GATEWAY_BATCHES_PER_VERSION",
        "PMESH_GATEWAY_BATCHES_PER_SERVER",
        "PMESH_GATEWAY_MAX_WAITING",
        "PMESH_GATEWAY_DATABASE_CONNECTIONS",
    ],
)
@pytest.mark.parametrize("value", ["0", "0.5", "-1", "many"])
def test_a_number_of_things_is_whole_and_not_none(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a whole number, 1 to"):
        read(Settings, {variable: value})


def test_a_batch_is_no_larger_than_the_contract_allows() -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        read(Settings, {"PMESH_GATEWAY_MAX_BATCH": "257"})


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_seconds_are_above_zero(value: str) -> None:
    with pytest.raises(ValueError, match="PMESH_GATEWAY_MAX_CALL_S must be a number"):
        read(Settings, {"PMESH_GATEWAY_MAX_CALL_S": value})


@pytest.mark.parametrize("value", ["X-User", "x user", "-user", ":path", "x-user:", "x-user-bin"])
def test_the_header_of_a_caller_is_a_name_in_lower_case(value: str) -> None:
    with pytest.raises(ValueError, match="PMESH_GATEWAY_CALLER_HEADER must be the name"):
        read(Settings, {"PMESH_GATEWAY_CALLER_HEADER": value})


def test_there_is_no_access_control_but_where_a_policy_is_named() -> None:
    assert read(Settings, {}).access is None
    assert read(Settings, {"PMESH_GATEWAY_ACCESS": "/etc/access.json"}).access == Path(
        "/etc/access.json"
    )
