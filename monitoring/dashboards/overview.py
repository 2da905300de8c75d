"""Whether anybody has to get up, and where to look next."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, number, page, to_model
from monitoring.dashboards.promql import failures, largest, quantile, rate

_NOW = 'rpc_method=~"predict.v1.PredictionService/(Predict|BatchPredict|CreatePrediction)"'
_PROGRAM = "{{app}}{{part}}"
"""By the label that programs have in production, and by the one that they have locally."""


def dashboard() -> Dashboard:
    """Read from the left to the right, from the top to the bottom."""
    return page(
        "overview",
        "Overview",
        "What clients get, which model, what is full or away. Then the dashboard of the model.",
        number(
            "Availability",
            "Texts of the last hour that were served or refused by the client's own fault. Below"
            " 99.9 %: see which model fails, below.",
            Query(f"1 - {failures('').replace('$__rate_interval', '1h')}", ""),
            unit="percentunit",
            steps=Steps(0.999, 0.986),
            width=6,
        ),
        number(
            "Models that answer",
            "1: each gateway has an answer from it; 0: one has none. A click shows the model; then"
            " look at its Triton and at the log of the program rollout.",
            Query("min by (model, version) (pmesh_model_ready)", "{{model}}@{{version}}"),
            unit="none",
            steps=Steps(1, 0.5),
            links=[to_model()],
            width=10,
        ),
        number(
            "What programs wait for",
            "1: a program waits for it to come back. Bring it back; nothing is lost meanwhile.",
            Query(largest("pmesh_outage", "dependency"), "{{dependency}}"),
            unit="none",
            steps=Steps(1, 1),
            width=8,
        ),
        graph(
            "Outcomes",
            "Texts a second. A reason that grows says what happens: docs/errors.md lists them.",
            Query(rate("pmesh_predictions_total", "outcome"), "{{outcome}}"),
            unit="reqps",
        ),
        graph(
            "Failures by model",
            "The share of texts that failed by our own fault. One model: look at it; all of them:"
            " the database, or what is full.",
            Query(failures("model"), "{{model}}"),
            unit="percentunit",
            steps=Steps(0.001, 0.014),
        ),
        graph(
            "Answers by HTTP status",
            "As Envoy gave them, so that those are there that the gateway never saw.",
            Query(rate("pmesh_http_requests_total", "code_class"), "{{code_class}}"),
            unit="reqps",
        ),
        graph(
            "Latency",
            "99 of 100 calls are faster. A dot is a call with a trace: a click opens it.",
            Query(
                quantile(0.99, "rpc_server_call_duration_seconds", "rpc_method", _NOW),
                "{{rpc_method}}",
                exemplars=True,
            ),
            unit="s",
            steps=Steps(0.25, 0.5),
        ),
        graph(
            "Where the time goes",
            "99 of 100 are faster, by stage: wait is for a batch, so Triton is full; infer is the"
            " model; record is the database.",
            Query(quantile(0.99, "pmesh_prediction_stage_seconds", "stage"), "{{stage}}", True),
            unit="s",
        ),
        graph(
            "Slowest model",
            "99 of 100 inferences are faster. One that stands out: look at it.",
            Query(
                quantile(0.99, "pmesh_prediction_stage_seconds", "model", 'stage="infer"'),
                "{{model}}",
                exemplars=True,
            ),
            unit="s",
        ),
        graph(
            "Oldest unfinished request",
            "How long the oldest request for later has waited. It grows: a worker, the relay or"
            " the bus stands still. See the queue.",
            Query(largest("pmesh_requests_oldest_age_seconds", "model"), "{{model}}"),
            unit="s",
            steps=Steps(60, 300),
        ),
        graph(
            "What is full",
            "The share in use of what is bounded. At 100 % callers are refused or wait: more"
            " replicas, or fewer callers.",
            Query(
                "max by (resource) (pmesh_capacity_used / (pmesh_capacity_limit > 0))",
                "{{resource}}",
            ),
            unit="percentunit",
            steps=Steps(0.8, 0.95),
            most=1,
        ),
        graph(
            "Connections and calls",
            "Of clients to Envoy, and calls under way. Calls that pile up while few end: something"
            " behind is slow.",
            Query("sum (pmesh_http_connections)", "connections"),
            Query("sum (rpc_server_active_calls)", "calls"),
            unit="short",
        ),
        graph(
            "Event loop lag",
            "99 of 100 rounds are less late. Above: the program has too little CPU, or is held up.",
            Query(quantile(0.99, "pmesh_event_loop_lag_seconds", "app, part"), _PROGRAM),
            unit="s",
            steps=Steps(0.05, 0.25),
        ),
        graph(
            "Memory",
            "Of the largest process of each program. What grows for hours is a leak: restart it,"
            " and keep the graph.",
            Query(largest("process_resident_memory_bytes", "app, part"), _PROGRAM),
            unit="bytes",
        ),
        graph(
            "Spans that nobody sees",
            "not_delivered: the OTLP receiver is away; queue_full: it is slow; kept_per_s: more"
            " failed than are kept, on purpose.",
            Query(rate("pmesh_spans_dropped_total", "reason"), "{{reason}}"),
            Query(
                rate("pmesh_envoy_span_batches_total", "outcome", 'outcome="dropped"'),
                "batches of Envoy's",
            ),
            unit="short",
        ),
    )
