"""Releases: what goes on, whether a new version is worse, and what was trained."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, page
from monitoring.dashboards.promql import failures, largest, quantile


def dashboard() -> Dashboard:
    """Of all models; what was changed comes first."""
    return page(
        "rollouts",
        "Rollouts",
        "What was changed, when, and what it did. pmesh history MODEL says by whom and why.",
        graph(
            "Traffic",
            "Each version's share. Compare with when the trouble began.",
            Query(largest("pmesh_traffic_share", "model, version"), "{{model}}@{{version}}"),
            unit="percentunit",
            most=1,
        ),
        graph(
            "Changes of releases",
            "In ten minutes, by what was done.",
            Query(
                "sum by (model, change) (increase(pmesh_release_changes_total[10m]))",
                "{{model}} {{change}}",
            ),
            unit="short",
        ),
        graph(
            "Failures by version",
            "The share of texts that failed by our own fault. Higher in the new version: pmesh"
            " rollback MODEL.",
            Query(failures("model, version"), "{{model}}@{{version}}"),
            unit="percentunit",
            steps=Steps(0.001, 0.014),
        ),
        graph(
            "Inference by version",
            "99 of 100 are faster. Slower in the new version: roll back, or give it more.",
            Query(
                quantile(0.99, "pmesh_prediction_stage_seconds", "model, version", 'stage="infer"'),
                "{{model}}@{{version}}",
                exemplars=True,
            ),
            unit="s",
        ),
        graph(
            "Releases",
            "By state. One that stays where it is was paused, or waits: pmesh history MODEL.",
            Query(largest("pmesh_releases", "model, state"), "{{model}} {{state}}"),
            unit="short",
        ),
        graph(
            "Versions",
            "By state. One that stays LOADING: see the log of rollout and of the model's Triton.",
            Query(largest("pmesh_versions", "model, state"), "{{model}} {{state}}"),
            unit="short",
        ),
        graph(
            "The gate",
            "How long versions were judged before they were let in or refused, in six hours.",
            Query(
                "histogram_quantile(0.99, sum by (le, model, outcome)"
                " (increase(pmesh_gate_seconds_bucket[6h])))",
                "{{model}} {{outcome}}",
            ),
            unit="s",
        ),
        graph(
            "Trainings",
            "In six hours, by outcome, and those that wait. Failed ones: pmesh retrain lists why.",
            Query(
                "sum by (model, outcome) (increase(pmesh_trainings_total[6h]))",
                "{{model}} {{outcome}}",
            ),
            Query("max (pmesh_trainings_waiting)", "waiting"),
            unit="short",
        ),
        graph(
            "Time of trainings",
            "99 of 100 take less, in a day.",
            Query(
                "histogram_quantile(0.99, sum by (le, model)"
                " (increase(pmesh_training_seconds_bucket[1d])))",
                "{{model}}",
            ),
            unit="s",
        ),
    )
