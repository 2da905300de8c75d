"""One model: what its callers get, which version it is, and where its time goes."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, page
from monitoring.dashboards.promql import failures, largest, mean, quantile, rate

_MODEL = 'model="$model"'


def dashboard() -> Dashboard:
    """Of the model that is chosen at its top."""
    return page(
        "model",
        "Model",
        "One model: is it its version, its Triton, its worker, or what comes to it?",
        graph(
            "Outcomes by version",
            "Texts a second. A reason that only one version has: roll back, pmesh rollback MODEL.",
            Query(
                rate("pmesh_predictions_total", "version, outcome", _MODEL),
                "{{version}} {{outcome}}",
            ),
            unit="reqps",
        ),
        graph(
            "Failures by version",
            "The share of texts that failed by our own fault. Higher in a new version: roll back.",
            Query(failures("version", _MODEL), "{{version}}"),
            unit="percentunit",
            steps=Steps(0.001, 0.014),
        ),
        graph(
            "Traffic",
            "Each version's share. A change at the minute that the trouble began: roll back.",
            Query(largest("pmesh_traffic_share", "version", _MODEL), "{{version}}"),
            unit="percentunit",
            most=1,
        ),
        graph(
            "Where the time goes",
            "99 of 100 are faster, by stage. wait: more replicas of its Triton; infer: see its"
            " Triton; record: see the database. A dot opens a trace.",
            Query(
                quantile(0.99, "pmesh_prediction_stage_seconds", "stage", _MODEL),
                "{{stage}}",
                exemplars=True,
            ),
            unit="s",
            steps=Steps(0.25, 0.5),
        ),
        graph(
            "Inference by version",
            "99 of 100 are faster. Slower in the new version: roll back, or give it more.",
            Query(
                quantile(
                    0.99, "pmesh_prediction_stage_seconds", "version", _MODEL, 'stage="infer"'
                ),
                "{{version}}",
                exemplars=True,
            ),
            unit="s",
        ),
        graph(
            "Texts in a batch",
            "The mean. It grows with the load; at 1 under load, batches do not form.",
            Query(mean("pmesh_inference_batch_size", "version", _MODEL), "{{version}}"),
            unit="short",
        ),
        graph(
            "Protocols",
            "Texts a second: whose clients stopped, or came.",
            Query(rate("pmesh_predictions_total", "protocol", _MODEL), "{{protocol}}"),
            unit="reqps",
        ),
        graph(
            "Versions that answer",
            "1: each gateway has an answer from it; 0: one has none.",
            Query(f"min by (version) (pmesh_model_ready{{{_MODEL}}})", "{{version}}"),
            unit="none",
            most=1,
        ),
        graph(
            "Unfinished requests",
            "Those for later, by state. They grow while few finish: see the worker's outcomes.",
            Query(largest("pmesh_requests_unfinished", "state", _MODEL), "{{state}}"),
            unit="short",
        ),
        graph(
            "Requests for later, to their end",
            "99 of 100 are faster. Above a minute: more workers, or see the queue.",
            Query(quantile(0.99, "pmesh_request_seconds", "", _MODEL), "99 of 100", True),
            unit="s",
            steps=Steps(30, 60),
        ),
        graph(
            "The worker's outcomes",
            "Requests a second. given_back: it is tried again; a reason: see its log by the model.",
            Query(rate("pmesh_worker_requests_total", "outcome", _MODEL), "{{outcome}}"),
            unit="reqps",
        ),
        graph(
            "Where the worker's time goes",
            "99 of 100 are faster. claim: the database; infer: Triton; features: S3; publish: SNS.",
            Query(quantile(0.99, "pmesh_worker_stage_seconds", "stage", _MODEL), "{{stage}}"),
            unit="s",
        ),
        of_model=True,
    )
