"""The reports of days: which are written when, and what a browser gets. Evidently is a stand-in."""

import gzip
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from monitoring.choice import choose
from monitoring.daily import Daily
from monitoring.report import ReportFailed
from monitoring.served import PREFIX, Reports
from telemetry.metrics_server import metrics_server
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import MODEL, Observed, Said
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

EVIDENTLY = """#!{python}
import json, sys
from pathlib import Path
given = json.load(sys.stdin)
for name in ("drift.html", "quality.html"):
    Path(given["folder"], name).write_text(f"<html>{{len(given['current']['label'])}}</html>")
print(json.dumps({{"drift.html": {{}}, "quality.html": {{}}}}))
"""


def stand_in(tmp_path: Path, text: str = EVIDENTLY) -> Path:
    """Takes the place of the python of Evidently's environment, and makes pages of its own."""
    python = tmp_path / "python"
    python.write_text(text.format(python=sys.executable))
    python.chmod(0o755)
    return python


@pytest.fixture
def daily(monitoring: Monitoring, tmp_path: Path) -> Daily:
    """Of a model with two days: one over for long, and the one of the hour before this."""
    monitoring.observe([Observed(time=monitoring.now - 70 * HOUR, truth="positive")] * 9)
    monitoring.observe([Observed(time=monitoring.now - HOUR, version="2")] * 5, seed=1)
    with monitoring.store() as store:
        choose(store, MODEL, monitoring.window(-70, -69))
    monitoring.run()
    return Daily(stand_in(tmp_path), tmp_path / "reports", days=30)


def write(monitoring: Monitoring, daily: Daily) -> set[str]:
    """What a call writes: paths below the folder."""
    before = {path: path.stat().st_ino for path in daily.folder.rglob("*.html")}
    with monitoring.store() as store:
        daily.write(store, lambda: False)
    return {
        str(path.relative_to(daily.folder))
        for path in daily.folder.rglob("*.html")
        if before.get(path) != path.stat().st_ino
    }


def paths(monitoring: Monitoring, hours: int, version: str) -> set[str]:
    day = (monitoring.now + hours * HOUR).date()
    return {f"{MODEL}/{day}/{version}/{kind}.html" for kind in ("drift", "quality")}


def test_a_day_is_written_once_and_again_when_an_hour_of_it_is_made_anew(
    monitoring: Monitoring, daily: Daily
) -> None:
    old, new = paths(monitoring, -70, "1"), paths(monitoring, -1, "2")
    assert write(monitoring, daily) == old | new
    assert write(monitoring, daily) == set()
    (late,) = monitoring.observe([Observed(time=monitoring.now - 70 * HOUR)], seed=5)
    monitoring.say(Said(late, "negative"))
    monitoring.run()  # which makes the hours under way anew, too
    assert write(monitoring, daily) >= old
    file = daily.folder / min(old)
    assert file.read_text() == "<html>10</html>"


def test_days_that_are_not_kept_go(monitoring: Monitoring, daily: Daily) -> None:
    write(monitoring, daily)
    days = Daily(daily.python, daily.folder, days=2)
    with monitoring.store() as store:
        days.write(store, lambda: False)
    kept = {path.parents[1].name for path in daily.folder.rglob("*.html")}
    assert kept == {f"{(monitoring.now - HOUR).date()}"}


def test_what_is_no_report_stays(monitoring: Monitoring, daily: Daily) -> None:
    """The folder may hold other things, in folders that have the names of days as well."""
    gone = [f"{MODEL}/2026-01-01/3/drift.html", f"{MODEL}/2026-01-01/3/.killed/quality.html"]
    other = [
        *("Backups/2026-01-01/3/drift.html", f"{MODEL}/20260101/3/drift.html"),
        *(f"{MODEL}/2026-W01-1/3/drift.html", f"{MODEL}/2026-13-01/3/drift.html"),
        *(f"{MODEL}/2026-01-02/dump.sql", f"{MODEL}/2026-01-03", "2026-01-04"),
    ]
    for name in (*gone, *other):
        file = daily.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a day's work")
    write(monitoring, daily)
    assert not (daily.folder / MODEL / "2026-01-01").exists()
    assert {name for name in other if not (daily.folder / name).is_file()} == set()


def test_without_an_evidently_nothing_is_written(monitoring: Monitoring, daily: Daily) -> None:
    daily.python.unlink()
    assert write(monitoring, daily) == set()


@pytest.mark.parametrize("text", ["#!/bin/false\n", "#!/bin/sh\necho broken >&2; exit 3\n"])
def test_what_fails_leaves_what_was_there_and_is_due_still(
    monitoring: Monitoring, daily: Daily, text: str
) -> None:
    write(monitoring, daily)
    monitoring.run()
    daily.python.write_text(text)
    with monitoring.store() as store, pytest.raises(ReportFailed):
        daily.write(store, lambda: False)
    assert not [path for path in daily.folder.rglob(".*") if path.is_file()]
    daily.python.write_text(EVIDENTLY.format(python=sys.executable))
    assert write(monitoring, daily) == paths(monitoring, -1, "2")


def test_evidently_is_ended_when_it_is_to_stop(monitoring: Monitoring, daily: Daily) -> None:
    daily.python.write_text("#!/bin/sh\nexec sleep 1000\n")
    asked = iter([False, False])
    with monitoring.store() as store, pytest.raises(ReportFailed, match="ended before"):
        daily.write(store, lambda: next(asked, True))


def test_a_failure_harms_no_figures(monitoring: Monitoring, tmp_path: Path) -> None:
    monitoring.observe([Observed(time=monitoring.now - HOUR, truth="positive")] * 5)
    port = free_port()
    monitoring.variables |= {
        "PMESH_MONITORING_METRICS_PORT": str(port),
        "PMESH_EVIDENTLY_PYTHON": str(stand_in(tmp_path, "#!/bin/sh\nexit 3\n")),
        "PMESH_REPORTS": str(tmp_path / "reports"),
    }
    process = monitoring.process("", "watch")
    wait_until(lambda: listens(port))
    assert process.stdout is not None
    assert any("no reports: Evidently failed" in line for line in process.stdout)
    assert "pmesh_quality{" in asked(port, "/metrics")[1].decode()
    process.terminate()
    process.communicate()
    assert process.returncode == 0
    assert monitoring.figures("metric = 'accuracy'")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a folder with one report, and with other files, is served."""
    folder = tmp_path / "reports"
    place = folder / "sentiment" / "2026-11-26" / "3"
    place.mkdir(parents=True)
    (place / "drift.html").write_text("<html>drifted</html>")
    (place / "secret.html").write_text("secret")
    (folder / "secret").write_text("secret")
    (place / "quality.html").symlink_to(folder / "secret")
    found = free_port()
    with metrics_server("127.0.0.1", found, mounts={PREFIX: Reports(folder)}):
        yield found


def asked(
    port: int, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """A path as it is: clients with manners take dots out of it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def test_a_report_opens_from_its_url_and_can_reach_nothing(port: int) -> None:
    status, body, headers = asked(port, "/reports/sentiment/2026-11-26/3/drift.html")
    assert (status, body) == (200, b"<html>drifted</html>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "connect-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_report_is_compressed_for_whom_can_read_it(port: int) -> None:
    path = "/reports/sentiment/2026-11-26/3/drift.html"
    status, body, headers = asked(port, path, **{"Accept-Encoding": "gzip, br"})
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == b"<html>drifted</html>"


def test_reports_are_listed_and_nothing_else(port: int) -> None:
    status, body, _ = asked(port, "/reports/")
    assert status == 200
    assert b'<a href="sentiment/2026-11-26/3/drift.html">' in body
    assert b"secret" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/reports/secret",
        "/reports/sentiment/2026-11-26/3/secret.html",
        "/reports/sentiment/2026-11-26/3/quality.html",  # a link to elsewhere
        "/reports/sentiment/2026-11-26/3/",
        "/reports/sentiment/2026-13-26/3/drift.html",
        "/reports/../secret",
        "/reports/%2e%2e/reports/secret",
        "/reports//etc/passwd",
        "/reports/sentiment/2026-11-26/3/drift.html%00",
        "/reports/sentiment/2026-11-26/3/drift.html/",
    ],
)
def test_what_is_no_report_is_not_there(port: int, path: str) -> None:
    status, body, _ = asked(port, path)
    assert (status, body) == (404, b"the reports are listed at /reports/\n")


def test_reports_are_only_read(port: int) -> None:
    path = "/reports/sentiment/2026-11-26/3/drift.html"
    assert asked(port, path, "DELETE")[0] == 405
    status, body, headers = asked(port, path, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "20")
