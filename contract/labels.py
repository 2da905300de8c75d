"""Which lists of labels a model may have."""

from collections.abc import Sequence


def check_model_labels(labels: Sequence[str]) -> None:
    """Raises ValueError, which says why, unless a model may have these labels."""
    if not labels:
        raise ValueError("a model has at least one label")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"labels are there twice: {', '.join(map(repr, twice))}")
