"""Evidently's own numbers beside ours, and its reports; the real one, in its own environment."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from monitoring.choice import choose
from monitoring.report import ReportFailed, write_reports
from pmesh.stack.own_environment import InstallFailed, python_of
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import MODEL, Observed

ROOT = Path(__file__).parents[3]
LABELS = ("negative", "neutral", "positive")
SECRET = "Xylophonquartett"  # noqa: S105


@pytest.fixture(scope="module")
def python() -> Path:
    """Installed into build/, which takes minutes the first time."""
    return python_of(ROOT / "build", "evidently", ROOT / "monitoring" / "evidently.txt")


def drawn(monitoring: Monitoring, hour: int, shares: tuple[float, ...], rows: int) -> None:
    random = np.random.default_rng(-hour)
    answers = random.choice(LABELS, rows, p=shares)
    truths = np.where(random.random(rows) < 0.7, answers, random.choice(LABELS, rows))
    monitoring.observe(
        [
            Observed(
                time=monitoring.now + hour * HOUR + timedelta(seconds=second / 10),
                text=f"{SECRET} " * int(random.integers(1, 40)),
                label=str(answer),
                confidence=float(random.beta(5, 2)),
                truth=str(truth),
            )
            for second, (answer, truth) in enumerate(zip(answers, truths, strict=True))
        ],
        seed=hour,
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rows", [40, 1_500])
def test_evidently_gives_the_same_numbers(
    monitoring: Monitoring, python: Path, tmp_path: Path, rows: int
) -> None:
    """Of a day with one hour in it, so that the hour is the day."""
    drawn(monitoring, -80, (0.4, 0.2, 0.4), 1_200)
    drawn(monitoring, -50, (0.2, 0.2, 0.6), rows)
    day = (monitoring.now - 50 * HOUR).date()
    with monitoring.store() as store:
        choose(store, MODEL, monitoring.window(-80, -79))
        monitoring.run()
        reports = write_reports(store, MODEL, "1", day, python=python, folder=tmp_path)

    ours = {
        key[3]: row["value"]
        for key, row in monitoring.figures("slice = ''").items()
        if key[0] == "-50"
    }
    numbers = {report.file.name: report.numbers for report in reports}
    assert numbers["drift.html"] == pytest.approx(
        {name: ours[f"{name}_drift"] for name in ("label", "confidence", "length")}, abs=1e-12
    )
    assert numbers["quality.html"] == pytest.approx(
        {name: ours[name] for name in ("accuracy", "f1_macro")}, abs=1e-12
    )
    for report in reports:
        assert report.file == tmp_path / MODEL / str(day) / "1" / report.file.name
        html = report.file.read_text()
        assert "<html" in html
        assert SECRET not in html


def test_there_is_no_report_of_nothing(monitoring: Monitoring, tmp_path: Path) -> None:
    monitoring.observe([Observed(time=monitoring.now - 50 * HOUR)])
    for hours in (50, 90):
        day = (monitoring.now - hours * HOUR).date()
        with monitoring.store() as store, pytest.raises(ReportFailed, match="has no answers of"):
            write_reports(store, MODEL, "1", day, python=Path("/none"), folder=tmp_path)


def test_what_cannot_be_installed_is_said_and_tried_again(tmp_path: Path) -> None:
    lock = tmp_path / "nothing.txt"
    lock.write_text("predict-mesh-no-such-package==1.0\n")
    for _ in range(2):
        with pytest.raises(InstallFailed, match=r"cannot install nothing.txt: ERROR: No matching"):
            python_of(tmp_path, "nothing", lock)
