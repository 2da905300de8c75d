"""One page with the metrics of all parts, each series with its part: `python -m
pmesh.stack.metrics_page HOME`.

A part that is down or slow keeps no other away. Parts are those of the moment, by the stack's
status; at /targets they are named to a Prometheus (https://prometheus.io/docs/prometheus/latest/
http_sd/).
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pmesh.stack.home import Home
from pmesh.stack.status import StackStatus, read_status
from telemetry.metrics_server import serving_metrics

PART_S = 2.0
"""That each part has to answer."""
_MOST_BYTES = 32 << 20
"""Of one part's page."""
_PAGE_S = 15.0
"""That the whole page may take: on a busy machine, most of it to read what the parts say."""
_SUFFIX = "-metrics"
_REQUEST = b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"


def main() -> None:
    """Answer until a signal."""
    home = Home(Path(sys.argv[1]))

    def ports() -> dict[str, int]:
        return metrics_ports(read_status(home.status))

    status = read_status(home.status)
    assert status is not None, "the stack starts this"
    registry = CollectorRegistry()
    registry.register(AllParts(ports))
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with serving_metrics(
        "127.0.0.1",
        status.ports["metrics"],
        registry,
        mounts={"/targets": _Targets(ports)},
        answer_s=_PAGE_S,
    ):
        signal.sigwait(signals)


def metrics_ports(status: StackStatus | None) -> dict[str, int]:
    """Where each part tells its metrics, of those that belong to the stack now."""
    if status is None:
        return {}
    names = [part.name for part in status.parts]
    return {name: status.ports[name + _SUFFIX] for name in names if name + _SUFFIX in status.ports}


class AllParts(Collector):
    """What all parts tell at this moment."""

    def __init__(self, ports: Callable[[], Mapping[str, int]]) -> None:
        """ports: of each part, asked at each look."""
        self._ports = ports

    def collect(self) -> Iterator[Metric]:
        """Each metric once, with the series of all parts; and which parts have answered."""
        ports = self._ports()
        up = GaugeMetricFamily(
            "pmesh_part_up", "Whether a part tells its metrics.", labels=["part"]
        )
        merged: dict[str, Metric] = {}
        for part, page in zip(ports, asyncio.run(_read_all(ports.values())), strict=True):
            families = _families(page)
            up.add_metric([part], bool(families))
            for family in families:
                known = merged.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                known.samples += [
                    sample._replace(labels={**sample.labels, "part": part})
                    for sample in family.samples
                ]
        yield up
        yield from merged.values()


class _Targets:
    """The parts in the form of Prometheus' HTTP service discovery."""

    def __init__(self, ports: Callable[[], Mapping[str, int]]) -> None:
        self._ports = ports

    def __call__(self, _: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        targets = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"part": part}}
            for part, port in self._ports().items()
        ]
        return [json.dumps(targets).encode()]


async def _read_all(ports: Iterable[int]) -> list[str]:
    return await asyncio.gather(*map(_read, ports))


async def _read(port: int) -> str:
    """The page of a part; empty if there is none in time."""
    try:
        async with asyncio.timeout(PART_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MOST_BYTES)
            try:
                writer.write(_REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _until_end(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return ""
    is_well = head.split(maxsplit=2)[1:2] == [b"200"]
    return body.decode(errors="replace") if is_well else ""


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while chunk := await reader.read(1 << 16):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise OSError("longer than any page of metrics")
    return bytes(body)


def _families(page: str) -> list[Metric]:
    """What a page says; nothing if it is no such page."""
    try:
        return [_as_named(family, page) for family in text_string_to_metric_families(page)]
    except (ValueError, IndexError, KeyError):  # of the parser's, for what is no line
        return []


def _as_named(family: Metric, page: str) -> Metric:
    """With the names that the page has: to those of counters, the parser adds a _total that
    Triton's do not have, and no family of counters is written without it.
    """
    if family.type != "counter" or f"# TYPE {family.name}_total counter" in page:
        return family
    named = Metric(family.name, family.documentation, "unknown")
    named.samples = [sample._replace(name=family.name) for sample in family.samples]
    return named


if __name__ == "__main__":
    main()
