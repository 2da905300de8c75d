"""Each chart under each combination of its options that ci/ lists: helm installs it for real."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.mesh.api_server import ApiServer, Refused, namespaces
from tests.mesh.charts import CHARTS, KUBERNETES, ROOT, rendered
from tests.mesh.istiod import Istiod
from tests.mesh.needed import noted, references

FOLDER = ROOT / "deploy" / "charts"
LISTED = [
    (chart, options)
    for chart in CHARTS
    for options in sorted((FOLDER / chart / "ci").glob("*-values.yaml"))
]
CASES = [pytest.param(*one, id=f"{one[0]}-{one[1].stem}") for one in LISTED]


@pytest.fixture(autouse=True)
def ready(api: ApiServer, istiod: Istiod) -> None:
    """The namespaces of all charts; istiod judges what is of Istio in them."""
    api.apply(namespaces(CHARTS.values()))


@pytest.mark.parametrize(("chart", "options"), CASES)
def test_a_chart_is_installed(api: ApiServer, chart: str, options: Path) -> None:
    release = (chart, FOLDER / chart, "--namespace", CHARTS[chart], "--values", options)
    manifest = api.helm("template", *release, "--kube-version", KUBERNETES)
    # helm itself takes fields that nothing knows.
    strict = ("--server-side", "--validate=strict", "--dry-run=server")
    api.kubectl("apply", *strict, "--namespace", CHARTS[chart], "-f", "-", given=manifest)
    with _installed(api, chart, options):
        pass


@pytest.mark.parametrize(("chart", "options"), CASES)
def test_notes_tell_all_that_pods_read_and_the_chart_does_not_make(
    api: ApiServer, chart: str, options: Path
) -> None:
    found = rendered(chart, options)
    made = {(one["kind"], one["metadata"]["name"]) for one in found.objects}
    read = {reference for _, pod in found.pods() for reference in references(pod)}
    release = (chart, FOLDER / chart, "--namespace", CHARTS[chart], "--values", options)
    told = noted(api.helm("install", *release, "--dry-run=client").partition("\nNOTES:\n")[2])
    told -= {("Secret", "predict-mesh-tls", None)}  # the ingress reads it
    assert {one for one in read if one[:2] not in made} == told


@pytest.mark.parametrize("chart", CHARTS)
def test_a_release_is_upgraded(api: ApiServer, chart: str) -> None:
    options = next(options for name, options in LISTED if name == chart)
    with _installed(api, chart, options) as release, jobs_succeed(api, CHARTS[chart]):
        api.helm("upgrade", *release)
        found = json.loads(api.helm("list", "--namespace", CHARTS[chart], "--output", "json"))
        assert [(one["revision"], one["status"]) for one in found] == [("2", "deployed")]


@contextmanager
def _installed(api: ApiServer, chart: str, options: Path) -> Iterator[tuple[str | Path, ...]]:
    """What helm is told of the release."""
    release = (chart, FOLDER / chart, "--namespace", CHARTS[chart], "--values", options)
    with jobs_succeed(api, CHARTS[chart]):
        api.helm("install", *release)
    try:
        yield release
    finally:
        api.helm("uninstall", chart, "--namespace", CHARTS[chart])


@contextmanager
def jobs_succeed(api: ApiServer, namespace: str) -> Iterator[None]:
    """Plays the controller of jobs, whose end helm waits for where they are hooks."""
    ended = threading.Event()

    def play() -> None:
        while not ended.wait(0.2):
            jobs = json.loads(api.kubectl("--namespace", namespace, "get", "jobs", "-o", "json"))
            for job in jobs["items"]:
                if "succeeded" not in job["status"]:
                    with suppress(Refused):  # it has gone meanwhile
                        api.patch_status("job", namespace, job["metadata"]["name"], _success())

    player = threading.Thread(target=play)
    player.start()
    try:
        yield
    finally:
        ended.set()
        player.join()


def _success() -> dict[str, object]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    times = {"startTime": now, "completionTime": now}
    return {"succeeded": 1, "conditions": conditions, **times}
