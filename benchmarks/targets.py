"""What the project wants to reach, as ratios within one run wherever the machine matters."""

from collections.abc import Iterator

from benchmarks.contenders import GRPC, PLAIN, RECORDING, REST, TRITON
from benchmarks.later import Later
from benchmarks.now import Summary
from benchmarks.releases import Releases
from benchmarks.target import Target, limit, ratio

Summaries = dict[tuple[str, int], Summary]


def now_targets(summaries: Summaries, gateway_mib: float) -> Iterator[Target]:
    """Of predictions made now."""
    rest, grpc = summaries[REST, 64], summaries[GRPC, 64]
    yield ratio("REST at 64, of FastAPI", rest.over(summaries[PLAIN, 64]), 1.5)
    yield ratio("REST at 64, of FastAPI + INSERT", rest.over(summaries[RECORDING, 64]), 4)
    yield ratio("gRPC at 64, of Triton", grpc.over(summaries[TRITON, 64]), 0.8)
    yield limit("REST at 1, p50", summaries[REST, 1].p50_ms, 4, "ms")
    yield limit("gRPC at 1, p50", summaries[GRPC, 1].p50_ms, 4, "ms")
    yield limit("memory of the gateway", gateway_mib, 250, "MiB")


def later_targets(later: Later, sync_rate: float | None) -> Iterator[Target]:
    """Of predictions made later. sync_rate: gRPC at 64, if it was measured."""
    burst = later.burst
    yield limit("accepted to finished, idle, p50", later.latency.p50_ms, 150, "ms")
    if sync_rate:
        yield ratio("accepted, of the rate of Predict", burst.accepted.rate / sync_rate, 1 / 3)
    # Alone, the emulator shares the machine with nobody: a little less is as fast as it lets.
    yield ratio("finished, of the emulator's rate", burst.finished_rate / later.emulator_rate, 0.8)


def release_targets(releases: Releases) -> Iterator[Target]:
    """Of a release, and of a rollback."""
    yield limit("p99 during a release, of without", _worse(releases), 1.5, "x")
    yield limit("rollback", releases.rollback_s, 1, "s")


def _worse(releases: Releases) -> float:
    return releases.swap.p99_ms / releases.quiet.p99_ms
