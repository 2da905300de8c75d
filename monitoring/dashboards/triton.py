"""Triton: whether models are slow, full, or fail."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.panels import Query, Steps, graph, page
from monitoring.dashboards.promql import rate

_WHAT = "{{model}}@{{version}}"
_BY = "model, version"


def _mean_s(duration_us: str) -> str:
    """Seconds of a request."""
    return f"{rate(duration_us, _BY)} / {rate('nv_inference_request_success', _BY)} / 1e6"


def dashboard() -> Dashboard:
    """Its own figures, by model and version."""
    return page(
        "triton",
        "Triton",
        "What the servers of models tell themselves: is a model slow, or is there too much for it?",
        graph(
            "Requests",
            "A second, that succeeded. Each is a batch of the gateway or of a worker.",
            Query(rate("nv_inference_request_success", _BY), _WHAT),
            unit="reqps",
        ),
        graph(
            "Failures",
            "A second. See the log of the model's Triton; a new version: pmesh rollback MODEL.",
            Query(rate("nv_inference_request_failure", _BY), _WHAT),
            unit="reqps",
            steps=Steps(0.001, 1),
        ),
        graph(
            "Requests in wait",
            "It grows: more replicas, which KEDA starts by this figure; is it at its most?",
            Query("sum by (model, version) (nv_inference_pending_request_count)", _WHAT),
            unit="short",
        ),
        graph(
            "Time in wait",
            "The mean of a request, in Triton's queue. Above that of computing: too few replicas.",
            Query(_mean_s("nv_inference_queue_duration_us"), _WHAT),
            unit="s",
        ),
        graph(
            "Time of computing",
            "The mean of a request. It grew with a new version: that one is slower.",
            Query(_mean_s("nv_inference_compute_infer_duration_us"), _WHAT),
            unit="s",
        ),
        graph(
            "Texts in an execution",
            "The mean. 1 under load: batches do not form; see max_batch_size of its values.yaml.",
            Query(
                f"{rate('nv_inference_count', _BY)} / {rate('nv_inference_exec_count', _BY)}",
                _WHAT,
            ),
            unit="short",
        ),
    )
