"""What a release is told by its environment."""

from pathlib import Path

import pytest

from rollout.settings import Settings

GIVEN = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
    "PMESH_TRITON_REPOSITORY": "/models",
    "PMESH_TRITON_HTTP": "127.0.0.1:8000",
}


def test_the_environment_is_read() -> None:
    settings = Settings.from_env({**GIVEN, "PMESH_DEVICE": "gpu", "PMESH_QUALITY_MARGIN": "0.1"})
    assert settings.repository == Path("/models")
    assert (settings.device, settings.quality_margin) == ("gpu", 0.1)
    assert Settings.from_env(GIVEN).device == "cpu"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *((name, "") for name in GIVEN),
        ("PMESH_DEVICE", "tpu"),
        ("PMESH_QUALITY_MARGIN", "some"),
        ("PMESH_QUALITY_MARGIN", "-1"),
        ("PMESH_DRAIN_S", "nan"),
    ],
)
def test_what_is_missing_or_wrong_is_named(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        Settings.from_env({**GIVEN, variable: value})
