"""The real Prometheus: it reads pages of metrics each second, and is asked by HTTP."""

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.promtool import binary

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|{[^}]*}")
_RANGE = re.compile(r"\[[^]]*]")
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w*\s*\()")
_WORDS = {"or", "and", "unless", "offset", "bool", "by", "on", "without", "ignoring", "atan2"}


def series_named(expression: str) -> set[str]:
    """The metrics that an expression of PromQL is made of."""
    bare = _RANGE.sub("", _LABELS.sub("", _STRING.sub('""', expression)))
    return set(_NAME.findall(bare)) - _WORDS


class Prometheus:
    """One that runs."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that it answers with now."""
        result = self._get("query", query=expression)["result"]
        assert isinstance(result, list), expression  # a number has no series
        return result

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """Of the last hour, of the series that an expression is made of."""
        now = time.time()
        found = self._get("query_exemplars", query=expression, start=now - 3600, end=now)
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def names(self) -> set[str]:
        """Of all metrics that it has."""
        return set(self._get("label/__name__/values"))

    def rules(self) -> list[dict[str, Any]]:
        """Each rule, with how its last evaluation went."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether it can be asked."""
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, **parameters: str | float) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]


@contextmanager
def prometheus(folder: Path, targets: str, rules: Sequence[Path]) -> Iterator[Prometheus]:
    """Reads what a page names, within the block. folder: its own. targets: the page's URL. rules:
    files of them."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [
            {
                "job_name": "predict-mesh",
                "http_sd_configs": [{"url": targets, "refresh_interval": "1s"}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    try:
        found = Prometheus(client)
        wait_until(found.is_ready)
        yield found
    finally:
        client.close()
        process.terminate()
        process.wait()
