"""How the pods of the charts run: with what rights, until when, and what tells that they hang."""

from pathlib import Path

import pytest
import yaml

from tests.mesh.charts import CASES, ROOT, containers, rendered, variables

WITHOUT_A_PROBE = {"StatefulSet/postgres/backup"}
"""The chart says why."""


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_pods_have_no_more_rights_than_they_need(chart: str, values: Path) -> None:
    found = rendered(chart, values)
    pods = dict(found.pods())
    assert pods
    for name, pod in pods.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["serviceAccountName"] == pod["metadata"]["labels"]["app"], name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 10001, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_what_a_pod_mounts_is_there(chart: str, values: Path) -> None:
    for name, pod in rendered(chart, values).pods():
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        claims = {"data"} if name == "StatefulSet/postgres" else set()
        for container in containers(pod):
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= volumes | claims, name


def test_a_release_takes_no_triton_out_of_service() -> None:
    """By gRPC, Triton is not ready while it loads a version; its folder has that before."""
    values = ROOT / "deploy/charts/model/ci/all-values.yaml"
    tritons = [one for one in rendered("model", values).pods() if "/triton-" in one[0]]
    assert tritons
    for name, pod in tritons:
        (container,) = pod["spec"]["containers"]
        assert container["readinessProbe"].keys() & {"tcpSocket", "exec", "grpc"} == {"tcpSocket"}
        *_, folder = container["startupProbe"]["exec"]["command"]
        assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}, name


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_what_stays_has_a_probe_that_tells_when_it_hangs(chart: str, values: Path) -> None:
    for name, pod in rendered(chart, values).pods():
        if name.partition("/")[0] not in {"Deployment", "StatefulSet"}:
            continue
        for container in containers(pod):
            is_first = container in pod["spec"].get("initContainers", [])
            if is_first and container.get("restartPolicy") != "Always":
                continue
            at = f"{name}/{container['name']}"
            assert ("livenessProbe" in container) != (at in WITHOUT_A_PROBE), at
            command = container.get("livenessProbe", {}).get("exec", {}).get("command", [])
            if "contract.heartbeat" in command:
                file = Path(variables(container)["PMESH_HEARTBEAT"])
                assert str(file.parent) in {one["mountPath"] for one in container["volumeMounts"]}


def test_the_probe_of_a_triton_tells_a_dead_process_behind_a_version() -> None:
    """As tests/integration/inference/test_triton_probes.py has it say of a real one."""
    values = ROOT / "deploy/charts/model/ci/all-values.yaml"
    tritons = [one for one in rendered("model", values).pods() if "/triton-" in one[0]]
    assert tritons
    for _, pod in tritons:
        (container,) = pod["spec"]["containers"]
        command = container["livenessProbe"]["exec"]["command"]
        assert command == ["python", "-P", "-m", "inference.liveness", "127.0.0.1:8001"]
        secrets = {one["name"] for one in container["env"] if "valueFrom" in one}
        assert "PMESH_TRITON_KEY" in secrets


def test_a_triton_that_asks_for_no_gpu_sees_none() -> None:
    values = ROOT / "deploy/charts/model/ci/all-values.yaml"
    for name, pod in rendered("model", values).pods():
        if "/triton-" in name:
            (container,) = pod["spec"]["containers"]
            has_gpu = "nvidia.com/gpu" in container["resources"]["limits"]
            assert variables(container).get("NVIDIA_VISIBLE_DEVICES") == (
                None if has_gpu else "void"
            ), name


def test_a_gateway_that_ends_has_time_for_all_that_it_does_then() -> None:
    values = ROOT / "deploy/charts/predict-mesh/ci/all-values.yaml"
    pods = dict(rendered("predict-mesh", values).pods())
    gateway = pods["Deployment/gateway"]["spec"]
    (container,) = gateway["containers"]
    env = variables(container)
    drains = float(env["PMESH_GATEWAY_DRAIN_DELAY_S"]) + float(env["PMESH_GATEWAY_DRAIN_S"])
    said = yaml.safe_load((ROOT / "deploy/charts/predict-mesh/values.yaml").read_text())
    # Envoy ends in 11; then the shipper begins.
    assert gateway["terminationGracePeriodSeconds"] >= drains + 11 + said["gateway"]["shipSeconds"]
    (shipper,) = gateway["initContainers"]
    assert shipper["restartPolicy"] == "Always"
    spools = [
        mount
        for one in (container, shipper)
        for mount in one["volumeMounts"]
        if mount["mountPath"] == "/spool"
    ]
    assert [mount["name"] for mount in spools] == ["spool", "spool"]


def test_a_models_tritons_are_told_apart_and_are_only_its_own() -> None:
    values = ROOT / "deploy/charts/model/ci/all-values.yaml"
    found = rendered("model", values)
    pods = {name: pod for name, pod in found.pods() if "triton" in name}
    tracks = {pod["metadata"]["labels"]["track"]: pod["spec"] for pod in pods.values()}
    assert tracks.keys() == {"stable", "canary", "version-12", "version-13"}
    for spec in tracks.values():
        (container,) = spec["containers"]
        exits = int(container["args"][1].removeprefix("--exit-timeout-secs="))
        delay = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > delay + exits  # and what else ends
        (folder,) = spec["initContainers"]  # of 10001, whose the model's folder must be
        assert folder["command"][-1] == f"{folder['volumeMounts'][0]['mountPath']}/sentiment"
        (models,) = [m for m in container["volumeMounts"] if m["name"] == "models"]
        assert (models["subPath"], models["readOnly"]) == ("sentiment", True)
    limits = {track: spec["containers"][0]["resources"]["limits"] for track, spec in tracks.items()}
    assert [track for track in limits if "nvidia.com/gpu" in limits[track]] == ["version-12"]
    images = {track: spec["containers"][0]["image"] for track, spec in tracks.items()}
    assert images["canary"].endswith(":def456")
    assert images["stable"].endswith(":abc123")
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in found.of("ScaledObject")}
    assert scaled == {"worker", *(f"triton-{track}" for track in tracks)}
    for one in found.of("Deployment"):
        assert ("replicas" in one["spec"]) != (one["metadata"]["name"] in scaled)
