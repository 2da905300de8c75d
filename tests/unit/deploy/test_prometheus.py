"""The values for Prometheus' chart: every file of rules is loaded, and every alert has its page."""

import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

from tests.parts.rules import FILES, alerts

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "deploy/prometheus/values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
"""Of a pod: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase."""


def test_every_file_of_rules_is_given_and_found() -> None:
    given = dict(re.findall(r"--set-file 'ruleFiles\.([^=]+)=([^']+)'", TEXT))
    assert sorted(given.values()) == [str(file.relative_to(ROOT)) for file in FILES]
    patterns = VALUES["serverFiles"]["prometheus.yml"]["rule_files"]
    for key in given:
        path = "/etc/config/" + key.replace("\\.", ".")
        assert any(fnmatch(path, pattern) for pattern in patterns), path


def test_a_pod_that_has_ended_is_not_missed() -> None:
    (job,) = yaml.safe_load(VALUES["extraScrapeConfigs"])
    (dropped,) = (rule for rule in job["relabel_configs"] if rule.get("action") == "drop")
    assert dropped["source_labels"] == ["__meta_kubernetes_pod_phase"]
    ended = [phase for phase in PHASES if re.fullmatch(dropped["regex"], phase)]
    assert ended == ["Succeeded", "Failed"]


def test_alerts_say_who_is_called_what_is_wrong_and_what_to_do() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert document == "docs/observability.md"
        assert anchor == rule["alert"].lower()
        assert anchor in anchors
