"""The one reader of settings."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.settings import read, setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    name: str = setting("T_NAME", matching=re.compile("[a-z]+"), meaning="a word")
    size: int = setting("T_SIZE", 5, least=1, most=20)
    share: float = setting("T_SHARE", 0.5, most=1)
    kind: str = setting("T_KIND", "cpu", choices=("cpu", "gpu"))
    folder: Path = setting("T_FOLDER", Path("here"))
    origins: tuple[str, ...] = setting("T_ORIGINS", ())
    fixed: int = 7


GIVEN = {"T_NAME": "sentiment"}


def test_what_is_not_given_has_its_default() -> None:
    assert read(Settings, GIVEN) == Settings(name="sentiment")


def test_an_empty_variable_counts_as_not_given() -> None:
    assert read(Settings, {**GIVEN, "T_SIZE": "", "T_FOLDER": ""}) == Settings(name="sentiment")


def test_everything_can_be_said() -> None:
    environ = {
        "T_NAME": "genre",
        "T_SIZE": "20",
        "T_SHARE": "0",
        "T_KIND": "gpu",
        "T_FOLDER": "/there",
        "T_ORIGINS": "https://a.example, https://b.example,",
    }
    assert read(Settings, environ) == Settings(
        name="genre",
        size=20,
        share=0.0,
        kind="gpu",
        folder=Path("/there"),
        origins=("https://a.example", "https://b.example"),
    )


def test_what_must_be_given_is_named() -> None:
    with pytest.raises(ValueError, match=r"^T_NAME is not set$"):
        read(Settings, {"T_NAME": ""})


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("T_SIZE", "0", "a whole number, 1 to 20"),
        ("T_SIZE", "21", "a whole number, 1 to 20"),
        ("T_SIZE", "0.5", "a whole number"),
        ("T_SIZE", "1e1", "a whole number"),
        ("T_SIZE", "-1", "a whole number"),
        ("T_SIZE", "²", "a whole number"),
        ("T_SIZE", "many", "a whole number"),
        ("T_SHARE", "1.5", "a number, 0 to 1"),
        ("T_SHARE", "nan", "a number"),
        ("T_SHARE", "inf", "a number"),
        ("T_SHARE", "half", "a number"),
        ("T_KIND", "tpu", "cpu or gpu"),
        ("T_NAME", "Not this", "a word"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=f"^{variable} must be {expected}") as refused:
        read(Settings, {**GIVEN, variable: value})
    assert repr(value) in str(refused.value)
