"""The gateway's servicers on a plain server of grpc.aio. As a program it writes its port first."""

import asyncio
import os
from contextlib import AsyncExitStack
from typing import cast

import grpc
from predict.v1 import model_service_pb2_grpc, prediction_service_pb2_grpc

from contract.settings import read
from features.spool import Spool
from gateway.app import interceptors
from gateway.interceptors.intercepted import Intercepted
from gateway.metrics import Calls
from gateway.models import Models
from gateway.predictions import PredictionService
from gateway.servicers.models import ModelServicer
from gateway.servicers.predictions import PredictionServicer
from gateway.settings import Settings
from gateway.store.catalog import Catalog
from gateway.store.changes import Changes
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from gateway.store.releases import TrafficStore


async def serve(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(Connections(settings.database_connections))
        catalog = Catalog(connections)
        await catalog.refresh()
        changes = Changes(refresh_catalog=catalog.refresh_by)
        listener = asyncio.create_task(changes.run())
        stack.callback(listener.cancel)
        spool = await stack.enter_async_context(
            Spool(
                settings.spool, bucket=settings.features_bucket, max_bytes=settings.spool_max_bytes
            )
        )
        models = await stack.enter_async_context(
            Models(
                lambda: catalog.models,
                features=spool,
                max_batch=settings.max_batch,
                batches_per_version=settings.batches_per_version,
                batches_per_server=settings.batches_per_server,
                max_waiting=settings.max_waiting,
                max_inference_s=settings.max_inference_s,
                max_call_s=settings.max_call_s,
            )
        )
        store = await stack.enter_async_context(
            PredictionStore(connections, max_waiting=settings.max_waiting)
        )
        predictions = PredictionService(store=store, models=models, changes=changes)
        server = grpc.aio.server()
        intercepted = Intercepted(server, interceptors(settings, Calls()))
        registry = cast(grpc.aio.Server, intercepted)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionServicer(predictions, max_call_s=settings.max_call_s), registry
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelServicer(catalog, TrafficStore(connections)), registry
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(read(Settings, os.environ)))
