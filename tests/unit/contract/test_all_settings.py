"""The numbers of every program's settings: each is refused unless it makes sense."""

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from contract.settings import read

ROOT = Path(__file__).parents[3]
NEVER = (
    "nan",
    "inf",
    "-inf",
    "-1",
    " 5",
    "5 ",
    "5s",
    "0x5",
    "1_0",
    "\u0665",
    "9" * 400,
    "9" * 5000,
)
NEVER_WHOLE = ("0.5", "1.0", "1e3", "5.", "+5")
# Limits of others, which no default bound knows.
SQS_WAIT_S = 20
PORTS = 65535
MAY_BE_NONE = (
    "PMESH_WORKER_FINISH_S",
    "PMESH_FEATURES_SPOOL_MAX_BYTES",
    "PMESH_GATEWAY_DRAIN_FD",
    "PMESH_TRACES_KEPT_PER_S",
)
_VALID = {"ARN": "arn:aws:sns:us-east-1:123456789012:events", "ADDRESS": "a-host:1"}
"""By a part of the variable's name."""
_IMPORTS_SETTING = re.compile(r"^from contract\.settings import (read, )?setting$", re.MULTILINE)

NO_METRICS = "_METRICS_PORT"
"""0: there are none."""


@dataclass(frozen=True)
class Number:
    """A number that a program can be told."""

    settings: type[Any]
    name: str
    variable: str
    kind: type[Any]
    least: float
    most: float
    default: Any

    def read(self, text: str) -> Any:
        environ = {**_others(self.settings), self.variable: text}
        return getattr(read(self.settings, environ), self.name)


def classes() -> Iterator[type[Any]]:
    """Every class of the programs that contract.settings reads."""
    packages = [init.parent for init in ROOT.glob("[a-z]*/__init__.py")]
    for path in sorted(path for package in packages for path in package.rglob("*.py")):
        if not _IMPORTS_SETTING.search(path.read_text(encoding="utf-8")):
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == module.__name__ and is_dataclass(found):
                yield found


def numbers() -> Iterator[Number]:
    for settings in classes():
        types = get_type_hints(settings)
        for field in fields(settings):
            rule = field.metadata.get("rule")
            if rule and types[field.name] in (int, float):
                yield Number(
                    settings,
                    field.name,
                    rule.variable,
                    types[field.name],
                    rule.least,
                    rule.most,
                    field.default,
                )


NUMBERS = list(numbers())
everything = pytest.mark.parametrize("number", NUMBERS, ids=lambda n: n.variable)


def test_the_numbers_of_all_programs_are_seen() -> None:
    seen = {number.settings.__module__.split(".")[0] for number in NUMBERS}
    assert seen == {
        *("gateway", "relay", "model_runtime", "rollout", "monitoring", "training", "annotation"),
        *("features", "telemetry", "pmesh"),
    }
    assert {"PMESH_GATEWAY_MAX_BATCH", "PMESH_GATEWAY_PORT"} <= {n.variable for n in NUMBERS}


@everything
def test_what_is_no_number_is_refused(number: Number) -> None:
    for text in (*NEVER, *(NEVER_WHOLE if number.kind is int else ())):
        with pytest.raises(ValueError, match=f"^{number.variable} must be a ") as refused:
            number.read(text)
        assert "number" in str(refused.value)


@everything
def test_its_bounds_are_the_last_that_are_taken(number: Number) -> None:
    assert number.default is MISSING or number.least <= number.default <= number.most
    for bound in (number.least, number.most):
        assert number.read(f"{bound:.16g}") == bound
    for beyond in (number.least - 1, number.most + 1):
        with pytest.raises(ValueError, match=f"^{number.variable} must be "):
            number.read(f"{beyond:.16g}")


@everything
def test_what_is_counted_or_divided_by_is_not_zero(number: Number) -> None:
    if number.kind is float or number.variable in MAY_BE_NONE:
        return
    if number.variable.endswith(NO_METRICS):
        return
    with pytest.raises(ValueError, match=number.variable):
        number.read("0")


@everything
def test_the_limits_of_others_are_known(number: Number) -> None:
    if number.variable.endswith("RECEIVE_WAIT_S"):
        assert number.most == SQS_WAIT_S
    if number.variable.endswith("PORT"):
        assert number.most == PORTS


def _others(settings: type[Any]) -> dict[str, str]:
    """What must be given besides."""
    return {
        rule.variable: next((v for part, v in _VALID.items() if part in rule.variable), "a-word")
        for field in fields(settings)
        if (rule := field.metadata.get("rule")) and field.default is MISSING
    }
