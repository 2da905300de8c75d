"""What a stack of several is made of."""

from pathlib import Path

import pytest

from database.logins import GATEWAY, ROLLOUT, program_logins
from pmesh.stack.home import Home
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import read_model_list
from pmesh.stack.replicas import ALONE, SIDE_BY_SIDE, Replicas


def stack(home: Path, replicas: Replicas) -> LocalStack:
    home.mkdir(exist_ok=True)
    models = read_model_list()
    return LocalStack(
        Home(home),
        gateway_port=8080,
        ports={name: number for number, name in enumerate(port_names(models, replicas), start=1)},
        models=models,
        environment={},
        replicas=replicas,
    )


@pytest.mark.parametrize("replicas", [ALONE, SIDE_BY_SIDE])
def test_parts_need_and_use_parts_that_there_are(tmp_path: Path, replicas: Replicas) -> None:
    parts = stack(tmp_path / "home", replicas).parts()
    names = [part.name for part in parts]
    assert len(set(names)) == len(names)
    assert {need for part in parts for need in part.needs} <= set(names)
    optional = {"label-studio"}
    assert {used for part in parts for used in part.uses} <= {*names, *optional}


def test_no_two_share_a_port_a_spool_or_a_name_in_the_database(tmp_path: Path) -> None:
    parts = stack(tmp_path / "home", SIDE_BY_SIDE).parts()
    gateways = [part for part in parts if part.name.startswith("gateway-")]
    assert len(gateways) == 2
    one, other = (part.environment for part in gateways)
    own = [name for name in one if "PORT" in name or "SPOOL" in name]
    assert {"PMESH_GATEWAY_PORT", "PMESH_FEATURES_SPOOL"} <= set(own)
    assert [name for name in own if name.startswith("PMESH") and one[name] == other[name]] == []
    opened = [
        port
        for part in parts
        for name, port in part.environment.items()
        if name.endswith("_METRICS_PORT")
    ]
    assert len(opened) == len(set(opened)) == 13
    assert one["PMESH_GATEWAY_ACCESS_LOG"].endswith("/logs/access-1.log")
    assert other["PMESH_GATEWAY_ACCESS_LOG"].endswith("/logs/access-2.log")
    called = [part.environment.get("PGAPPNAME") for part in parts]
    named = [name for name in called if name]
    assert len(set(named)) == len(named)


def test_what_a_gateway_has_left_that_is_no_more_is_shipped(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "features-2").mkdir(parents=True)
    spools = {
        part.name: part.environment["PMESH_FEATURES_SPOOL"]
        for part in stack(home, ALONE).parts()
        if part.name.startswith("features")
    }
    assert spools == {"features": str(home / "features"), "features-2": str(home / "features-2")}


def test_logins_have_connections_for_those_side_by_side() -> None:
    alone, three = program_logins([]), program_logins([], processes=3)
    assert (alone[0], alone[2]) == (GATEWAY, ROLLOUT)
    assert [login.connections for login in three] == [2 * login.connections for login in alone]
