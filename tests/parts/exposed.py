"""What a program tells Prometheus."""

import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from urllib.error import URLError

from prometheus_client.parser import text_string_to_metric_families

from tests.parts.polling import wait_until
from tests.parts.ports import free_port

Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Exposed:
    """The metrics page of a program that listens at a port."""

    port: int

    def series(self) -> dict[Series, float]:
        """By name and labels; none until it listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as page:
                families = list(text_string_to_metric_families(page.read().decode()))
        except URLError:
            return {}
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def names(self) -> set[str]:
        return {name for name, _ in self.series()}

    def value(self, name: str, **labels: str) -> float | None:
        """Of one series; None if there is none."""
        return self.series().get((name, frozenset(labels.items())))

    def traces(self) -> dict[str, set[str]]:
        """The ids of traces that lie beside figures as exemplars, by the names of the series."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
        found = defaultdict(set)
        with urllib.request.urlopen(request) as page:  # noqa: S310
            for line in page.read().decode().splitlines():
                series, _, trace_id = line.partition('# {trace_id="')
                if trace_id:
                    found[series.partition("{")[0]].add(trace_id.partition('"')[0])
        return found

    def wait_for(self, expected: float, name: str, **labels: str) -> None:
        wait_until(lambda: self.value(name, **labels) == expected)


def exposed() -> Exposed:
    """At a port that is free."""
    return Exposed(free_port())
