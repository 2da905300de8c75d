"""MonitoringService over gRPC: what the monitoring job has made, read from the store."""

from grpc.aio import ServicerContext
from predict.v1 import monitoring_service_pb2 as pb
from predict.v1 import monitoring_service_pb2_grpc

from gateway import pages, request_context
from gateway.convert_quality import (
    key_from_text,
    key_to_text,
    metric_filter_from_proto,
    write_metric,
    write_reference,
)
from gateway.store.catalog import Catalog
from gateway.store.quality import MetricStore
from gateway.traffic import find_model


class MonitoringServicer(monitoring_service_pb2_grpc.MonitoringServiceServicer):
    """Tells how good the models are."""

    def __init__(self, catalog: Catalog, quality: MetricStore) -> None:
        self._catalog = catalog
        self._quality = quality

    async def ListQualityMetrics(
        self,
        request: pb.ListQualityMetricsRequest,
        context: ServicerContext[pb.ListQualityMetricsRequest, pb.ListQualityMetricsResponse],
    ) -> pb.ListQualityMetricsResponse:
        """Answer with a page, the newest hour first."""
        self._check(request.model)
        where, size = metric_filter_from_proto(request), pages.size_to_use(request.page_size)
        after = pages.decode(request.page_token, where, key_from_text)
        found = await self._quality.search(where, after=after, limit=size + 1)
        response = pb.ListQualityMetricsResponse()
        for metric in found[:size]:
            write_metric(metric, response.quality_metrics.add())
        if len(found) > size:
            last = key_to_text(found[size - 1].key)
            response.next_page_token = pages.encode_token(last, where)
        return response

    async def ListReferences(
        self,
        request: pb.ListReferencesRequest,
        context: ServicerContext[pb.ListReferencesRequest, pb.ListReferencesResponse],
    ) -> pb.ListReferencesResponse:
        """Answer with a page, the chosen one first."""
        self._check(request.model)
        where, size = ("references", request.model), pages.size_to_use(request.page_size)
        after = pages.decode(request.page_token, where, _version)
        found = await self._quality.references(request.model, after=after, limit=size + 1)
        response = pb.ListReferencesResponse()
        for reference in found[:size]:
            write_reference(reference, response.references.add())
        if len(found) > size:
            response.next_page_token = pages.encode_token(found[size - 1].version, where)
        return response

    async def GetReference(
        self,
        request: pb.GetReferenceRequest,
        context: ServicerContext[pb.GetReferenceRequest, pb.GetReferenceResponse],
    ) -> pb.GetReferenceResponse:
        """Answer with what a version is compared with."""
        self._check(request.model)
        response = pb.GetReferenceResponse()
        found = await self._quality.reference(request.model, request.version)
        write_reference(found, response.reference)
        return response

    def _check(self, model: str) -> None:
        """Raises PermissionDenied, ModelNotFound."""
        request_context.current().rights.check(model)
        find_model(self._catalog.models, model)


def _version(text: str) -> str:
    """A version, or "" for the chosen reference. Raises ValueError."""
    if text and not text.isdecimal():
        raise ValueError("no version")
    return text
