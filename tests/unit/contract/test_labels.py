"""Which lists of labels a model may have."""

import pytest

from contract.labels import check_model_labels


@pytest.mark.parametrize(
    ("labels", "why"),
    [([], "at least one label"), (["a", "b", "a", "b"], "there twice: 'a', 'b'")],
)
def test_a_list_that_no_model_can_have_is_refused(labels: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_model_labels(labels)


def test_one_label_is_enough() -> None:
    check_model_labels(["a"])
