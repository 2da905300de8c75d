"""ModelService over gRPC: models from the catalog in memory, traffic from and to the store."""

from bisect import bisect_right

from grpc.aio import ServicerContext
from predict.v1 import model_service_pb2 as pb
from predict.v1 import model_service_pb2_grpc

from contract.errors import ModelNotFound
from gateway import pages, request_context, validation
from gateway.convert import model_to_proto, release_to_proto
from gateway.store.catalog import Catalog, Model
from gateway.store.releases import TrafficStore

ACTOR = "api"
"""Who a caller is in the history that has no name."""


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Tells which models there are, and tells and sets how their traffic is split."""

    def __init__(self, catalog: Catalog, releases: TrafficStore) -> None:
        self._catalog = catalog
        self._releases = releases

    async def ListModels(
        self,
        request: pb.ListModelsRequest,
        context: ServicerContext[pb.ListModelsRequest, pb.ListModelsResponse],
    ) -> pb.ListModelsResponse:
        """Answer with a page of models, ordered by id."""
        size = pages.size_to_use(request.page_size)
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
        return pb.GetModelResponse(model=model_to_proto(self._model(request.model)))

    async def SetTraffic(
        self,
        request: pb.SetTrafficRequest,
        context: ServicerContext[pb.SetTrafficRequest, pb.SetTrafficResponse],
    ) -> pb.SetTrafficResponse:
        """Move the traffic and answer with the model as it is then."""
        model = self._model(request.model)
        shares = validation.check_split([(t.version, t.percent) for t in request.traffic])
        actor = request_context.current().caller or ACTOR
        await self._releases.set_traffic(model.id, shares, actor=actor, reason=request.reason)
        await self._catalog.refresh()
        return pb.SetTrafficResponse(model=model_to_proto(self._model(request.model)))

    async def ListReleases(
        self,
        request: pb.ListReleasesRequest,
        context: ServicerContext[pb.ListReleasesRequest, pb.ListReleasesResponse],
    ) -> pb.ListReleasesResponse:
        """Answer with a page of the history, the newest first."""
        model = self._model(request.model)
        size = pages.size_to_use(request.page_size)
        before_id = pages.decode_id(request.page_token, ("releases", model.id))
        found = await self._releases.list(model.id, before_id=before_id, limit=size + 1)
        token = ""
        if len(found) > size:
            token = pages.encode_token(found[size - 1].id, ("releases", model.id))
        return pb.ListReleasesResponse(
            releases=[release_to_proto(release) for release in found[:size]],
            next_page_token=token,
        )

    def _model(self, model: str) -> Model:
        """Raises ModelNotFound."""
        known = self._catalog.models.get(model)
        if known is None:
            raise ModelNotFound(model)
        return known
