"""Triton's entry of ours: which texts of a batch a model fails on, and which versions it serves."""

from collections.abc import Iterator

import numpy as np
import pytest

from inference.blocking import InferenceError, infer
from tests.parts.old_artifact import as_before
from tests.parts.parrot.model import Model, checksum
from tests.parts.polling import wait_until
from tests.parts.triton import Triton
from triton_repo.writer import renew

TEXTS = [f"text {n}" for n in range(256)]
POISONED = [*TEXTS[:137], "poison", *TEXTS[138:]]


@pytest.fixture(scope="module")
def triton() -> Iterator[Triton]:
    triton = Triton()
    triton.add("parrot", "1", Model(version=1))
    with triton:
        yield triton


def test_a_batch_with_a_bad_text_fails_unless_the_failures_are_asked_for(triton: Triton) -> None:
    with pytest.raises(InferenceError, match="the model failed: ValueError"):
        infer(triton.address, "parrot", "1", POISONED, outputs=["scores"])
    # The model says "poison" in its error; the log has the kind only.
    wait_until(lambda: "parrot 1: the model failed: ValueError" in triton.log)
    assert "poison" not in triton.log


def test_one_bad_text_of_256_is_found_in_one_more_call(triton: Triton) -> None:
    outputs = ["scores", "value", "features", "error"]
    said = infer(triton.address, "parrot", "1", POISONED, outputs=outputs)
    assert set(said) == set(outputs)
    assert np.flatnonzero(said["error"]).tolist() == [137]
    assert said["error"].shape == (256, 1)
    for name in ("scores", "value", "features"):
        assert said[name].shape[0] == 256
        assert not said[name][137].any()
    good = [n for n in range(256) if n != 137]
    assert said["features"][good, 1].tolist() == [checksum(POISONED[n]) for n in good]
    assert said["value"][good, 0].tolist() == [len(POISONED[n]) for n in good]


@pytest.mark.parametrize(
    "bad", [[0], [255], [0, 1, 254, 255], [*range(256)]], ids=["first", "last", "ends", "all"]
)
def test_every_bad_text_is_marked_and_no_other(triton: Triton, bad: list[int]) -> None:
    texts = ["poison" if n in bad else text for n, text in enumerate(TEXTS)]
    said = infer(triton.address, "parrot", "1", texts, outputs=["scores", "error"])
    assert np.flatnonzero(said["error"]).tolist() == bad
    np.testing.assert_allclose(said["scores"].sum(axis=1), [n not in bad for n in range(256)])


def test_only_what_is_asked_for_is_answered(triton: Triton) -> None:
    assert set(infer(triton.address, "parrot", "1", TEXTS, outputs=["scores"])) == {"scores"}
    said = infer(triton.address, "parrot", "1", TEXTS, outputs=["scores", "error"])
    assert not said["error"].any()


def test_the_server_declares_the_output(triton: Triton) -> None:
    outputs = triton.declared("parrot", "1").outputs
    declared = {output.name: (output.datatype, list(output.shape)) for output in outputs}
    assert declared == {
        "scores": ("FP32", [-1, -1]),
        "features": ("FP32", [-1, -1]),
        "value": ("FP32", [-1, 1]),
        "error": ("BOOL", [-1, 1]),
    }


def test_a_version_of_before_is_served_beside_todays(triton: Triton) -> None:
    triton.add("old", "1", Model(version=1), as_before)
    triton.add("old", "2", Model(version=2))
    triton.load("old")
    for version in (1, 2):
        outputs = ["features", "error"]
        said = infer(triton.address, "old", str(version), ["poison", "good"], outputs=outputs)
        assert said["error"].ravel().tolist() == [True, False]
        assert said["features"][1].tolist() == [version, checksum("good")]


def test_a_version_runs_on_what_the_server_has(triton: Triton) -> None:
    assert renew(triton.repository, "parrot", device="auto")
    triton.reload("parrot")
    assert infer(triton.address, "parrot", "1", ["good"])["value"].tolist() == [[4]]
