"""An hour with little in it, or with what nobody expects: a clear state, and no false alarm."""

import math
from datetime import timedelta

import pytest

from monitoring.drift import is_drift
from tests.integration.monitoring.conftest import HOUR, Figures, Monitoring
from tests.parts.observed import Observed


def alarms(figures: Figures) -> set[str]:
    return {metric for (*_, metric), row in figures.items() if is_drift(metric, row["low"])}


def choose(monitoring: Monitoring, *texts: str, hour: int = -9) -> None:
    """A reference of these texts, which is that of all versions."""
    from monitoring.choice import choose

    time = monitoring.now + hour * HOUR
    monitoring.observe([Observed(time=time, text=text) for text in texts], seed=99)
    with monitoring.store() as store:
        choose(store, "sentiment", monitoring.window(hour, hour + 1))


def test_an_empty_hour_was_made_and_has_no_figures(monitoring: Monitoring) -> None:
    monitoring.observe([Observed(time=monitoring.now - 3 * HOUR)])
    monitoring.run()
    with monitoring.database.connect() as connection:
        rows = connection.execute("SELECT hour, rows FROM monitoring_hours").fetchall()
    assert {monitoring.name(row["hour"]): row["rows"] for row in rows} == {
        "-3": 1,
        "-2": 0,
        "-1": 0,
        "0": 0,
    }
    assert {key[0] for key in monitoring.figures()} == {"-3"}


def test_a_model_that_nobody_asked_has_no_hours(monitoring: Monitoring) -> None:
    assert [(made.hours, made.figures) for made in monitoring.run()] == [(0, 0)] * 2


def test_one_row_makes_figures_with_wide_intervals_and_no_alarm(monitoring: Monitoring) -> None:
    choose(monitoring, *["a good film", "a bad film"] * 20)
    monitoring.observe(
        [
            Observed(
                time=monitoring.now - HOUR,
                text="unheard words only, and so many of them that it is long",
                label="negative",
                truth="negative",
            )
        ]
    )
    monitoring.run()
    figures = monitoring.figures("hour = date_trunc('hour', now(), 'UTC') - interval '1 hour'")
    accuracy = figures["-1", "1", "", "accuracy"]
    assert (accuracy["value"], accuracy["rows"]) == (1, 1)
    assert accuracy["low"] < 0.25
    assert figures["-1", "1", "", "label_drift"]["low"] == 0
    assert alarms(figures) == set()


def test_one_class_only_is_right_and_raises_no_alarm(monitoring: Monitoring) -> None:
    choose(monitoring, *["a good film"] * 40)
    time = monitoring.now - HOUR
    monitoring.observe([Observed(time=time, text="a good film", truth="positive")] * 40)
    monitoring.run()
    figures = monitoring.figures()
    for metric in ("accuracy", "f1_macro", "f1:positive", "confusion:positive:positive"):
        assert figures["-1", "1", "", metric]["value"] == 1
    assert figures["-1", "1", "", "label_drift"]["value"] == 0
    assert alarms(figures) == set()


def test_without_labels_nothing_is_said_of_quality(monitoring: Monitoring) -> None:
    monitoring.observe([Observed(time=monitoring.now - HOUR)] * 5)
    monitoring.run()
    metrics = {key[3] for key in monitoring.figures()}
    assert "volume" in metrics
    assert not metrics & {"accuracy", "f1_macro", "brier", "calibration_error"}


def test_without_a_reference_nothing_is_said_of_drift(monitoring: Monitoring) -> None:
    monitoring.observe([Observed(time=monitoring.now - HOUR)] * 5)
    monitoring.run()
    figures = monitoring.figures()
    assert not {key[3] for key in figures if "drift" in key[3] or "unknown" in key[3]}
    assert {row["reference"] for row in figures.values()} == {""}


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -1.0, 2.0])
def test_a_confidence_that_is_none_is_counted_and_harms_no_other_figure(
    monitoring: Monitoring, confidence: float
) -> None:
    time = monitoring.now - HOUR
    monitoring.observe(
        [
            Observed(time=time, confidence=confidence, scores={"positive": 0.9}, truth="positive"),
            Observed(time=time, confidence=0.9, scores={"positive": 0.9}, truth="positive"),
        ]
    )
    monitoring.run()
    figures = monitoring.figures()
    assert figures["-1", "1", "", "no_confidence_share"]["value"] == 0.5
    assert figures["-1", "1", "", "confidence_share:0.9"]["rows"] == 1
    assert figures["-1", "1", "", "calibration_error"]["rows"] == 1
    assert figures["-1", "1", "", "accuracy"]["rows"] == 2
    assert all(math.isfinite(row["value"]) for row in figures.values())


def test_two_versions_in_one_hour_are_told_apart(monitoring: Monitoring) -> None:
    time = monitoring.now - HOUR
    monitoring.observe(
        [Observed(time=time, truth="positive")] * 3
        + [Observed(time=time, version="2", truth="negative")] * 2
    )
    monitoring.run()
    figures = monitoring.figures()
    assert figures["-1", "1", "", "accuracy"]["value"] == 1
    assert figures["-1", "2", "", "accuracy"]["value"] == 0
    assert [figures["-1", v, "", "volume"]["value"] for v in "12"] == [3, 2]


def test_ways_to_end_are_counted_with_their_reason(monitoring: Monitoring) -> None:
    time = monitoring.now - HOUR
    ended = [("FAILED", "MODEL_FAILED")] * 2 + [("CANCELLED", ""), ("EXPIRED", "")]
    monitoring.observe(
        [Observed(time=time)] * 6
        + [Observed(time=time, label=None, state=state, reason=why) for state, why in ended]
    )
    monitoring.run()
    shares = {
        key[3]: row["value"]
        for key, row in monitoring.figures("slice = ''").items()
        if key[3].startswith("failure_share")
    }
    assert shares == {
        "failure_share": 0.4,
        "failure_share:MODEL_FAILED": 0.2,
        "failure_share:CANCELLED": 0.1,
        "failure_share:EXPIRED": 0.1,
    }


def test_an_erased_prediction_keeps_its_counted_figures(monitoring: Monitoring) -> None:
    time = monitoring.now - HOUR
    choose(monitoring, *["a good film"] * 40)
    ids = monitoring.observe([Observed(time=time, text="a bad film", truth="positive")] * 40)
    monitoring.run()
    before = monitoring.figures()
    with monitoring.database.connect() as connection:
        connection.execute("UPDATE requests SET text = '', tags = NULL WHERE id = %s", (ids[0],))
    monitoring.run()
    after = monitoring.figures()
    for metric in ("volume", "accuracy", "label_drift", "latency_s:p50"):
        assert after["-1", "1", "", metric] == before["-1", "1", "", metric]
    assert after["-1", "1", "", "length_drift"]["rows"] == 39
    assert after["-1", "1", "", "unknown_words"]["rows"] == 39
    assert before["-1", "1", "", "unknown_words"]["value"] == pytest.approx(1 / 3)


def test_slices_are_by_tag_length_and_script(monitoring: Monitoring) -> None:
    texts = {
        "It is good": "latin",
        "Größe über alles": "latin",
        "очень хорошо, good": "cyrillic",
        "とても良い": "kana",
        "非常好": "han",
        "아주 좋아요": "hangul",
        "جيد جدا": "arabic",
        "123 :-)": "none",
        "ⴰⵣⵓⵍ": "other",
        "x" * 60: "latin",
        "long " * 300: "latin",
    }
    time = monitoring.now - HOUR
    monitoring.observe(
        [
            Observed(time=time, text=text, tags={"app": "ios", "script": script})
            for text, script in texts.items()
        ]
    )
    monitoring.run()
    volumes = {key[2]: row["value"] for key, row in monitoring.figures("metric = 'volume'").items()}
    assert volumes[""] == volumes["tag:app=ios"] == len(texts)
    for script in set(texts.values()):
        assert volumes[f"script:{script}"] == volumes[f"tag:script={script}"]
    lengths = {name: rows for name, rows in volumes.items() if name.startswith("length:")}
    assert lengths == {"length:0-49": 9, "length:50-199": 1, "length:1000-": 1}


def test_only_the_most_frequent_tags_are_slices(monitoring: Monitoring) -> None:
    """However many values a client makes up."""
    time = monitoring.now - HOUR
    monitoring.observe(
        [Observed(time=time, tags={"user": str(i), "app": "ios"}) for i in range(300)]
    )
    monitoring.run()
    slices = {key[2] for key in monitoring.figures() if key[2].startswith("tag:")}
    assert "tag:app=ios" in slices
    assert len(slices) == 50


def test_no_text_is_in_what_monitoring_keeps(monitoring: Monitoring) -> None:
    secret = "Xylophonquartett"  # noqa: S105
    choose(monitoring, *[f"the {secret} of {i}" for i in range(50)])
    monitoring.observe([Observed(time=monitoring.now - timedelta(minutes=50), text=secret)])
    monitoring.run()
    with monitoring.database.connect() as connection:
        for table in ("quality_metrics", "monitoring_references", "monitoring_hours"):
            query = f"SELECT count(*) AS hits FROM {table} t WHERE t::text ILIKE %s"  # noqa: S608
            assert connection.execute(query.encode(), (f"%{secret}%",)).fetchone() == {"hits": 0}
            hexadecimal = secret.encode().hex()
            assert connection.execute(query.encode(), (f"%{hexadecimal}%",)).fetchone() == {
                "hits": 0
            }
