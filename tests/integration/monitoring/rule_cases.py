"""Cases for `promtool test rules`: what programs tell, and which alerts then fire."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.parts.promtool import promtool
from tests.parts.rules import FOLDER

_FIRING = 'sum by (alertname, severity, slo, window) (ALERTS{alertstate="firing"}) > 0'
_LASTS = 300


def steady(values: Mapping[str, str]) -> dict[str, str]:
    """Series in promtool's notation, from one value each; without those that have none.

    values: a number, which then stays, or values as promtool has them.
    """
    return {
        name: value if " " in value or "x" in value else f"{value}x{_LASTS}"
        for name, value in values.items()
        if value
    }


def counter(*stretches: tuple[int, float], step: int) -> str:
    """One that grows: for so many minutes, by so much a minute; step: minutes between values."""
    values, total = [], 0.0
    for minutes, growth in stretches:
        for _ in range(0, minutes, step):
            values.append(f"{total:.6g}")
            total += growth * step
    return " ".join(values)


def fires(
    rules: str,
    series: Mapping[str, str],
    minute: int,
    firing: set[str],
    scratch: Path,
    *,
    step: int = 1,
) -> None:
    """These alerts of a file of rules fire at this minute, and no others.

    series: values by name, one each `step` minutes; rules are looked at in every second of these.
    firing: alert and severity, with slo and window
    where it has them, by blanks. scratch: a folder.
    """
    test = {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"count by (alertname, severity, slo, window) ({_FIRING})",
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": _labels(name.split()), "value": 1} for name in sorted(firing)
                ],
            }
        ],
    }
    file = FOLDER / rules
    given = {
        "rule_files": [str(file)],
        # Else promtool takes groups in any order, and rules may see what others said a turn ago.
        "group_eval_order": [group["name"] for group in yaml.safe_load(file.read_text())["groups"]],
        "evaluation_interval": f"{2 * step}m",
        "tests": [test],
    }
    test_file = scratch / "test.yml"
    test_file.write_text(json.dumps(given))
    tested = promtool("test", "rules", test_file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _labels(words: list[str]) -> str:
    names = ("alertname", "severity", "slo", "window")
    pairs = (f"{name}={json.dumps(word)}" for name, word in zip(names, words, strict=False))
    return "{" + ",".join(pairs) + "}"
