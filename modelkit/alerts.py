"""models/<name>/alerts.yaml: when people are to be told that a model does worse.

    alerts:
      - name: answers-drift
        metric: label_drift
        above: 0.1

contract/alert_rules.py says what a rule may hold.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from contract.alert_rules import AlertRule, InvalidRule, read_rule, read_rules
from modelkit.strict_yaml import StrictLoader, line_of

FILE = "alerts.yaml"


class InvalidAlerts(ValueError):
    """An alerts.yaml that cannot be used. The message names it, the line and the reason."""


def read_alerts(folder: Path, labels: Sequence[str]) -> list[AlertRule]:
    """The rules in a model's folder, none if it has no such file. Raises InvalidAlerts, OSError.

    labels: of the model.
    """
    file = folder / FILE
    if not file.is_file():
        return []
    try:
        nodes = _rules(yaml.compose(file.read_text(encoding="utf-8"), StrictLoader))
        said = [StrictLoader("").construct_document(node) for node in nodes]
    except yaml.MarkedYAMLError as error:
        raise InvalidAlerts(f"{file}:{line_of(error)}: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidAlerts(f"{file}: {error}") from error
    for rule, node in zip(said, nodes, strict=True):
        try:
            read_rule(rule, labels)
        except InvalidRule as error:
            raise InvalidAlerts(f"{file}:{_line(node, error.key)}: {error}") from error
    try:
        return read_rules(said, labels)
    except InvalidRule as error:
        raise InvalidAlerts(f"{file}: {error}") from error


def _rules(node: yaml.Node | None) -> Sequence[yaml.Node]:
    """Those in the one list that the file is."""
    if node is None:  # all of it is comments
        return []
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        (key, rules) = node.value[0]
        if key.value == "alerts" and isinstance(rules, yaml.SequenceNode):
            return list(rules.value)
    raise yaml.MarkedYAMLError(
        problem="it is alerts: and under it a list of rules", problem_mark=node.start_mark
    )


def _line(rule: yaml.Node, key: str) -> int:
    """Of what is wrong in a rule, else of its beginning."""
    if isinstance(rule, yaml.MappingNode):
        for found, _ in rule.value:
            if found.value == key:
                return int(found.start_mark.line) + 1
    return int(rule.start_mark.line) + 1
