"""Which lists of labels a model may have, and which labelled predictions stand for all."""

from collections.abc import Sequence


def check_model_labels(labels: Sequence[str]) -> None:
    """Raises ValueError, which says why, unless a model may have these labels."""
    if not labels:
        raise ValueError("a model has at least one label")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"labels are there twice: {', '.join(map(repr, twice))}")


def is_representative(choice: str, weight: float | None) -> bool:
    """Whether a labelled prediction may be counted as one of many, whatever its weight.

    It is of the control, which is drawn from all alike, or nobody has said how it was chosen. Those
    that were chosen for being uncertain or drifted are harder than what is asked in general.
    """
    return choice == "control" or (not choice and weight is None)
