import json
import socket
from pathlib import Path

from pmesh.stack.ports import assign_ports, is_free


def test_ports_are_free_different_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = assign_ports(file, ["bus", "store"])
    assert len(set(first.values())) == 2
    assert all(map(is_free, first.values()))
    assert assign_ports(file, ["bus", "store"]) == first


def test_a_port_that_somebody_took_is_chosen_anew(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = assign_ports(file, ["bus", "store"])
    with socket.create_server(("127.0.0.1", first["bus"])):
        second = assign_ports(file, ["bus", "store"])
    assert second["bus"] != first["bus"]
    assert second["store"] == first["store"]
    assert json.loads(file.read_text()) == second


def test_ports_lie_below_those_of_outgoing_connections(tmp_path: Path) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = assign_ports(tmp_path / "ports.json", [str(n) for n in range(50)])
    assert max(ports.values()) < lowest


def test_a_file_that_was_cut_short_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text("")
    assert assign_ports(file, ["bus"]) == json.loads(file.read_text())
    assert list(json.loads(file.read_text())) == ["bus"]
