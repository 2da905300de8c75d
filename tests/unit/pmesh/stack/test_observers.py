"""What `pmesh up --observe` finds, and what it has programs and observers told."""

import json
from pathlib import Path

import pytest

from pmesh.stack import observers
from pmesh.stack.home import Home
from pmesh.stack.observers import HOW_TO_GET, installed, observer_parts, port_names, shown
from telemetry.settings import read_traces

PORTS = {"mlflow": 1, "metrics": 2, "prometheus": 3, "jaeger": 4, "jaeger-otlp": 5, "grafana": 6}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """One of each, on a PATH that has no other."""
    monkeypatch.setattr(observers, "_OF_THE_CHECKOUT", tmp_path / "none")
    assert installed(str(tmp_path)) == {}
    for name in HOW_TO_GET:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    return installed(str(tmp_path))


def test_what_is_installed_is_found(programs: dict[str, Path]) -> None:
    assert programs.keys() == HOW_TO_GET.keys()
    assert {"mlflow", "metrics", *port_names(programs)} == PORTS.keys()


def test_traces_are_shown_by_mlflow_unless_there_is_jaeger() -> None:
    without = {name: port for name, port in PORTS.items() if "jaeger" not in name}
    said = shown({}, without)
    assert read_traces(said).endpoint == "http://127.0.0.1:1/v1/traces"
    assert said["OTEL_EXPORTER_OTLP_HEADERS"] == "x-mlflow-experiment-id=0"
    assert read_traces(shown({}, PORTS)).endpoint == "http://127.0.0.1:5/v1/traces"


def test_traces_are_recorded_and_go_as_the_user_said() -> None:
    users = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.com:4318",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    said = shown(users, PORTS)
    assert read_traces(said).endpoint == "http://collector.example.com:4318/v1/traces"
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert not read_traces(said).make_sampler().samples(trace)
    assert read_traces(shown({}, PORTS)).make_sampler().samples(trace)
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in said


def test_observers_listen_on_loopback_and_know_of_each_other(
    tmp_path: Path, programs: dict[str, Path]
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    parts = {part.name: part for part in observer_parts(home, programs, PORTS, {})}
    assert parts.keys() == programs.keys()
    for part in parts.values():
        assert part.background
        part.before()
    assert "--web.listen-address=127.0.0.1:3" in parts["prometheus"].command
    jaeger = json.loads((home.path / "jaeger.json").read_text())
    assert jaeger["receivers"]["otlp"]["protocols"] == {"http": {"endpoint": "127.0.0.1:5"}}
    assert jaeger["extensions"]["jaeger_query"]["http"] == {"endpoint": "127.0.0.1:4"}
    grafana = parts["grafana"].environment
    assert (grafana["GF_SERVER_HTTP_ADDR"], grafana["GF_SERVER_HTTP_PORT"]) == ("127.0.0.1", "6")
    provisioned = Path(grafana["GF_PATHS_PROVISIONING"])
    (source,) = json.loads((provisioned / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://127.0.0.1:3"


@pytest.mark.parametrize(
    ("left_out", "page"),
    [
        ("nothing", "http://127.0.0.1:4/trace/"),
        ("jaeger", "http://127.0.0.1:1/#/experiments/0/traces?selectedEvaluationId=tr-"),
    ],
)
def test_a_dot_in_a_graph_leads_to_its_trace(
    tmp_path: Path, programs: dict[str, Path], left_out: str, page: str
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    programs.pop(left_out, None)
    ports = {name: port for name, port in PORTS.items() if not name.startswith(left_out)}
    parts = {part.name: part for part in observer_parts(home, programs, ports, {})}
    assert "--enable-feature=exemplar-storage" in parts["prometheus"].command
    parts["grafana"].before()
    file = home.path / "grafana/provisioning/datasources/prometheus.yaml"
    (source,) = json.loads(file.read_text())["datasources"]
    (destination,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": "trace_id", "url": f"{page}$${{__value.raw}}"}
