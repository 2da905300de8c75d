"""ModelService over gRPC: models from the catalog in memory, traffic from and to the store."""

from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc.aio import ServicerContext
from predict.v1 import model_service_pb2 as pb
from predict.v1 import model_service_pb2_grpc

from contract.errors import EtagMismatch, ReleaseNotFound
from gateway import pages, request_context
from gateway.convert_releases import (
    model_to_proto,
    plan_from_proto,
    release_to_proto,
    split_from_proto,
)
from gateway.release import Release, Signature
from gateway.request_keys import request_key
from gateway.store.catalog import Catalog, Model
from gateway.store.releases import TrafficStore
from gateway.traffic import find_model

ACTOR = "api"
"""Who asks, in the history, where neither the caller nor the request has a name for it."""


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Tells which models there are, and how their traffic is split; asks for it to be moved."""

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
        rights = request_context.current().rights
        models = [model for model in self._catalog.models.values() if rights.allow(model.id)]
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
        model, split = self._model(request.model), split_from_proto(request)
        async with self._refreshed():
            await self._releases.set_shares(model.id, split, _signature(request), etag=request.etag)
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

    async def GetRelease(
        self,
        request: pb.GetReleaseRequest,
        context: ServicerContext[pb.GetReleaseRequest, pb.GetReleaseResponse],
    ) -> pb.GetReleaseResponse:
        """Answer with one release."""
        release = await self._release(request.id.lower())
        return pb.GetReleaseResponse(release=release_to_proto(release))

    async def CreateRelease(
        self,
        request: pb.CreateReleaseRequest,
        context: ServicerContext[pb.CreateReleaseRequest, pb.CreateReleaseResponse],
    ) -> pb.CreateReleaseResponse:
        """Accept a release, or move the traffic at once."""
        model, plan = self._model(request.model), plan_from_proto(request)
        request_id = request.request_id.lower()
        async with self._refreshed():
            release = await self._releases.create(
                model.id,
                plan,
                _signature(request),
                etag=request.etag,
                request_id=request_id,
                request_key=request_key(request_context.current().caller, request_id),
            )
        return pb.CreateReleaseResponse(release=release_to_proto(release))

    async def PauseRelease(
        self,
        request: pb.PauseReleaseRequest,
        context: ServicerContext[pb.PauseReleaseRequest, pb.PauseReleaseResponse],
    ) -> pb.PauseReleaseResponse:
        """Keep a release at its step."""
        await self._see(request.id.lower())
        release = await self._releases.pause(request.id.lower(), etag=request.etag)
        return pb.PauseReleaseResponse(release=release_to_proto(release))

    async def ResumeRelease(
        self,
        request: pb.ResumeReleaseRequest,
        context: ServicerContext[pb.ResumeReleaseRequest, pb.ResumeReleaseResponse],
    ) -> pb.ResumeReleaseResponse:
        """Let a release go on."""
        await self._see(request.id.lower())
        release = await self._releases.resume(request.id.lower(), etag=request.etag)
        return pb.ResumeReleaseResponse(release=release_to_proto(release))

    async def CancelRelease(
        self,
        request: pb.CancelReleaseRequest,
        context: ServicerContext[pb.CancelReleaseRequest, pb.CancelReleaseResponse],
    ) -> pb.CancelReleaseResponse:
        """End a release where it stands."""
        await self._see(request.id.lower())
        release = await self._releases.cancel(request.id.lower(), etag=request.etag)
        return pb.CancelReleaseResponse(release=release_to_proto(release))

    @asynccontextmanager
    async def _refreshed(self) -> AsyncIterator[None]:
        """Read the catalog again after a move, so that its caller sees it, or what came before."""
        try:
            yield
        except EtagMismatch:
            await self._catalog.refresh()
            raise
        await self._catalog.refresh()

    def _model(self, model: str) -> Model:
        """Raises PermissionDenied, ModelNotFound."""
        request_context.current().rights.check(model)
        return find_model(self._catalog.models, model)

    async def _release(self, release_id: str) -> Release:
        """One of a model that the call may be about. Raises ReleaseNotFound."""
        release = await self._releases.get(release_id)
        if not request_context.current().rights.allow(release.model):
            raise ReleaseNotFound(release_id)
        return release

    async def _see(self, release_id: str) -> None:
        """Raises ReleaseNotFound for one that is out of reach: before it is changed."""
        if not request_context.current().rights.reach_all:
            await self._release(release_id)


def _signature(request: pb.SetTrafficRequest | pb.CreateReleaseRequest) -> Signature:
    """What a trusted proxy says of the caller counts more than what he says himself."""
    actor = request_context.current().caller or request.actor or ACTOR
    return Signature(actor=actor, reason=request.reason)
