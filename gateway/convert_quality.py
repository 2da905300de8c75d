"""Figures of quality: the contract's messages to the gateway's types and back."""

from datetime import datetime

import orjson
from predict.v1 import quality_metric_pb2
from predict.v1.monitoring_service_pb2 import ListQualityMetricsRequest

from gateway.convert import set_time, time_from_proto
from gateway.quality import MetricFilter, MetricKey, ModelReference, QualityMetric


def metric_filter_from_proto(request: ListQualityMetricsRequest) -> MetricFilter:
    """The conditions of a list."""
    return MetricFilter(
        model=request.model,
        version=request.version,
        slice=None if request.with_slices and not request.slice else request.slice,
        metric_prefix=request.metric_prefix,
        start_time=time_from_proto(request, "start_time"),
        end_time=time_from_proto(request, "end_time"),
    )


def key_to_text(key: MetricKey) -> str:
    """A place in a list, for its token."""
    return orjson.dumps(tuple(key)).decode()


def key_from_text(text: str) -> MetricKey:
    """The way back. Raises ValueError for what is no such text: clients can make one up."""
    hour, *names = orjson.loads(text)
    version, slice_, metric = (str(name) for name in names)
    if "\0" in version + slice_ + metric:
        raise ValueError("PostgreSQL has no such texts")
    return MetricKey(datetime.fromisoformat(hour), version, slice_, metric)


def write_metric(metric: QualityMetric, message: quality_metric_pb2.QualityMetric) -> None:
    """Fill an empty message with a figure as clients see it."""
    message.model = metric.model
    message.version = metric.version
    set_time(message.hour, metric.hour)
    message.slice = metric.slice
    message.metric = metric.metric
    message.value = metric.value
    if metric.low is not None and metric.high is not None:
        message.low, message.high = metric.low, metric.high
    message.rows = metric.rows
    message.reference = metric.reference
    set_time(message.compute_time, metric.compute_time)


def write_reference(reference: ModelReference, message: quality_metric_pb2.Reference) -> None:
    """Fill an empty message with a reference as clients see it."""
    message.model = reference.model
    message.version = reference.version
    message.name = reference.name
    message.rows = reference.rows
    set_time(message.create_time, reference.create_time)
