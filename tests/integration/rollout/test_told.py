"""What the release process tells of a release: metrics, spans and lines, and no text in any."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from modelkit.abstract_model import Example
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import EXAMPLES, NAME, Workshop, in_code
from tests.parts.otlp_receiver import OtlpReceiver, ReceivedSpan, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

CANARY = "xylophonquartett"
BREAKS = f'''
        for text in texts:
            if "{CANARY}" in text:
                raise ValueError(text)
'''


def read(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def release_steps(receiver: OtlpReceiver) -> list[ReceivedSpan]:
    """Less those that come again, since somebody held the model for as long as they waited."""
    steps = receiver.named("release step")
    return [one for one in steps if one.attributes.get("error.type") != "LockNotAvailable"]


def test_a_release_is_told_as_metrics_spans_and_lines(workshop: Workshop, tmp_path: Path) -> None:
    first, second = (workshop.register(Model(version=n)) for n in range(2))
    examples = [*EXAMPLES, Example("tweets-99", f"tweet {CANARY}")]
    broken = workshop.register(
        Model(version=4),
        in_code("        scores = np.full", BREAKS + "        scores = np.full"),
        examples=examples,
    )
    port = free_port()
    with receiving_spans() as receiver, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rollout", "watch"],
            env={
                **workshop.environment,
                **receiver.environment,
                "PMESH_ROLLOUT_METRICS_PORT": str(port),
            },
            stderr=log,
        )
        try:
            wait_until(lambda: listens(port))
            workshop.wait_for(workshop.accept(first), "DONE")
            workshop.wait_for(workshop.accept(second, steps=[10, 10_000]), "DONE")
            workshop.wait_for(workshop.accept(broken), "REFUSED")
            states = 'model="genre",state='
            wait_until(lambda: read(port).get(f'pmesh_releases{{{states}"REFUSED"}}') == 1)
            receiver.wait_for("release step", "gate", "load", "warm up", "set traffic")
            wait_until(lambda: len(release_steps(receiver)) == 4)
            told = read(port)
        finally:
            process.terminate()
            assert process.wait(100) == 0
    assert told[f'pmesh_releases{{{states}"DONE"}}'] == 2
    assert told[f'pmesh_versions{{{states}"SERVING"}}'] >= 1
    assert told[f'pmesh_versions{{{states}"REFUSED"}}'] == 1
    assert told['pmesh_gate_seconds_count{model="genre",outcome="passed"}'] == 2
    assert told['pmesh_gate_seconds_count{model="genre",outcome="refused"}'] == 1
    changes = {name: value for name, value in told.items() if "release_changes_total" in name}
    kinds = {re.findall(r'change="(\w+)"', name)[0]: value for name, value in changes.items()}
    assert kinds == {"taken_up": 3, "step": 3, "refused": 1, "interrupted": 0}

    steps = release_steps(receiver)
    assert [step.parent_id for step in steps] == [""] * 4
    of_first = next(step for step in steps if step.attributes["pmesh.version"] == first)
    assert of_first.attributes == {"pmesh.model": NAME, "pmesh.version": first}
    below = [one for one in receiver.of_trace(of_first.trace_id) if one != of_first]
    assert {one.parent_id for one in below} == {of_first.span_id}
    assert {one.name for one in below} == {"gate", "load", "warm up", "set traffic"}
    (refused,) = (step for step in steps if step.failed)
    assert refused.attributes["pmesh.version"] == broken
    assert refused.attributes["error.type"] == "FAILS"

    said = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["program"] for line in lines} == {"rollout"}
    (refusal,) = (line for line in lines if "is refused" in line["message"])
    assert (refusal["model"], refusal["version"]) == (NAME, broken)
    assert refusal["trace_id"] == refused.trace_id
    assert CANARY not in said
    assert all(CANARY.encode() not in body for body in receiver.bodies)
    assert CANARY not in str(told)
