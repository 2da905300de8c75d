"""What the step from a gateway that asks a runtime to one that asks Triton itself shall bring."""

from collections.abc import Iterator, Mapping

from benchmarks.against.lines import GRPC_1, GRPC_64, MANY_64, REST_64
from benchmarks.against.ratios import CPU, P50, RATE, Comparison
from benchmarks.bootstrap import Figure
from benchmarks.target import Target, limit, ratio


def targets(comparisons: Mapping[tuple[str, str], Comparison], triton: Figure) -> Iterator[Target]:
    """triton: gRPC at 64 of the new side, as a share of Triton asked directly."""

    def point(line: str, measure: str) -> float:
        return comparisons[line, measure].ratio.point

    yield ratio("gRPC at 64, rate", point(GRPC_64, RATE), 1.15)
    yield ratio("gRPC at 64, of Triton asked directly", triton.point, 0.75)
    yield ratio("REST at 64, rate", point(REST_64, RATE), 1.1)
    yield ratio("ten models at 64, rate", point(MANY_64, RATE), 1.4)
    yield limit("gRPC at 1, p50", point(GRPC_1, P50), 0.78)
    yield limit("gRPC at 1, CPU", point(GRPC_1, CPU), 0.75)
    yield limit("gRPC at 64, CPU", point(GRPC_64, CPU), 0.875)
