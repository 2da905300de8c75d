"""istio/services.yaml: what it can say, and the logins of PostgreSQL in it."""

from pathlib import Path

import pytest

from database.logins import program_logins
from pmesh.render.services import InvalidServices, Name, read_services

ROOT = Path(__file__).parents[4]
WITHOUT_A_GROUP = {"owner", "labelstudio", "mlflow"}
"""Logins that roles.sql knows nothing of: of the database's owner, and of databases beside it."""
ROLLOUT, TRITON = "predict-mesh/rollout", "model-*/triton"
INFER = "/inference.GRPCInferenceService/ModelInfer"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "services.yaml"),
        ("gateway: {1: {callers: [a/b]}}", "'gateway' is no name; write namespace/name"),
        (f"{ROLLOUT}: [1]", f"{ROLLOUT} is a section"),
        (f"{ROLLOUT}: {{http: {{}}}}", f"{ROLLOUT}.http: a port is a number"),
        (f"{ROLLOUT}: {{8083: {{}}}}", f"{ROLLOUT}.8083 lacks callers"),
        (f"{ROLLOUT}: {{8083: {{callers: []}}}}", f"{ROLLOUT}.8083 lacks callers"),
        (f"{ROLLOUT}: {{8083: {{callers: [a]}}}}", "'a' is no name"),
        (f"{ROLLOUT}: {{8083: {{caller: []}}}}", "8083 has no caller; it may have callers, rpcs"),
        (f"{ROLLOUT}: {{8083: {{callers: {{a/b: c}}}}}}", f"{ROLLOUT}.8083 lacks callers: a list"),
        (f"{ROLLOUT}: {{8083: {{rpcs: [{INFER}]}}}}", "8083 lets in to all or nothing; leave rpcs"),
        (f"{ROLLOUT}: {{8083: {{rpcs: }}}}", "8083.rpcs is a list of texts, not None"),
        (f"{ROLLOUT}: {{8083: {{rpcs: [1]}}}}", "8083.rpcs is a list of texts"),
        (f"{ROLLOUT}: {{8084: {{}}}}", f"8084: {ROLLOUT} has 8083 and 9469"),
        ("predict-mesh/provision: {8083: {}}", "8083: predict-mesh/provision has no port"),
        (
            f"{TRITON}: {{8001: {{rpcs: [{INFER[:-1]}]}}}}",
            f"no rpc {INFER[:-1]}; write one of",
        ),
        (f"{TRITON}: {{8001: {{rpcs: [ModelInfer]}}}}", "8001: there is no rpc ModelInfer"),
        (f"{TRITON}: {{8002: {{rpcs: [{INFER}]}}}}", "8002 lets in to all or nothing"),
        (
            f"{TRITON}: {{8001: {{callers: [{ROLLOUT}], also: }}}}",
            "8001.also is a list of sections, not None",
        ),
        (
            f"{TRITON}: {{8001: {{callers: [{ROLLOUT}], also: [a/d]}}}}",
            "8001.also is a section",
        ),
        (
            f"{TRITON}: {{8001: {{callers: [{ROLLOUT}], also: [{{rpcs: [/a.B/C]}}]}}}}",
            "8001: there is no rpc /a.B/C",
        ),
        ("outside: {}\noutside: {}", "line 2: outside is there twice"),
        ("outside: {sns: [model-*/workers]}", "model-* has triton, worker, and no workers"),
        ("outside: {sns: [model-mood/worker]}", "model-mood/worker: write model-*"),
        ("outside: {sns: [mood-*/worker]}", "'mood-*/worker' is no name"),
        ("outside: {sns: [predict-msh/relay]}", "the namespaces, and predict-msh is not"),
        ("outside: {sns: [predict-mesh/realy]}", "predict-mesh/realy: predict-mesh has gateway"),
        ("outside: {ftp: [a/b]}", "outside has no ftp"),
        ("predict-mesh/gatway: {1: {}}", "predict-mesh/gatway: predict-mesh has"),
        ("infra/postgres: {5432: {callers: [mlflow/mlflow]}}", "each namespace/account its login"),
        ("infra/postgres: {5432: {callers: {mlflow/mlflow: }}}", "each namespace/account its log"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(text)
    with pytest.raises(InvalidServices) as refused:
        read_services(file, ["mood"])
    assert str(file) in str(refused.value)
    assert why in str(refused.value)


def test_each_model_has_its_own_row_and_callers_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text("model-*/triton: {8001: {callers: [model-*/worker]}}\n")
    services = read_services(file, ["mood", "spam"])
    callers = {service: services.callers(service) for service in services.rules}
    assert callers == {
        Name(f"model-{model}", "triton"): [Name(f"model-{model}", "worker")]
        for model in ("mood", "spam")
    }


def test_logins_are_those_that_programs_are_given() -> None:
    services = read_services(ROOT / "istio/services.yaml", ["mood", "spam"])
    given = {login.name for login in program_logins(["mood", "spam"])}
    assert sorted(services.logins.values()) == sorted(given | WITHOUT_A_GROUP)
    assert services.logins[Name("model-mood", "worker")] == "worker-mood"
