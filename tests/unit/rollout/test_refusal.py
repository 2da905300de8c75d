"""What to do about a refusal."""

import pytest
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from rollout.refusal import Reason, remedy


@pytest.mark.parametrize("reason", ReleaseRefusal)
def test_nobody_is_told_to_mend_or_train_what_a_server_of_others_has(
    reason: ReleaseRefusal,
) -> None:
    of_ours_only = {
        Reason.VERSION_UNKNOWN,
        Reason.ARTIFACT_CORRUPT,
        Reason.SIGNATURE_MISMATCH,
        Reason.INPUT_MISMATCH,
        Reason.DOES_NOT_LOAD,
        Reason.CRASHES,
        Reason.VERSION_EXISTS,
    }
    said = remedy(reason, foreign=True)
    assert reason in of_ours_only or not any(word in said for word in ("model.py", "train"))
    assert remedy(reason, foreign=False)
