"""ModelService over gRPC, answered from the catalog in memory."""

from bisect import bisect_right

from grpc.aio import ServicerContext
from predict.v1 import model_service_pb2 as pb
from predict.v1 import model_service_pb2_grpc

from gateway import pages, validation
from gateway.convert import model_to_proto
from gateway.errors import ModelNotFound
from gateway.store.catalog import Catalog


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Tells which models there are."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def ListModels(
        self,
        request: pb.ListModelsRequest,
        context: ServicerContext[pb.ListModelsRequest, pb.ListModelsResponse],
    ) -> pb.ListModelsResponse:
        """Answer with a page of models, ordered by id."""
        size = validation.check_page_size(request.page_size)
        after = pages.decode_token(request.page_token, "models")
        models = list(self._catalog.models.values())
        start = bisect_right([m.id for m in models], after) if after else 0
        page, rest = models[start : start + size], models[start + size :]
        return pb.ListModelsResponse(
            models=[model_to_proto(model) for model in page],
            next_page_token=pages.encode_token(page[-1].id, "models") if rest else "",
        )

    async def GetModel(
        self,
        request: pb.GetModelRequest,
        context: ServicerContext[pb.GetModelRequest, pb.GetModelResponse],
    ) -> pb.GetModelResponse:
        """Answer with one model."""
        validation.check_model(request.model)
        model = self._catalog.models.get(request.model)
        if model is None:
            raise ModelNotFound(request.model)
        return pb.GetModelResponse(model=model_to_proto(model))
