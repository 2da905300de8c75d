"""All figures of a version's hour, slice by slice."""

from collections.abc import Iterator, Mapping

from monitoring import drift, quality, traffic
from monitoring.counts import Counts
from monitoring.figures import Figure
from monitoring.references import Reference


def figures(
    counts: Mapping[str, Counts], reference: Reference | None
) -> Iterator[tuple[str, Figure]]:
    """Each with its slice. counts: by slice, that of all rows ("") among them.

    What would fill many rows, the whole confusion and histogram, is given for all rows only.
    Without a reference, or for slices that it has not, there is no drift.
    """
    for slice_, found in sorted(counts.items()):
        for figure in _of_slice(slice_, found, reference):
            yield slice_, figure


def _of_slice(slice_: str, counts: Counts, reference: Reference | None) -> Iterator[Figure]:
    yield from traffic.figures(counts)
    yield from quality.figures(counts)
    if slice_ == "":
        yield from traffic.confidences(counts)
        yield from quality.confusion(counts)
    if reference is None:
        return
    if profile := reference.profiles.get(slice_):
        for figure in drift.figures(counts, profile):
            yield figure.against(reference.name)
    known = reference.vocabulary
    if counts.words and counts.words.rows >= drift.LEAST_ROWS and known and reference.rows:
        unknown = drift.unknown_words(counts.words)
        yield unknown.against(reference.name)
        drifted = drift.vocabulary_drift(unknown, known.unknown_words, reference.rows)
        yield drifted.against(reference.name)
