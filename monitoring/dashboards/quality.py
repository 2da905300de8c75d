"""Drift and quality: how right a model is, and whether what comes to it has changed."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, number, page
from monitoring.dashboards.promql import largest, rate

_MODEL = 'model="$model"'
_ALL = 'slice=""'
_WHAT = "{{version}} {{metric}}"


def _figures(metrics: str, suffix: str = "") -> Query:
    """Those of all predictions. metrics: a regular expression of their names."""
    select = (_MODEL, _ALL, f'metric=~"{metrics}"')
    return Query(largest(f"pmesh_quality{suffix}", "version, metric", *select), _WHAT)


def dashboard() -> Dashboard:
    """Of the model that is chosen at its top; what its figures are made by, below."""
    return page(
        "quality",
        "Drift and quality",
        "The newest hour's figures of a model. What each of them is: monitoring/README.md.",
        number(
            "Since the last run",
            "The job runs each hour. Hours: it is away, or the database is; see its log.",
            Query("time() - max (pmesh_monitoring_last_run_timestamp_seconds)", ""),
            unit="s",
            steps=Steps(4500, 8100),
        ),
        number(
            "Open alerts",
            "What our own rules say of the figures: pmesh monitor alerts says what and since when.",
            Query(largest("pmesh_alerts_open", "severity", _MODEL), "{{severity}}"),
            unit="none",
            steps=Steps(1, 10),
        ),
        number(
            "Alerts not yet delivered",
            "To the webhook. It stays above 0: the receiver is away, or refuses.",
            Query("max (pmesh_alert_deliveries_waiting)", ""),
            unit="none",
            steps=Steps(1, 10),
        ),
        graph(
            "How right it is",
            "Of what is labelled. Lower than before: look at drift, then train again.",
            _figures("accuracy|f1_macro"),
            unit="percentunit",
            most=1,
        ),
        graph(
            "Low end of that",
            "The low end of the 95 % interval: only what is low here is bad beyond chance.",
            _figures("accuracy|f1_macro", "_low"),
            unit="percentunit",
            most=1,
        ),
        graph(
            "Drift, beyond chance",
            "The low end of each distance from the reference. Above 0.1: other texts than those"
            " that it was trained with; find out whose, by the slices.",
            _figures(".+_drift", "_low"),
            unit="none",
            steps=Steps(0.1, 0.2),
        ),
        graph(
            "Confidence and being right",
            "The distance of the two, and of scores from the truth. It grows: do not trust the"
            " scores; train again.",
            _figures("calibration_error|brier"),
            unit="none",
        ),
        graph(
            "Requests of the hour",
            "How many, and how many have not ended.",
            _figures("volume|unfinished"),
            unit="short",
        ),
        graph(
            "Without an answer or features",
            "Shares. Features that are missing did not come to S3: see the queue.",
            _figures("failure_share|features_missing_share|no_confidence_share"),
            unit="percentunit",
        ),
        graph(
            "Predictions behind a figure",
            "With few, nothing is told from chance: label more.",
            _figures("accuracy|label_drift", "_rows"),
            unit="short",
        ),
        graph(
            "Tasks of annotators",
            "By state. None in work while figures are thin: choose more to be labelled.",
            Query(largest("pmesh_annotation_tasks", "model, state"), "{{model}} {{state}}"),
            unit="short",
        ),
        graph(
            "Labels",
            "An hour, from annotators. None for days: see the program annotation.",
            Query("sum by (model) (increase(pmesh_annotation_labels_total[1h]))", "{{model}}"),
            unit="short",
        ),
        graph(
            "Since the last look at annotators",
            "Minutes: Label Studio is away, or the program annotation is.",
            Query("time() - max (pmesh_annotation_last_look_timestamp_seconds)", "last look"),
            unit="s",
        ),
        graph(
            "Messages of Label Studio",
            "A second, by what became of them. Refused ones: its secret is another.",
            Query(rate("pmesh_annotation_webhooks_total", "outcome"), "{{outcome}}"),
            unit="ops",
        ),
        graph(
            "Runs of the job",
            "99 of 100 take less. More than some minutes: see the database.",
            Query(
                "histogram_quantile(0.99, sum by (le)"
                " (increase(pmesh_monitoring_run_seconds_bucket[6h])))",
                "run",
            ),
            unit="s",
        ),
        of_model=True,
    )
