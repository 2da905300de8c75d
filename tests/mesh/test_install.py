"""Each chart under each combination of its options that ci/ lists: helm installs it for real."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.mesh.api_server import ApiServer, Refused
from tests.mesh.charts import CHARTS, ROOT
from tests.mesh.istiod import Istiod

CASES = [
    pytest.param(
        ROOT / "deploy" / "charts" / chart, namespace, options, id=f"{chart}-{options.stem}"
    )
    for chart, namespace in CHARTS.items()
    for options in sorted((ROOT / "deploy" / "charts" / chart / "ci").glob("*-values.yaml"))
]


@pytest.mark.parametrize(("chart", "namespace", "options"), CASES)
def test_a_chart_is_installed_and_upgraded(
    api: ApiServer, istiod: Istiod, chart: Path, namespace: str, options: Path
) -> None:
    for name in {*CHARTS.values()}:
        with suppress(Refused):
            api.kubectl("create", "namespace", name)
    release = (chart.name, chart, "--namespace", namespace, "--values", options)
    manifest = api.helm("template", *release)
    # helm itself takes fields that nothing knows.
    strict = ("--server-side", "--validate=strict", "--dry-run=server")
    api.kubectl("apply", *strict, "--namespace", namespace, "-f", "-", given=manifest)
    with _jobs_succeed(api, namespace):
        api.helm("install", *release)
        api.helm("upgrade", *release)
    try:
        deployed = json.loads(api.helm("list", "--namespace", namespace, "--output", "json"))
        assert [(one["name"], one["status"]) for one in deployed] == [(chart.name, "deployed")]
        assert api.kubectl("get", "--namespace", namespace, "-f", "-", given=manifest)
    finally:
        api.helm("uninstall", chart.name, "--namespace", namespace)


@contextmanager
def _jobs_succeed(api: ApiServer, namespace: str) -> Iterator[None]:
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
