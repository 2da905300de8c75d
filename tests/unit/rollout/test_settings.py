"""What a release is told by its environment."""

from pathlib import Path

import pytest

from contract.settings import read
from rollout.settings import ForeignSettings, Settings

GIVEN = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
    "PMESH_TRITON_REPOSITORY": "/models",
    "PMESH_TRITON_ADDRESS": "unix:/run/triton:1",
    "PMESH_TRITON_KEY": "a-key",
}


def test_the_environment_is_read() -> None:
    settings = read(Settings, {**GIVEN, "PMESH_DEVICE": "gpu", "PMESH_QUALITY_MARGIN": "0.1"})
    assert settings.repository == Path("/models")
    assert (settings.device, settings.quality_margin) == ("gpu", 0.1)
    assert read(Settings, GIVEN).device_of("genre") == "cpu"


def test_models_may_run_on_another_device_than_the_rest() -> None:
    said = {"PMESH_DEVICE": "gpu", "PMESH_DEVICES": "genre=auto,mood-2=cpu"}
    settings = read(Settings, {**GIVEN, **said})
    devices = {model: settings.device_of(model) for model in ("genre", "mood-2", "sentiment")}
    assert devices == {"genre": "auto", "mood-2": "cpu", "sentiment": "gpu"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *((name, "") for name in GIVEN),
        ("PMESH_DEVICE", "tpu"),
        ("PMESH_DEVICES", "genre=tpu"),
        ("PMESH_DEVICES", "gpu"),
        ("PMESH_QUALITY_MARGIN", "some"),
        ("PMESH_QUALITY_MARGIN", "-1"),
        ("PMESH_QUALITY_MARGIN", "1.1"),
        ("PMESH_ROLLOUT_IDLE_S", "nan"),
    ],
)
def test_what_is_missing_or_wrong_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        read(Settings, {**GIVEN, variable: value})


def test_versions_of_others_need_no_registry_and_no_triton() -> None:
    assert read(ForeignSettings, {}).triton_address == ""
