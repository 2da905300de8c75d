"""What is kept of an hour's features, and what they are compared with."""

from dataclasses import dataclass

from monitoring.figures import Figure
from monitoring.hours import Size


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """What the features of a version are compared with: cells of monitoring.partition."""

    name: str
    dimension: int
    cuts: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeptFeatures:
    """The figures of features that a version's hour has, and what the hour was then."""

    rows: int
    unfinished: int
    figures: list[Figure]

    def is_of(self, size: Size, reference: FeatureReference | None, sample: int) -> bool:
        """Whether they would be the same again, of a sample of so many: S3 need not be asked."""
        sampled = {f.rows for f in self.figures if f.metric == "features_missing_share"}
        compared = {figure.reference for figure in self.figures if figure.reference}
        return (
            (self.rows, self.unfinished) == (size.rows, size.unfinished)
            and sampled == {sample}
            and compared == ({reference.name} if reference else set())
        )
