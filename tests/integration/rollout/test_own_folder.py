"""A Triton that has mounted nothing but its model's folder, as in the cluster."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.blocking import infer
from rollout.serving import Serving
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import NAME, TEXTS, Workshop
from tests.parts.triton import Triton


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """What rollout has, with a folder for the model."""
    (tmp_path / "volume" / NAME).mkdir(parents=True)
    return tmp_path / "volume"


@pytest.fixture
def bound(volume: Path, tmp_path: Path) -> Iterator[Triton]:
    """Bound to the folder itself, whatever then has its name: as to a mount of it."""
    folder = os.open(volume / NAME, os.O_RDONLY | os.O_DIRECTORY)
    models = tmp_path / "models"
    models.mkdir()
    (models / NAME).symlink_to(f"/proc/{os.getpid()}/fd/{folder}")
    try:
        with Triton(models) as triton:
            yield triton
    finally:
        os.close(folder)


def test_releases_reach_it_however_often_the_folder_was_empty(
    bound: Triton, volume: Path, workshop: Workshop
) -> None:
    workshop.serving = Serving(
        repository=volume, address=bound.address, key=bound.key, device_of=lambda _: "cpu"
    )
    for n in range(2):
        workshop.housekeeping().tidy(NAME)
        version = workshop.register(Model(version=n))
        workshop.release(version)
        assert infer(bound.address, NAME, version, TEXTS[:1])["features"][0, 0] == n
        workshop.serving.take_out(NAME, workshop.serving.laid(NAME))
