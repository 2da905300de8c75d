"""What to do about a refusal."""

import pytest
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from rollout.refusal import Reason, refusal_name, remedy

NAMES = [name.removeprefix("RELEASE_REFUSAL_") for name, number in ReleaseRefusal.items() if number]


def test_reasons_are_those_of_the_contract() -> None:
    assert Reason.FAILS == ReleaseRefusal.RELEASE_REFUSAL_FAILS
    assert refusal_name(Reason.FAILS) == "FAILS"
    with pytest.raises(AttributeError):
        _ = Reason.NO_SUCH_REASON


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_told_to_mend_or_train_what_a_server_of_others_has(name: str) -> None:
    of_ours_only = {
        "VERSION_UNKNOWN",
        "ARTIFACT_CORRUPT",
        "SIGNATURE_MISMATCH",
        "INPUT_MISMATCH",
        "DOES_NOT_LOAD",
        "CRASHES",
        "VERSION_EXISTS",
    }
    said = remedy(name, foreign=True)
    assert name in of_ours_only or not any(word in said for word in ("model.py", "train"))
    assert remedy(name, foreign=False)
